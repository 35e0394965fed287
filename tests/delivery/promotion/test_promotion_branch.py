"""delivery/promotion/promotion_branch.py on real repositories: one branch, one pull request, and nothing twice."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest

from command_errors import WaitingError
from delivery.promotion import promotion_branch
from delivery.promotion.promote import plan_promotion
from delivery.promotion.promotion_branch import PromotionBranch, Published
from delivery.promotion.promotion_request import PromotionRequest
from delivery.proofs.remote_records import RemoteRecords
from delivery.proofs.verification import Verifier
from git_server.port import PullRequest
from rollout.errors import PushRefused
from rollout.repository import attempts
from tests.delivery.promotions import DEV, MODEL, PROD, RELEASE, FakeReleases, proven
from tests.delivery.records import HOST, ID, content_of
from tests.rollout.record.rollouts import T0
from tests.rollout.repository.clones import Checkout, Remote

pytestmark = pytest.mark.slow

REQUEST = PromotionRequest(endpoint=MODEL, source="dev", target="prod")
BRANCH = f"promote/prod/{MODEL}-{RELEASE.content[:8]}"


@dataclass
class Server:
    """Pull requests of a git server; the rest of `GitServer` is not asked."""

    opened: dict[str, PullRequest] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    bodies: list[str] = field(default_factory=list)

    def pull_request(self, branch: str) -> PullRequest | None:
        return self.opened.get(branch)

    def open_or_update_pull_request(self, branch: str, base: str, title: str, body: str) -> PullRequest:
        self.calls.append(f"{branch} -> {base}: {title}")
        self.bodies.append(body)
        number = len(self.calls)
        self.opened[branch] = PullRequest(
            number=number, url=f"https://git/{number}", branch=branch, base=base, title=title
        )
        return self.opened[branch]


@pytest.fixture
def remote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Remote:
    """Main has the two stack files and the record of dev."""
    monkeypatch.setattr(attempts, "PAUSE_SECONDS", 0.0)
    found = Remote(tmp_path, stack=PROD)
    seed = Checkout(tmp_path / "seed", found.environment)
    seed.commit("Pulumi.dev.yaml", DEV)
    record = f"rollouts/dev/{MODEL}/{ID}.jsonl"
    (seed.path / record).parent.mkdir(parents=True)
    seed.commit(record, content_of(proven()).decode())
    return found


@pytest.fixture
def runner(remote: Remote) -> Checkout:
    return remote.checkout("runner", "--depth=1")


def publish(checkout: Checkout, server: Server | None = None) -> Published:
    clone = RemoteRecords(checkout.path, checkout.environment)
    verifier = Verifier(files_of=clone.of, project="sluice", arm_host=HOST)
    plan = partial(
        plan_promotion,
        REQUEST,
        releases=FakeReleases(),
        verifier=verifier,
        target_files=clone.of_target,
        now=T0 + 10_000,
    )
    return PromotionBranch(clone, plan, server).publish()  # type: ignore[arg-type]  # only pull requests are asked for


def merge(seed: Checkout, *flags: str) -> None:
    """What a person does on the server."""
    seed.git("fetch", "--quiet", "origin")
    seed.git("reset", "--quiet", "--hard", "origin/main")
    seed.git("merge", "--quiet", *flags, f"origin/{BRANCH}")
    if "--squash" in flags:
        seed.git("commit", "--quiet", "-m", "Squashed")
    seed.git("push", "--quiet", "origin", "HEAD:refs/heads/main")


def test_a_promotion_is_one_commit_of_three_files_on_its_own_branch(remote: Remote, runner: Checkout) -> None:
    before = runner.files()
    published = publish(runner)
    assert (published.branch, published.pushed) == (BRANCH, True)
    changed = remote.git("diff", "--name-only", "main", BRANCH).splitlines()
    stem = f"models/{MODEL}/releases/{RELEASE.short}"
    assert changed == ["Pulumi.prod.yaml", f"{stem}.json", f"{stem}.proofs.jsonl"]
    assert remote.git("rev-parse", f"{BRANCH}^") == remote.git("rev-parse", "main")
    message = remote.git("log", "-1", "--format=%B", BRANCH)
    assert message.startswith(f"Promote {MODEL} {RELEASE.short} to prod as green\n")
    assert "[skip ci]" not in message  # its checks must run
    assert f"Proof: rollouts/dev/{MODEL}/{ID}.jsonl " in message
    assert runner.files() == before
    assert runner.git("status", "--porcelain") == ""


def test_the_branch_of_the_other_stack_comes_with_its_first_delivery_and_need_not_be_there(
    remote: Remote, runner: Checkout
) -> None:
    """Both stacks are delivered at the same time, and the first rollout may end before the other one has its branch."""
    runner.commit("Pulumi.prod.yaml", PROD.replace("config:\n", "config:\n  sluice:branch: sluice/prod\n"))
    assert publish(runner).pushed
    assert "green:" in remote.git("show", f"{BRANCH}:Pulumi.prod.yaml")


def test_a_second_run_pushes_nothing(remote: Remote, runner: Checkout) -> None:
    publish(runner)
    tip = remote.git("rev-parse", BRANCH)
    again = publish(remote.checkout("other"))
    assert (again.branch, again.pushed) == (BRANCH, False)
    assert remote.git("rev-parse", BRANCH) == tip


def test_what_a_reviewer_added_to_the_branch_stays(remote: Remote, runner: Checkout) -> None:
    server = Server()
    publish(runner, server)
    reviewer = remote.checkout("reviewer")
    reviewer.git("checkout", "--quiet", BRANCH)
    text = (reviewer.path / "Pulumi.prod.yaml").read_text().replace("instances: 3\n", "instances: 5\n")
    (reviewer.path / "Pulumi.prod.yaml").write_text(text)
    reviewer.git("commit", "--quiet", "-am", "More instances")
    reviewer.git("push", "--quiet", "origin", "HEAD")
    reviewer.git("checkout", "--quiet", "main")
    reviewer.commit("notes.md", "main goes on\n")

    assert not publish(runner, server).pushed
    assert "instances: 5\n" in remote.git("show", f"{BRANCH}:Pulumi.prod.yaml")
    assert len(server.calls) == 1


def test_a_pull_request_is_opened_once(remote: Remote, runner: Checkout) -> None:
    server = Server()
    first = publish(runner, server)
    second = publish(runner, server)
    assert server.calls == [f"{BRANCH} -> main: Promote {MODEL} {RELEASE.short} to prod as green"]
    assert "verified on main at" in server.bodies[0]
    assert first.pull_request == second.pull_request is not None


def test_a_run_that_was_killed_before_the_pull_request_is_finished_by_the_next(
    remote: Remote, runner: Checkout
) -> None:
    publish(runner)
    tip = remote.git("rev-parse", BRANCH)
    server = Server()
    published = publish(runner, server)
    assert (published.pushed, len(server.calls)) == (False, 1)
    assert remote.git("rev-parse", BRANCH) == tip


@pytest.mark.parametrize("flags", [("--no-ff",), ("--squash",)])
def test_a_promotion_that_was_merged_is_not_opened_again(remote: Remote, runner: Checkout, flags: tuple[str]) -> None:
    server = Server()
    publish(runner, server)
    merge(Checkout(remote.folder / "seed", remote.environment), *flags)
    server.opened.clear()
    published = publish(remote.checkout("later", "--depth=1"), server)
    assert (published.branch, published.pushed, len(server.calls)) == (None, False, 1)


@pytest.mark.parametrize("flags", [("--no-ff",), ("--squash",)])
@pytest.mark.parametrize("depth", [(), ("--depth=1",)])
def test_a_promotion_that_was_merged_and_reverted_begins_again(
    remote: Remote, runner: Checkout, flags: tuple[str], depth: tuple[str, ...]
) -> None:
    server = Server()
    publish(runner, server)
    seed = Checkout(remote.folder / "seed", remote.environment)
    merge(seed, *flags)
    seed.git("checkout", "--quiet", "HEAD~1", "--", "Pulumi.prod.yaml")
    seed.git("commit", "--quiet", "-m", "Revert the promotion")
    seed.git("push", "--quiet", "origin", "HEAD:refs/heads/main")
    server.opened.clear()

    published = publish(remote.checkout("later", *depth), server)
    assert (published.branch, published.pushed, len(server.calls)) == (BRANCH, True, 2)
    assert remote.git("diff", "--name-only", "main", BRANCH) == "Pulumi.prod.yaml"


def test_two_runners_at_once_make_one_branch(remote: Remote, runner: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other runner pushes between this one's look at origin and its push."""
    other = remote.checkout("other")
    other.environment = {**other.environment, "GIT_COMMITTER_NAME": "Grace"}
    require = PromotionBranch._require_committer
    waiting = [other]

    def raced(self: PromotionBranch) -> None:
        require(self)
        if waiting:
            publish(waiting.pop())

    monkeypatch.setattr(PromotionBranch, "_require_committer", raced)
    published = publish(runner)
    assert (published.branch, published.pushed) == (BRANCH, False)
    assert remote.git("rev-list", "--count", f"main..{BRANCH}") == "1"


