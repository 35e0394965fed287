"""The autoscale setting of a deployment as Resource Manager describes it."""

from __future__ import annotations

from typing import Any, cast

import pytest

from command_errors import CommandError, UnavailableError
from resource_manager.client import ArmClient
from rollout.sources.live_autoscale import API_VERSION, ArmAutoscale


def profile(name: str, least: int) -> dict[str, Any]:
    return {"name": name, "capacity": {"minimum": str(least), "maximum": "10", "default": str(least)}}


class Arm:
    """Resource Manager with one setting."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.asked: list[tuple[str, str]] = []

    def get(self, resource_id: str, api_version: str) -> Any:
        self.asked.append((resource_id, api_version))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def autoscale(answer: Any) -> tuple[ArmAutoscale, Arm]:
    arm = Arm(answer)
    return ArmAutoscale(cast("ArmClient", arm), lambda name: f"/settings/as-{name}"), arm


def test_every_profile_is_read_once() -> None:
    default = '{"name":"Auto created default scale condition","for":"night"}'
    live, arm = autoscale(
        {"properties": {"profiles": [profile("default", 3), profile(default, 3), profile("night", 1)]}}
    )
    found = live.numbers("blue")
    assert arm.asked == [("/settings/as-blue", API_VERSION)]
    assert found is not None
    assert (found["autoscale.min"], found["autoscale.max"], found["autoscale.schedules.night.default"]) == (3, 10, 1)


def test_a_deployment_without_a_setting_has_no_numbers() -> None:
    assert autoscale(None)[0].numbers("blue") is None


@pytest.mark.parametrize(
    "answer",
    [CommandError("403"), {"properties": {}}, {"properties": {"profiles": [{"name": "default", "capacity": {}}]}}],
)
def test_an_answer_that_says_nothing_is_unavailable(answer: Any) -> None:
    with pytest.raises(UnavailableError):
        autoscale(answer)[0].numbers("blue")
