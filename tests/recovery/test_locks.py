"""Whose lock may go: a dead process's, and one that a pipeline took longer ago than a job lasts."""

import json
import os
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recovery.locks import CI_USERS, Lock, LockRule, Owner, read_lock

TAKEN = datetime(2026, 9, 1, 8, 0, tzinfo=UTC)
LIMIT = 165 * 60


def dead_process() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def here(pid: int, taken: datetime | None = None) -> Lock:
    return Lock("lock.json", pid, "ann", socket.gethostname(), taken or datetime.now(UTC))


def elsewhere(user: str = "runner", taken: datetime = TAKEN) -> Lock:
    return Lock("lock.json", 77, user, "fv-az1", taken)


def after(seconds: float, dead_after: float | None = LIMIT, users: str = CI_USERS) -> LockRule:
    """The rule so many seconds after `TAKEN`."""
    return LockRule(dead_after, frozenset(users.split(",")), lambda: TAKEN.timestamp() + seconds)


def test_a_process_that_is_gone_is_dead_at_once() -> None:
    assert LockRule().owner(here(dead_process())) is Owner.DEAD


def test_a_living_process_is_alive_however_old_its_lock_is() -> None:
    rule = LockRule(1, frozenset({"ann"}), lambda: datetime.now(UTC).timestamp() + 1e9)
    assert rule.owner(here(os.getpid())) is Owner.ALIVE


def test_a_number_that_a_later_process_got_is_dead() -> None:
    assert LockRule().owner(here(os.getpid(), datetime.now(UTC) - timedelta(days=30))) is Owner.DEAD


@pytest.mark.parametrize("user", ["runner", "vsts", "AzDevOps"])
def test_a_pipelines_lock_of_another_host_is_dead_once_it_is_older_than_any_job(user: str) -> None:
    assert after(LIMIT).owner(elsewhere(user)) is Owner.ELSEWHERE
    assert after(LIMIT + 1).owner(elsewhere(user)) is Owner.DEAD


@given(st.floats(min_value=-1e9, max_value=1e9), st.sampled_from(["ann", "Runner", "runner2", "root", ""]))
def test_a_persons_lock_of_another_host_never_dies_by_its_age(seconds: float, user: str) -> None:
    assert after(seconds).owner(elsewhere(user)) is Owner.ELSEWHERE


@given(st.floats(min_value=-1e9, max_value=1e9))
def test_without_an_age_no_lock_of_another_host_is_dead(seconds: float) -> None:
    assert after(seconds, dead_after=None).owner(elsewhere()) is Owner.ELSEWHERE


def test_a_clock_that_is_behind_kills_nothing() -> None:
    assert after(-LIMIT * 2).owner(elsewhere()) is Owner.ELSEWHERE


def test_a_team_names_the_users_of_its_own_agents() -> None:
    rule = LockRule.of({"SLUICE_CI_USERS": " agent, ,builder "}, LIMIT)
    assert rule.ci_users == {"agent", "builder"}
    assert LockRule.of({}, None).ci_users == {"runner", "vsts", "AzDevOps"}
    assert LockRule.of({"SLUICE_CI_USERS": ""}, LIMIT).ci_users == frozenset()


def test_the_advice_says_when_a_pipelines_lock_dies_and_why_a_persons_does_not() -> None:
    assert after(0).advice(elsewhere(), "dev") == (
        "A pipeline's lock counts as dead from 2026-09-01 10:45:00 UTC on: run this command again then."
    )
    said = after(0).advice(elsewhere("ann"), "dev")
    assert said.startswith("ann is not a user of pipelines (SLUICE_CI_USERS: AzDevOps, runner, vsts)")
    assert "pulumi cancel --stack dev" in said
    assert after(0, dead_after=None).advice(elsewhere("ann"), "dev").startswith("Look there; ")
    assert "--dead-after 165m" in after(0, dead_after=None).advice(elsewhere(), "dev")
    assert "--dead-after" not in after(0, dead_after=None).advice(elsewhere("ann"), "dev")


def test_a_lock_is_read_as_the_cli_writes_it() -> None:
    text = '{"pid":77,"username":"runner","hostname":"fv-az1","timestamp":"2026-09-01T10:00:00.123456789+02:00"}'
    lock = read_lock("a.json", text)
    assert (lock.pid, lock.user, lock.host) == (77, "runner", "fv-az1")
    assert lock.taken == TAKEN + timedelta(microseconds=123456)
    assert str(lock).startswith("runner@fv-az1, process 77, since 2026-09-01 10:00:00")


@pytest.mark.parametrize(
    "content",
    [
        *("{}", "[]", "7", '{"pid": "x", "timestamp": "now"}', '{"timestamp": 1}'),
        json.dumps({"pid": 1, "username": "a", "hostname": "b", "timestamp": "2026-09-01T10:00:00"}),
    ],
)
def test_a_lock_that_does_not_say_who_and_when_cannot_be_judged(content: str) -> None:
    lock = read_lock("a.json", content)
    assert after(1e9).owner(lock) is Owner.UNKNOWN
    assert str(lock) == "a.json, which names no owner"
