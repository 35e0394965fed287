"""Who trusts the local authority trusts it for this machine only."""

from __future__ import annotations

import ssl
import stat
from pathlib import Path

import pytest

from localazure import certificates
from localazure.certificates import ensure_certificates, server_context


def handshake(home: Path, host: str) -> str | None:
    """Agree on a version of TLS in memory: a client that trusts the authority of `home`, and its server as `host`."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = ssl.create_default_context(cafile=str(home / "ca.pem")).wrap_bio(
        to_client, to_server, server_hostname=host
    )
    server = server_context(home).wrap_bio(to_server, to_client, server_side=True)
    waiting = [client, server]
    for _ in range(10):
        for side in list(waiting):
            try:
                side.do_handshake()
                waiting.remove(side)
            except ssl.SSLWantReadError:
                continue
        if not waiting:
            return client.version()
    raise AssertionError("the handshake does not end")


@pytest.mark.parametrize("host", ["localhost", "account.blob.localhost", "127.0.0.1"])
def test_the_server_is_trusted_under_its_names(tmp_path: Path, host: str) -> None:
    ensure_certificates(tmp_path)
    assert handshake(tmp_path, host) == "TLSv1.3"


def test_a_certificate_for_another_host_is_refused_although_the_authority_signed_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(certificates, "_NAMES", ("management.azure.com",))
    ensure_certificates(tmp_path)
    with pytest.raises(ssl.SSLCertVerificationError, match="permitted subtree violation"):
        handshake(tmp_path, "management.azure.com")


def test_keys_are_for_the_user_alone_and_what_is_fresh_is_kept(tmp_path: Path) -> None:
    ensure_certificates(tmp_path)
    kept = (tmp_path / "server.pem").read_bytes()
    assert {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("ca.key", "server.key")} == {0o600}
    ensure_certificates(tmp_path)
    assert (tmp_path / "server.pem").read_bytes() == kept
