"""Values that only their owner may read do not reach a comment."""

from __future__ import annotations

from git_server.redaction import redacted, secrets_in


def test_secrets_are_hidden_the_longest_first() -> None:
    values = ("tok-en", "tok-en-longer", "on", "")
    assert redacted("tok-en-longer is on, tok-en too", values) == "[hidden] is on, [hidden] too"


def test_the_variables_of_a_pipeline_that_hold_secrets_are_known() -> None:
    variables = {"GITHUB_TOKEN": "ghs_1", "PULUMI_CONFIG_PASSPHRASE": "p4ss", "HOME": "/root", "ARM_CLIENT_SECRET": ""}
    assert set(secrets_in(variables)) == {"ghs_1", "p4ss"}
    header = {"GIT_CONFIG_VALUE_0": "", "GIT_CONFIG_VALUE_1": "AUTHORIZATION: basic eDp0"}
    assert secrets_in(header) == ("eDp0",)
