"""ID tokens as a job asks for them."""

import dataclasses

import pytest

from command_errors import UnavailableError, UsageError
from credentials.id_tokens import id_tokens_of
from tests.id_token_issuer import CONNECTION, REQUEST_TOKEN, IdTokenIssuer


@pytest.fixture
def issuer():
    with IdTokenIssuer() as running:
        yield running


def source(environment):
    """The source of these variables, which waits for nothing."""
    return dataclasses.replace(id_tokens_of(environment), sleep=lambda seconds: None)


def test_github_is_asked_with_the_audience_and_gives_another_token_each_time(issuer):
    tokens = source(issuer.github())
    assert [tokens.fetch(), tokens.fetch()] == issuer.issued
    assert len(set(issuer.issued)) == 2
    method, path, headers = issuer.asked[0]
    assert (method, path) == ("GET", "/github?api-version=2.0&audience=api%3A%2F%2FAzureADTokenExchange")
    assert headers["authorization"] == f"Bearer {REQUEST_TOKEN}"


def test_azure_devops_is_asked_for_the_service_connection(issuer):
    assert source(issuer.azure_devops()).fetch() == issuer.issued[0]
    method, path, headers = issuer.asked[0]
    assert (method, path) == ("POST", f"/devops/oidctoken?api-version=7.1&serviceConnectionId={CONNECTION}")
    assert headers["x-tfs-fedauthredirect"] == "Suppress"


def test_the_audience_is_that_of_the_cloud(issuer):
    source(issuer.github() | {"ARM_ENVIRONMENT": "usgovernment"}).fetch()
    assert issuer.asked[0][1].endswith("audience=api%3A%2F%2FAzureADTokenExchangeUSGov")


def test_what_may_get_better_is_asked_again_and_what_may_not_ends_at_once(issuer):
    tokens = source(issuer.github())
    issuer.answers = [503, 429, 500]
    assert tokens.fetch() == issuer.issued[0]
    issuer.answers = [503, 503, 503, 503, 503]
    with pytest.raises(UnavailableError, match=r"GitHub gave no ID token .*answered 503.*id-token: write"):
        tokens.fetch()
    issuer.answers, issuer.asked = [404], []
    with pytest.raises(UnavailableError, match="answered 404"):
        tokens.fetch()
    assert len(issuer.asked) == 1


@pytest.mark.parametrize("answer", ["", "[]", "{}", '{"value": ""}', '{"value": 3}', "<html>sign in</html>"])
def test_an_answer_without_a_token_is_an_error(issuer, answer):
    issuer.answers = [answer]
    with pytest.raises(UnavailableError, match="its answer has no value"):
        source(issuer.github()).fetch()


def test_a_request_token_that_has_ended_is_explained(issuer):
    old = issuer.github() | {"ACTIONS_ID_TOKEN_REQUEST_TOKEN": "old"}
    with pytest.raises(UnavailableError, match=r"answered 401\). .*ends after about six hours"):
        source(old).fetch()


def test_an_address_without_a_server_is_named():
    with IdTokenIssuer() as gone:
        tokens = source(gone.github())
    with pytest.raises(UnavailableError, match="Connection refused"):
        tokens.fetch()


def test_a_token_of_the_request_never_enters_an_error(issuer):
    issuer.answers = [404]
    with pytest.raises(UnavailableError) as caught:
        source(issuer.azure_devops()).fetch()
    assert REQUEST_TOKEN not in str(caught.value)


def test_there_are_no_id_tokens_outside_of_a_pipeline_or_a_service_connection(issuer):
    assert id_tokens_of({}) is None
    without = issuer.azure_devops()
    del without["AZURESUBSCRIPTION_SERVICE_CONNECTION_ID"]
    assert id_tokens_of(without) is None


@pytest.mark.parametrize(
    ("variables", "lost"),
    [("github", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"), ("azure_devops", "SYSTEM_ACCESSTOKEN")],
)
def test_half_of_a_pipelines_variables_is_an_error_that_names_the_other_half(issuer, variables, lost):
    environment = getattr(issuer, variables)()
    del environment[lost]
    with pytest.raises(UsageError, match=lost):
        id_tokens_of(environment)
