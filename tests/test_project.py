"""Which stack a command is about."""

from __future__ import annotations

import pytest

from command_errors import UsageError
from project import stack_name


@pytest.mark.parametrize("asked", ["dev", "models/dev", "acme/models/dev"])
def test_organization_and_project_are_left_out(asked: str) -> None:
    assert stack_name(asked) == "dev"


@pytest.mark.parametrize(
    "asked", ["", "/", "dev/", "../dev", "./dev", "a/b/c/dev", "de v", "dev\n", "$STACK", "Pulumi.dév"]
)
def test_what_names_no_stack_is_refused_and_no_other_stack_is_taken(
    asked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty variable of a pipeline must not select a stack."""
    monkeypatch.setenv("PULUMI_STACK", "prod")
    with pytest.raises(UsageError, match="names no stack"):
        stack_name(asked)


def test_without_the_option_the_variable_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULUMI_STACK", "acme/models/prod")
    assert stack_name(None) == "prod"
