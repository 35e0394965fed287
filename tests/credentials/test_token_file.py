"""The token file of the engine, on a clock that only the test moves."""

import logging
import os
import stat
import threading

import pytest

from command_errors import UnavailableError
from credentials.engine_login import engine_environment
from credentials.token_file import RENEW_SECONDS, RETRY_SECONDS, TokenFile, fresh_token_file
from tests.id_token_issuer import IdTokenIssuer


class Numbered:
    """ID tokens `token 1`, `token 2`, ...; those whose numbers are in `refused` are errors."""

    def __init__(self, refused=()):
        self.refused = refused
        self.count = 0

    def fetch(self):
        self.count += 1
        if self.count in self.refused:
            raise UnavailableError(f"no token {self.count}")
        return f"token {self.count}"


class Clock:
    """Time that passes while something waits, until `end`; `seen` is what the file holds at the end of each wait."""

    def __init__(self, file, end):
        self.file, self.end = file, end
        self.now = 0.0
        self.seen = []

    def wait(self, seconds):
        self.now += seconds
        self.seen.append((self.now, self.file.path.read_text()))
        return self.now > self.end


def test_a_file_is_renewed_six_times_before_its_tokens_end(tmp_path):
    file = TokenFile(tmp_path / "token", Numbered())
    file.renew()
    clock = Clock(file, end=6 * RENEW_SECONDS)
    file.keep_fresh(clock.wait)
    assert clock.seen == [(number * RENEW_SECONDS, f"token {number}") for number in range(1, 8)]
    assert file.path.read_text() == "token 7"
    assert RENEW_SECONDS < 300, "GitHub's tokens live five minutes"


def test_a_failure_keeps_the_last_token_is_told_once_and_tried_again_soon(tmp_path, caplog):
    file = TokenFile(tmp_path / "token", Numbered(refused={2, 3}))
    file.renew()
    clock = Clock(file, end=2 * RENEW_SECONDS)
    with caplog.at_level(logging.WARNING):
        file.keep_fresh(clock.wait)
    after = RENEW_SECONDS + 2 * RETRY_SECONDS
    assert clock.seen == [
        (RENEW_SECONDS, "token 1"),
        (RENEW_SECONDS + RETRY_SECONDS, "token 1"),
        (after, "token 1"),
        (after + RENEW_SECONDS, "token 4"),
    ]
    assert [record.getMessage() for record in caplog.records] == [
        "sluice: the login of the engine was not renewed: no token 2"
    ]


def test_only_the_owner_reads_the_file_whatever_the_umask_and_whatever_lies_there(tmp_path):
    file = TokenFile(tmp_path / "token", Numbered())
    (tmp_path / "token.new").write_text("left by a killed process")
    before = os.umask(0)
    try:
        file.renew()
        file.renew()
    finally:
        os.umask(before)
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["token"]


def test_the_file_and_its_thread_end_with_the_block():
    with fresh_token_file(Numbered()) as path:
        assert path.read_text() == "token 1"
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert "sluice-login" in {thread.name for thread in threading.enumerate()}
    assert not path.parent.exists()
    assert "sluice-login" not in {thread.name for thread in threading.enumerate()}


def test_the_engine_gets_a_login_of_its_own_in_a_pipeline():
    with IdTokenIssuer() as issuer:
        named = {"AZURE_CLIENT_ID": "client", "AZURE_TENANT_ID": "tenant", "PATH": "/bin"}
        with engine_environment(issuer.github() | named) as environment:
            added = {key: value for key, value in environment.items() if key not in issuer.github()}
            with open(added.pop("AZURE_FEDERATED_TOKEN_FILE")) as file:
                assert file.read() == issuer.issued[0]
            assert added == named | {
                "AZURE_TOKEN_CREDENTIALS": "WorkloadIdentityCredential",
                "ARM_USE_DEFAULT_AZURE_CREDENTIAL": "true",
            }


def test_the_engine_keeps_every_other_login():
    given = {"AZURE_CLIENT_ID": "client", "AZURE_TENANT_ID": "tenant", "AZURE_CLIENT_SECRET": "s"}
    with engine_environment(given) as environment:
        assert environment == given


def test_without_a_token_the_engine_does_not_start():
    with IdTokenIssuer() as issuer:
        issuer.answers = [403]
        named = {"AZURE_CLIENT_ID": "client", "AZURE_TENANT_ID": "tenant"}
        with pytest.raises(UnavailableError, match="answered 403"), engine_environment(issuer.github() | named):
            raise AssertionError("not reached")
