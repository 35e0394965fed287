"""Previews and updates report what the engine leaves different in Azure, with the command that corrects it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pulumi
import pytest

from assessment.declaration import EndpointDeclaration
from assessment.placement import Placement
from components.online_endpoint import OnlineEndpoint, OnlineEndpointArgs
from endpoint_state import LiveDeployment, LiveEndpoint
from tests.components.conftest import host_of
from tests.components.engine import FakeAzure, deploy

Declare = Callable[..., EndpointDeclaration]
Run = Callable[..., tuple[dict[str, Any], list[str]]]
REFRESH = "pulumi up --refresh --stack dev"
ENDPOINT, BLUE, GREEN = "fraud-endpoint", "fraud-blue-deployment", "fraud-green-deployment"
READ_ENDPOINT = "azure-native:machinelearningservices:getOnlineEndpoint"

both = pytest.mark.parametrize("preview", [True, False], ids=["preview", "update"])


def live_endpoint(traffic: dict[str, int], *deployments: str, mirror: dict[str, int] | None = None) -> LiveEndpoint:
    return LiveEndpoint(
        name="fraud-dev",
        provisioning_state="Succeeded",
        auth_mode="Key",
        traffic=traffic,
        mirror=mirror or {},
        deployments={name: LiveDeployment(name=name, provisioning_state="Succeeded") for name in deployments},
        changed_by="jo@example.org",
        changed_at="2026-11-27T21:00:00Z",
    )


@pytest.fixture
def run(azure: FakeAzure, placement: Placement, caplog: pytest.LogCaptureFixture) -> Run:
    """Return a function that runs one declaration and returns its outputs and warnings."""

    def run(declaration: EndpointDeclaration, *, preview: bool) -> tuple[dict[str, Any], list[str]]:
        live = declaration.live
        if live is not None:
            azure.add_endpoint(
                live.name,
                traffic=live.traffic,
                mirror=live.mirror,
                changed_by=live.changed_by,
                changed_at=live.changed_at,
            )
            for name in live.deployments:
                azure.add_deployment(live.name, name)

        def program() -> None:
            args = OnlineEndpointArgs(host=host_of(placement), enable_public_access=True, declaration=declaration)
            pulumi.export("endpoint", OnlineEndpoint("fraud", args).outputs)

        outputs = deploy(program, azure, preview=preview).outputs["endpoint"]
        return outputs, [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]

    return run


@both
def test_weights_emptied_by_someone_else_are_reported_with_both_sides_and_the_fix(
    declare: Declare, run: Run, azure: FakeAzure, preview: bool
) -> None:
    azure.left_alone = {ENDPOINT, BLUE}
    outputs, warnings = run(declare({"blue": 100}, live=live_endpoint({}, "blue")), preview=preview)
    assert (outputs["settled"], outputs["next"]) == (False, REFRESH)
    assert outputs["deployments"]["blue"]["weight"] == 0
    assert warnings == [
        "fraud-dev has other weights in Azure (live none, mirrored none) than declared (live blue=100, mirrored none). "
        "It was last changed by jo@example.org at 2026-11-27T21:00:00Z. Pulumi's state already has the declared "
        f"weights, so a plain pulumi up changes nothing. Run {REFRESH} to restore the declared weights. To keep those "
        "in Azure, first write them into sluice:rollout.fraud in Pulumi.dev.yaml."
    ]


@both
def test_the_outputs_show_weights_and_a_mirror_set_by_someone_else(
    declare: Declare, run: Run, azure: FakeAzure, preview: bool
) -> None:
    azure.left_alone = {ENDPOINT, BLUE, GREEN}
    live = live_endpoint({"blue": 60, "green": 40}, "blue", "green", mirror={"green": 10})
    outputs, warnings = run(declare({"blue": 100, "green": 0}, live=live), preview=preview)
    said = {name: (one["weight"], one["mirror"]) for name, one in outputs["deployments"].items()}
    assert said == {"blue": (60, 0), "green": (40, 10)}
    assert (outputs["settled"], len(warnings)) == (False, 1)


@both
def test_a_change_that_the_engine_makes_is_no_difference(declare: Declare, run: Run, preview: bool) -> None:
    live = live_endpoint({"blue": 60, "green": 40}, "blue", "green")
    outputs, warnings = run(declare({"blue": 90, "green": 10, "amber": 0}, live=live), preview=preview)
    assert (outputs["settled"], outputs["next"], warnings) == (True, None, [])
    assert [one["weight"] for one in outputs["deployments"].values()] == [90, 10, 0]


@both
def test_what_is_as_declared_is_not_asked_for_again(
    declare: Declare, run: Run, azure: FakeAzure, preview: bool
) -> None:
    azure.left_alone = {ENDPOINT, BLUE}
    outputs, warnings = run(declare({"blue": 100}, live=live_endpoint({"blue": 100}, "blue")), preview=preview)
    assert (outputs["settled"], warnings, azure.reads) == (True, [], [])


@both
def test_a_deployment_that_was_deleted_by_hand_is_told(
    declare: Declare, run: Run, azure: FakeAzure, preview: bool
) -> None:
    azure.left_alone = {ENDPOINT, BLUE, GREEN}
    live = live_endpoint({"blue": 100}, "blue")
    outputs, warnings = run(declare({"blue": 100, "green": 0}, live=live), preview=preview)
    assert (outputs["settled"], outputs["next"]) == (False, REFRESH)
    assert outputs["deployments"]["blue"]["weight"] == 100
    assert warnings == [
        "The deployment green of fraud-dev is declared but does not exist in Azure. It was deleted outside of this "
        f"program: Pulumi's state still has it, so a plain pulumi up does not recreate it. Run {REFRESH}."
    ]


@both
def test_an_endpoint_that_was_deleted_by_hand_is_told(
    declare: Declare, run: Run, azure: FakeAzure, preview: bool
) -> None:
    azure.left_alone = {ENDPOINT}
    outputs, warnings = run(declare({}, live=None), preview=preview)
    assert (outputs["settled"], outputs["next"]) == (False, REFRESH)
    assert [warning.partition(" is declared but does not exist")[0] for warning in warnings] == [
        "The endpoint fraud-dev"
    ]


def test_an_endpoint_that_cannot_be_read_after_its_update_is_not_called_settled(
    declare: Declare, run: Run, azure: FakeAzure
) -> None:
    azure.failures[READ_ENDPOINT] = 'request failed /x: Status=403 Code="AuthorizationFailed" Message="No."'
    outputs, (warning,) = run(declare({"blue": 100}, live=live_endpoint({}, "blue")), preview=False)
    assert (outputs["settled"], outputs["next"]) == (False, REFRESH)
    assert 'Status=403 Code="AuthorizationFailed" Message="No."' in warning


@both
def test_what_waits_is_printed_in_one_line_and_put_out_with_the_command_that_continues(
    declare: Declare, run: Run, caplog: pytest.LogCaptureFixture, preview: bool
) -> None:
    declaration = declare({})
    reasons = ("deployments wait for the workspace: blue", "live weights wait (blue=100): blue does not exist yet")
    waits = replace(declaration.transition, waiting=reasons)
    caplog.set_level(logging.INFO)
    outputs, _ = run(replace(declaration, transition=waits, next="pulumi up --stack dev"), preview=preview)
    said = [record.getMessage() for record in caplog.records if record.levelno == logging.INFO]
    assert said == [
        "fraud-dev is not settled: deployments wait for the workspace: blue; live weights wait (blue=100): blue does "
        "not exist yet. Next: pulumi up --stack dev"
    ]
    assert (outputs["settled"], outputs["waiting"], outputs["next"]) == (False, list(reasons), "pulumi up --stack dev")


@both
def test_nothing_is_printed_where_nothing_waits(
    declare: Declare, run: Run, caplog: pytest.LogCaptureFixture, preview: bool
) -> None:
    caplog.set_level(logging.INFO)
    outputs, _ = run(declare({"blue": 100}, live=live_endpoint({"blue": 100}, "blue")), preview=preview)
    assert [record.getMessage() for record in caplog.records if record.levelno == logging.INFO] == []
    assert outputs["waiting"] == []


@both
def test_a_deployment_that_serves_although_it_failed_is_told(
    declare: Declare, run: Run, azure: FakeAzure, preview: bool
) -> None:
    """`az ml online-deployment delete` of one with weight leaves it Failed; the preview reported no change at all."""
    azure.left_alone = {ENDPOINT, BLUE, GREEN}
    live = live_endpoint({"blue": 100}, "blue", "green")
    broken = {name: replace(one, provisioning_state="Failed") for name, one in live.deployments.items()}
    outputs, warnings = run(declare({"blue": 100, "green": 0}, live=replace(live, deployments=broken)), preview=preview)
    assert (outputs["settled"], outputs["next"]) == (True, None)
    (warning,) = warnings
    assert warning.startswith("The deployment blue of fraud-dev was Failed in Azure when this program started")
    assert warning.endswith("at 0 % the next pulumi up replaces it.")
