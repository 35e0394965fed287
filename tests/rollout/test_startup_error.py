"""What a CLI that never started its engine printed, and the fix for it."""

import pytest

from rollout.errors import EngineLocked, EngineUnavailable
from rollout.startup_error import AUTHENTICATION_FAILED, STACK_NOT_FOUND, startup_error

BLOBS = {"PULUMI_BACKEND_URL": "azblob://state?storage_account=acc"}
FILES = {"PULUMI_BACKEND_URL": "file:///state"}
CRASH = "The Pulumi CLI encountered a fatal error. This is a bug!\ngocloud.dev/blob/azureblob.(*writer).Close(0x3)\n"


def error_of(stderr, returncode=1, environment=FILES):
    return startup_error("dev", "up", returncode, "", stderr, environment)


def test_a_crash_while_writing_blobs_names_the_role_and_keeps_the_trace_out_of_the_message():
    found = error_of(CRASH, 2, BLOBS)
    assert type(found) is EngineUnavailable
    assert "nothing changed" in str(found)
    assert "container state of storage account acc. Give it the role Storage Blob Data Contributor" in str(found)
    assert "writer" not in str(found)
    assert "writer" in found.log


def test_a_refused_read_of_blobs_names_the_role_of_readers():
    found = error_of("error: could not list bucket\nERROR CODE: AuthorizationPermissionMismatch\n", 1, BLOBS)
    assert "may not read Pulumi's state in container state of storage account acc" in str(found)
    assert "Storage Blob Data Reader" in str(found)


@pytest.mark.parametrize("text", [CRASH, "AuthorizationPermissionMismatch"])
def test_other_backends_keep_what_the_cli_said(text):
    assert text.strip() in str(error_of(text))


def test_a_lock_leads_to_recover():
    found = error_of("error: the stack is currently locked by 1 lock(s).", environment=BLOBS)
    assert type(found) is EngineLocked
    assert "sluice recover --stack dev" in str(found)


@pytest.mark.parametrize(
    ("code", "fix"), [(STACK_NOT_FOUND, "stack init dev"), (AUTHENTICATION_FAILED, "pulumi login")]
)
def test_guaranteed_exit_codes_have_their_fix(code, fix):
    assert fix in str(error_of("error: no", code))


def test_silence_is_said():
    assert str(error_of("", 7)) == "pulumi up of stack dev ended with exit code 7: no message"
