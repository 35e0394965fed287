"""Which ID tokens prove an identity: issuer, subject, audience and time, exactly."""

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from localazure.federation import (
    AssertionRefused,
    FederatedCredential,
    check_assertion,
    is_federated,
    read_public_key,
)
from tests.id_token_issuer import AUDIENCE, ISSUER, SUBJECT, IdTokenIssuer

NOW = 1_800_000_000.0
OWN = FederatedCredential(ISSUER, SUBJECT, (AUDIENCE,))


@pytest.fixture(scope="module")
def issuer():
    with IdTokenIssuer(clock=lambda: NOW) as running:
        yield running


def refusal(issuer, token, *credentials, now=NOW, keys=None):
    """The code with which a token is refused; None for one that is accepted."""
    try:
        check_assertion(token, credentials or (OWN,), {ISSUER: issuer.public_key} if keys is None else keys, now)
    except AssertionRefused as refused:
        return refused.code
    return None


def test_a_token_that_equals_a_credential_proves_the_identity(issuer):
    assert refusal(issuer, issuer.mint()) is None
    other = FederatedCredential("https://other", SUBJECT, ("x",))
    assert refusal(issuer, issuer.mint(), other, OWN) is None


@pytest.mark.parametrize(
    ("credential", "code"),
    [
        (FederatedCredential(f"{ISSUER}/", SUBJECT, (AUDIENCE,)), 700211),
        (FederatedCredential(ISSUER.upper(), SUBJECT, (AUDIENCE,)), 700211),
        (FederatedCredential(ISSUER, SUBJECT.replace("prod", "dev"), (AUDIENCE,)), 700213),
        (FederatedCredential(ISSUER, SUBJECT.replace("octo", "Octo"), (AUDIENCE,)), 7002138),
        (FederatedCredential(ISSUER, f"{SUBJECT} ", (AUDIENCE,)), 700213),
        (FederatedCredential(ISSUER, SUBJECT, (AUDIENCE.upper(),)), 700212),
    ],
)
def test_every_difference_is_refused_with_entras_code(issuer, credential, code):
    assert refusal(issuer, issuer.mint(), credential) == code


@given(st.text(min_size=1, max_size=30))
def test_only_the_same_subject_is_accepted(text):
    found = refusal(_SHARED, _TOKEN, FederatedCredential(ISSUER, text, (AUDIENCE,)))
    assert (found is None) == (text == SUBJECT)


@given(st.integers(min_value=-1000, max_value=1000))
def test_a_token_is_good_from_its_beginning_to_its_end(seconds):
    found = refusal(_SHARED, _TOKEN, now=NOW + seconds)
    assert found == (None if -300 <= seconds < 300 else 700024)


_SHARED = IdTokenIssuer(clock=lambda: NOW)
_TOKEN = _SHARED.mint()


def test_the_refusal_names_the_subject_and_the_times(issuer):
    with pytest.raises(AssertionRefused, match=rf"AADSTS700213: No matching .* subject '{SUBJECT}'"):
        check_assertion(issuer.mint(), [FederatedCredential(ISSUER, "x", ("y",))], {ISSUER: issuer.public_key}, NOW)
    with pytest.raises(AssertionRefused, match=r"AADSTS700024: .* Current time: 2027-01-15T08:05:00"):
        check_assertion(issuer.mint(), [OWN], {ISSUER: issuer.public_key}, NOW + 300)


def test_a_token_of_another_key_is_refused(issuer):
    forged = _SHARED.mint()
    assert refusal(issuer, forged) == 700027
    head, body, _ = issuer.mint().split(".")
    assert refusal(issuer, f"{head}.{body}.") == 700027
    assert refusal(issuer, f"eyJhbGciOiJub25lIn0.{body}.") == 700027


def test_an_issuer_without_a_key_is_refused_with_the_switch(issuer):
    with pytest.raises(AssertionRefused, match=f"NotEmulated: .*--oidc-issuer {ISSUER}=KEYFILE"):
        check_assertion(issuer.mint(), [OWN], {}, NOW)


@pytest.mark.parametrize("claims", [{"exp": None}, {"exp": "soon"}, {"nbf": "then"}])
def test_a_token_without_times_is_malformed(issuer, claims):
    assert refusal(issuer, issuer.mint(**claims)) == 50027


@pytest.mark.parametrize("text", ["", "x", "a.b.c", "é.é.é"])
def test_what_is_no_token_is_malformed(issuer, text):
    assert refusal(issuer, text) == 50027


def test_a_clients_own_assertion_is_not_federated(issuer):
    assert not is_federated(issuer.mint(iss="client"), "client")
    assert is_federated(issuer.mint(), "client")
    assert is_federated("garbage", "client")


def test_a_key_file_that_is_none_is_named(tmp_path, issuer):
    file = issuer.write_public_key(tmp_path / "key.pem")
    assert read_public_key(file).public_numbers() == issuer.public_key.public_numbers()
    with pytest.raises(ValueError, match=r"none\.pem cannot be read: No such file"):
        read_public_key(tmp_path / "none.pem")
    file.write_text("secret")
    with pytest.raises(ValueError, match="not a public key in PEM form"):
        read_public_key(file)
    curve = ec.generate_private_key(ec.SECP256R1()).public_key()
    encoding, kind = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    file.write_bytes(curve.public_bytes(encoding, kind))
    with pytest.raises(ValueError, match="not an RSA key"):
        read_public_key(file)
