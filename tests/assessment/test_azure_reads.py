"""Reading Azure: in parallel up to a limit, with all failures in one error, and with retries when it throttles."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pulumi
import pytest

from assessment import azure_reads, live
from assessment.azure_reads import PAUSES_SECONDS, READS_AT_ONCE, AzureReadError, Read, ReadFailure, ask, require
from assessment.live import read_caller, read_stack
from tests.components.engine import FakeAzure, deploy

THROTTLED = (
    'invocation of x returned an error: request failed /x: Status=429 Code="TooManyRequests" Message="Slow down."'
)
GROUP = "azure-native:resources:getResourceGroup"
DEPLOYMENT = "azure-native:machinelearningservices:getOnlineDeployment"


def group_reads(azure: FakeAzure, count: int) -> dict[int, Read]:
    arguments = {"resourceGroupName": azure.names.resource_group}
    return {number: Read(what=f"group {number}", function=GROUP, arguments=arguments) for number in range(count)}


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
def ask_patiently(azure: FakeAzure, pauses: list[float]) -> Any:
    """Run `ask` in a running program, with a fake clock."""

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    def run(count: int) -> Mapping[int, Any]:
        answers: dict[int, Any] = {}
        deploy(lambda: answers.update(ask(group_reads(azure, count), pause=pause)), azure)
        return answers

    return run


def test_the_reads_of_a_round_are_side_by_side_and_no_more_than_the_bound(
    azure: FakeAzure, monkeypatch: pytest.MonkeyPatch
) -> None:
    running, most = 0, 0

    async def invoke(function: str, arguments: object, options: object) -> dict[str, Any]:
        nonlocal running, most
        running, most = running + 1, max(most, running + 1)
        await asyncio.sleep(0)
        running -= 1
        return {}

    monkeypatch.setattr(pulumi.runtime, "invoke_async", invoke)
    answers: dict[int, Any] = {}
    deploy(lambda: answers.update(ask(group_reads(azure, 3 * READS_AT_ONCE + 1))), azure)
    assert most == READS_AT_ONCE
    assert list(answers.values()) == [{}] * (3 * READS_AT_ONCE + 1)


@pytest.mark.parametrize("count", [1, 50])
def test_any_number_of_endpoints_takes_three_rounds(
    azure: FakeAzure, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    rounds: list[int] = []

    def counted(reads: Mapping[str, Read]) -> dict[str, Any]:
        rounds.append(len(reads))
        return azure_reads.ask(reads)

    monkeypatch.setattr(live, "ask", counted)
    azure.add_group(tags={"sluice:endpoint:former-dev": "former"})
    azure.add_workspace()
    declared = {f"e{number}-dev": ("blue", "green") for number in range(count)}
    for name in declared:
        azure.add_endpoint(name, traffic={"by-hand": 100})
        azure.add_deployment(name, "by-hand")
    deploy(lambda: (read_caller(), read_stack(azure.names, declared)), azure)
    caller, what_is_declared, what_that_told = rounds
    assert (caller, what_is_declared, what_that_told) == (1, 4 + 3 * count, 1 + count)


def test_a_throttled_read_is_asked_again_after_a_pause(
    azure: FakeAzure, ask_patiently: Any, pauses: list[float]
) -> None:
    azure.add_group()
    azure.failures_first[GROUP] = [THROTTLED] * 3
    answers = ask_patiently(2)
    assert [answer["name"] for answer in answers.values()] == [azure.names.resource_group] * 2
    assert pauses == list(PAUSES_SECONDS[:2])  # two of the three refusals came in the first round, one in the second


def test_a_service_that_stays_busy_is_a_failure_in_the_end(
    azure: FakeAzure, ask_patiently: Any, pauses: list[float]
) -> None:
    azure.failures[GROUP] = THROTTLED
    answers = ask_patiently(1)
    assert answers[0] == ReadFailure(
        what="group 0",
        reason='Status=429 Code="TooManyRequests" Message="Slow down."',
        status=429,
        code="TooManyRequests",
    )
    assert pauses == list(PAUSES_SECONDS)


def test_only_throttling_is_waited_for(azure: FakeAzure, ask_patiently: Any, pauses: list[float]) -> None:
    azure.failures[GROUP] = 'request failed /x: Status=403 Code="AuthorizationFailed" Message="No."'
    ask_patiently(1)
    assert pauses == []


def test_every_failure_is_in_the_error_and_a_repeated_reason_appears_once() -> None:
    def failure(what: str, reason: str) -> ReadFailure:
        return ReadFailure(what=what, reason=reason, status=None)

    answers = {
        1: failure("/rg", "connection refused"),
        2: failure("/ws", "connection refused"),
        3: {"name": "there"},
        4: failure("/endpoint", 'Status=403 Code="AuthorizationFailed" Message="No."'),
        5: failure("/other", "connection refused"),
    }
    with pytest.raises(AzureReadError) as caught:
        require(answers)
    assert str(caught.value).splitlines() == [
        "cannot read:",
        "  /rg and 2 others from Azure: connection refused.",
        '  /endpoint from Azure: Status=403 Code="AuthorizationFailed" Message="No.".',
        "What is live decides which change is allowed, so nothing was changed. Fix this (`sluice doctor` shows what is "
        "missing) and try again.",
    ]


def test_in_a_group_that_does_not_exist_nothing_can_fail(azure: FakeAzure) -> None:
    azure.failures[DEPLOYMENT] = 'request failed /x: Status=409 Code="MissingSubscriptionRegistration" Message="No."'
    found: list[Any] = []
    deploy(lambda: found.append(read_stack(azure.names, {"fraud-dev": ("blue",)})), azure)
    assert (found[0].location, found[0].workspace_exists) == (None, False)
