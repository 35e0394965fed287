"""Stories that end before Azure is asked: the pipelines refuse, and change nothing. No engine, no cloud.

`make test` runs those that are no `story`.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.pipelines.repository import git
from tests.pipelines.server import System
from tests.pipelines.team import MODEL, ROOT, Team, told

pytestmark = pytest.mark.slow
RECORD = f"rollouts/dev/{MODEL}/20260101T000000Z-green.jsonl"


@pytest.fixture(params=["github", "azure-devops"])
def ours(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Team]:
    """A team without an Azure, on each git server."""
    system: System = request.param
    made = Team(None, system, tmp_path)
    yield made
    made.narrative.save(request.node.name)
    made.close()


def checked(team: Team, title: str, edit: Callable[[Path], None]) -> Any:
    """The check of a pull request; previews would need an Azure."""
    event = team.server.pull_request_event(team.propose("x", title, edit))
    event.pipeline = "sluice-check"
    (ended,) = team.runner.run(event)
    team.narrative.jobs([ended])
    return ended


@pytest.mark.parametrize("ours", [pytest.param("github", marks=pytest.mark.story), "azure-devops"], indirect=True)
def test_an_environment_without_protection_delivers_and_rolls_back_nothing(ours: Team) -> None:
    for environment in ours.server.environments.values():
        environment.branch_policy = False
    main = ours.server.tip("main")
    delivered = ours.merges(ours.propose("better-model", "A better model", ours.adds_green()))
    assert [ended.code for ended in delivered] == [2, 2], told(delivered)
    assert all("lets every branch deploy" in ended.output for ended in delivered), told(delivered)
    ours.server.dispatch("sluice-rollback", by="bo", stack="dev", endpoint=MODEL, reason="a customer calls")
    rolled_back = ours.goes_on()
    assert [ended.code for ended in rolled_back] == [2], told(rolled_back)
    assert git(ours.server.origin, "rev-list", "--count", f"{main}..main").strip() == "1", "only the merge"


def test_a_record_in_a_pull_request_is_refused_and_a_new_colour_is_not(ours: Team) -> None:
    def forge(work: Path) -> None:
        (work / RECORD).parent.mkdir(parents=True)
        (work / RECORD).write_text('{"kind": "started"}\n')

    forged = checked(ours, "Everything is proven", forge)
    assert forged.code == 2, forged.output
    assert f"{RECORD}: only pipelines write below rollouts/" in forged.output
    honest = checked(ours, "A better model", ours.adds_green())
    assert honest.code == 0, honest.output
    assert '"dev"' in honest.output


@pytest.mark.story
def test_a_record_that_is_cut_or_of_another_stack_is_refused_too(ours: Team) -> None:
    whole = (ROOT / "tests" / "rollout" / "report" / "done.jsonl").read_text()

    def written(path: str, text: str) -> Callable[[Path], None]:
        def write(work: Path) -> None:
            (work / path).parent.mkdir(parents=True, exist_ok=True)
            (work / path).write_text(text)

        return write

    ours.server.merge(ours.propose("records", "What pipelines wrote", written(RECORD, whole)), by="bo")
    without_end = "".join(whole.splitlines(keepends=True)[:-1])
    foreign = RECORD.replace("rollouts/dev", "rollouts/prod")
    for path, text in ((RECORD, without_end), (foreign, whole)):
        refused = checked(ours, f"Another record: {path}", written(path, text))
        assert refused.code == 2, refused.output
        assert f"{path}: only pipelines write below rollouts/" in refused.output


@pytest.mark.story
def test_two_promotions_at_once_to_one_colour_end_in_a_conflict_or_in_a_refused_check(ours: Team) -> None:
    def promotes(release: str, before: str) -> Callable[[Path], None]:
        def write(work: Path) -> None:
            file = work / "Pulumi.prod.yaml"
            assert before in file.read_text()
            green = f"        green: {{release: {release * 16}}}\n"
            file.write_text(file.read_text().replace(before, green + before, 1))

        return write

    first, last = "        blue:\n", "  sluice:rollout:\n"
    promotions = [
        ours.propose(f"promote/prod/{place}", f"Promote {release}", promotes(release, before))
        for place, (release, before) in enumerate((("a", first), ("b", first), ("c", last)))
    ]
    ours.server.merge(promotions[0], by="bo")
    with pytest.raises(AssertionError, match=r"CONFLICT .*Pulumi\.prod\.yaml"):
        ours.server.pull_request_event(promotions[1])
    event = ours.server.pull_request_event(promotions[2])
    event.pipeline = "sluice-check"
    (refused,) = ours.runner.run(event)
    assert refused.code == 2, refused.output
    assert "green" in refused.output
    assert "Pulumi.prod.yaml" in refused.output


@pytest.mark.story
def test_a_fork_starts_no_job_that_has_an_identity(ours: Team) -> None:
    request = ours.propose("from-a-fork", "Green from outside", ours.adds_green(), fork=True)
    event = ours.server.pull_request_event(request)
    event.pipeline = "sluice-preview"
    assert ours.runner.run(event) == []
    request.fork = False
    event.pipeline = "sluice-preview-fork"
    assert ours.runner.run(event) == []
