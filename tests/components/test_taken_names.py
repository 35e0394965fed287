"""If Azure refuses a name that it keeps, the error adds the line to write; other refusals are not changed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pulumi
import pytest

from assessment.placement import Placement
from components import taken_names
from components.platform import Platform, PlatformArgs
from components.taken_names import explanation
from network_plan import NetworkPlan
from tests.components.engine import FakeAzure, deploy

WORKSPACE = (
    'Status=400 Code="BadRequest" Message="Soft-deleted workspace exists. Please purge or recover it. '
    'https://aka.ms/wsoftdelete"'
)
VAULT = (
    'Status=409 Code="ConflictError" Message="A vault with the same name already exists in deleted state. You need to '
    'either recover or purge existing key vault."'
)
LOGS = 'Status=409 Code="Conflict" Message="The workspace name \'log-payments-dev\' is not unique"'


@pytest.mark.parametrize("error", [WORKSPACE, VAULT, LOGS])
@pytest.mark.parametrize("generation", [1, 2])
def test_a_name_that_azure_keeps_is_explained_by_the_next_generation(
    placement: Placement, error: str, generation: int
) -> None:
    text = explanation(error, replace(placement.names, generation=generation))
    assert text is not None
    assert f"`sluice:generation: {generation + 1}` into Pulumi.dev.yaml and run pulumi up --stack dev" in text


@pytest.mark.parametrize("error", ["", 'Status=403 Code="AuthorizationFailed" Message="No."'])
def test_other_refusals_are_left_alone(placement: Placement, error: str) -> None:
    assert explanation(error, placement.names) is None


def test_the_hook_warns_about_creations_and_never_tries_again(
    azure: FakeAzure, placement: Placement, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    hooks: list[Any] = []
    monkeypatch.setattr(taken_names, "monitor_supports_feature", lambda feature: True)
    monkeypatch.setattr(pulumi.log, "error", said.append)
    monkeypatch.setattr(pulumi, "ErrorHook", lambda name, function: hooks.append(function))
    args = PlatformArgs(placement=placement, network=NetworkPlan(is_public=True), protect=False, protect_vault=False)
    deploy(lambda: Platform("platform", args), azure)
    (hook,) = hooks
    failed = {"urn": "u", "id": "", "name": "platform-ml-workspace", "type": "t"}
    for operation, error in [("create", WORKSPACE), ("create", "other"), ("update", WORKSPACE)]:
        assert hook(pulumi.ErrorHookArgs(**failed, failed_operation=operation, errors=[error])) is False
    (line,) = said
    assert line.startswith("platform-ml-workspace: Azure keeps the name of a deleted workspace")