def test_pushes_that_always_come_first_end_with_waiting(
    remote: Remote, runner: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(promotion_branch.Remote, "push", lambda *arguments: promotion_branch.Answer.RACED)
    with pytest.raises(WaitingError, match=r"5 times in a row\. Nothing was changed"):
        publish(runner)


def test_a_push_that_the_server_refuses_changes_nothing(remote: Remote, runner: Checkout) -> None:
    remote.hook("pre-receive", 'echo "GH013: promote/ is protected" >&2; exit 1')
    with pytest.raises(PushRefused, match="GH013: promote/ is protected"):
        publish(runner, server := Server())
    assert server.calls == []


def test_a_project_in_a_folder_of_its_repository_is_changed_there(tmp_path: Path) -> None:
    remote = Remote(tmp_path)
    seed = Checkout(tmp_path / "seed", remote.environment)
    for name, text in (
        ("Pulumi.prod.yaml", PROD),
        ("Pulumi.dev.yaml", DEV),
        (f"rollouts/dev/{MODEL}/{ID}.jsonl", content_of(proven()).decode()),
    ):
        (seed.path / "ml" / name).parent.mkdir(parents=True, exist_ok=True)
        seed.commit(f"ml/{name}", text)
    runner = remote.checkout("runner")
    publish(Checkout(runner.path / "ml", remote.environment))
    changed = remote.git("diff", "--name-only", "main", BRANCH).splitlines()
    assert {path.split("/")[0] for path in changed} == {"ml"}
    assert len(changed) == 3
