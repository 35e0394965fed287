"""State in Azure Blob Storage (`azblob://`), with the unmodified Pulumi CLI on the local Azure's blob service."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from rollout.errors import EngineLocked, EngineUnavailable
from tests.integration.blob_state import READER, WRITER, BlobState

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BlobState]:
    found = BlobState(tmp_path_factory.mktemp("blob-state"))
    yield found
    found.stop()


def test_a_stack_lives_in_the_container_and_every_clone_sees_it(state: BlobState) -> None:
    first, second = state.runner("one"), state.runner("two")
    first.pulumi("stack", "init", "shared")
    first.pulumi("up", "--yes", "--stack", "shared")
    assert second.engine("shared").outputs() == {"served": "blue"}
    assert second.engine("shared").preview().is_empty
    second.environment["SERVED"] = "green"
    second.pulumi("up", "--yes", "--stack", "shared")
    assert first.engine("shared").outputs() == {"served": "green"}
    assert "shared" in first.pulumi("stack", "ls")
    assert state.locks("shared") == []


def test_a_second_runner_is_told_who_holds_the_lock_and_may_preview(state: BlobState) -> None:
    first, second = state.runner("holder"), state.runner("other")
    first.pulumi("stack", "init", "held")
    update = first.held_up("held")
    said = second.pulumi("up", "--yes", "--skip-preview", "--stack", "held", expect=1)
    assert "the stack is currently locked by 1 lock(s)" in said
    assert update.owner in said
    with pytest.raises(EngineLocked, match=r"sluice recover --stack held"):
        second.engine("held").up()
    second.pulumi("preview", "--stack", "held")
    assert "is running" in second.sluice("recover", "--stack", "held", expect=3)
    update.finish()
    assert state.locks("held") == []
    second.pulumi("up", "--yes", "--skip-preview", "--stack", "held")


def test_a_reader_previews_and_an_up_names_the_role_that_it_lacks(state: BlobState) -> None:
    runner = state.runner("reader")
    runner.pulumi("stack", "init", "read")
    runner.pulumi("up", "--yes", "--stack", "read")
    try:
        state.grant(READER)
        assert runner.engine("read").preview().is_empty
        assert runner.engine("read").export()["deployment"]
        crash = runner.pulumi("up", "--yes", "--skip-preview", "--stack", "read", expect=None)
        assert "fatal error. This is a bug!" in crash
        with pytest.raises(EngineUnavailable) as caught:
            runner.engine("read").up()
        assert "crashed while it wrote to the backend; nothing changed" in str(caught.value)
        assert "container state of storage account statestore" in str(caught.value)
        assert "Storage Blob Data Contributor" in str(caught.value)
    finally:
        state.grant(WRITER)
    assert state.locks("read") == []
    runner.pulumi("up", "--yes", "--skip-preview", "--stack", "read")


def test_recover_removes_the_lock_of_a_killed_update_and_the_next_one_finishes(state: BlobState) -> None:
    first, second = state.runner("killed"), state.runner("next")
    first.pulumi("stack", "init", "lost")
    first.held_up("lost").kill()
    assert len(state.locks("lost")) == 1
    with pytest.raises(EngineLocked):
        second.engine("lost").up()
    assert "removed the lock of a dead update" in second.sluice("recover", "--stack", "lost")
    assert state.locks("lost") == []
    second.pulumi("up", "--yes", "--skip-preview", "--stack", "lost")
    assert second.engine("lost").outputs() == {"served": "blue"}


def test_recover_without_the_writers_role_names_it_and_leaves_the_lock(state: BlobState) -> None:
    runner = state.runner("weak")
    runner.pulumi("stack", "init", "weak")
    runner.held_up("weak").kill()
    try:
        state.grant(READER)
        assert "role Storage Blob Data Contributor" in runner.sluice("recover", "--stack", "weak", expect=1)
        assert len(state.locks("weak")) == 1
    finally:
        state.grant(WRITER)
    runner.sluice("recover", "--stack", "weak")
    assert state.locks("weak") == []


def test_locks_of_other_hosts_are_dead_by_age_and_user_only(state: BlobState) -> None:
    runner = state.runner("judge")
    runner.pulumi("stack", "init", "far")
    old = (datetime.now(UTC) - timedelta(minutes=166)).strftime("%Y-%m-%dT%H:%M:%SZ")
    young = (datetime.now(UTC) - timedelta(minutes=10)).strftime("%Y-%m-%dT%H:%M:%SZ")
    after = ("recover", "--stack", "far", "--dead-after", "165m")

    state.put_lock("far", "runner", "fv-az1", old)
    assert "runner@fv-az1" in runner.sluice("recover", "--stack", "far", expect=3)
    assert "removed the lock of a dead update (runner@fv-az1" in runner.sluice(*after)

    state.put_lock("far", "runner", "fv-az2", young)
    said = runner.sluice(*after, expect=3)
    assert "runner@fv-az2" in said
    assert "counts as dead from" in said
    assert len(state.locks("far")) == 1

    state.put_lock("far", "ann", "laptop", old)
    runner.environment["SLUICE_CI_USERS"] = "agent"
    said = runner.sluice(*after, expect=3)
    assert "is not a user of pipelines (SLUICE_CI_USERS: agent)" in said
    assert len(state.locks("far")) == 2
