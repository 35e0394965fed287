"""The pull request that brings the weights of ended rollouts into the source branch."""

from __future__ import annotations

from typing import Any

import pytest

from delivery.stack_branch.record_request import RecordRequest
from git_server.port import PullRequest
from rollout.declaration.stack_text import WeightLines
from rollout.repository.git import Git
from rollout.split import Split
from tests.delivery.stack_branch.branches import STACK
from tests.rollout.repository.clones import Remote

pytestmark = pytest.mark.slow
GREEN = WeightLines(split=Split(traffic={"green": 100}), stable="green")


class Server:
    """Counts the pull requests that were opened or updated."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, str, str]] = []

    def open_or_update_pull_request(self, branch: str, base: str, title: str, body: str) -> PullRequest:
        self.asked.append((branch, base, title, body))
        return PullRequest(number=1, url="https://git/1", branch=branch, base=base, title=title)


def request_in(remote: Remote, name: str, server: Any) -> RecordRequest:
    checkout = remote.checkout(name, "--depth=1")
    return RecordRequest(Git(checkout.path, checkout.environment), server, stack="prod", source_branch="main")


def test_one_pull_request_has_the_weights_and_a_second_run_pushes_nothing(remote: Remote) -> None:
    server = Server()
    assert request_in(remote, "one", server).publish({"fraud-detection": GREEN}) is not None
    edited = STACK.replace("stable: blue, traffic: {blue: 100}", "stable: green, traffic: {blue: 0, green: 100}")
    assert remote.git("show", "record/prod:Pulumi.prod.yaml") == edited.strip()
    assert "[skip ci]" not in remote.git("log", "-1", "--format=%B", "record/prod")
    tip = remote.git("rev-parse", "record/prod")
    assert request_in(remote, "two", server).publish({"fraud-detection": GREEN}) is not None
    assert remote.git("rev-parse", "record/prod") == tip
    branch, base, title, body = server.asked[0]
    assert (branch, base, title) == ("record/prod", "main", "record(prod): weights as the rollouts left them")
    assert "`fraud-detection`: green 100 %, stable green" in body


def test_line_ends_of_the_stack_file_stay_as_they_are(remote: Remote) -> None:
    person = remote.checkout("person")
    (person.path / "Pulumi.prod.yaml").write_bytes(f"\n{STACK}\n".replace("\n", "\r\n").encode())
    person.git("commit", "--quiet", "--all", "-m", "From Windows")
    person.git("push", "--quiet", "origin", "HEAD:refs/heads/main")
    request_in(remote, "one", Server()).publish({"fraud-detection": GREEN})
    assert remote.git("diff", "--numstat", "main", "record/prod").split() == ["1", "1", "Pulumi.prod.yaml"]


def test_a_newer_source_branch_is_taken_along_without_force(remote: Remote) -> None:
    server = Server()
    request_in(remote, "one", server).publish({"fraud-detection": GREEN})
    remote.checkout("person").commit("README.md", "newer\n")
    request_in(remote, "two", server).publish({"fraud-detection": GREEN})
    assert remote.git("show", "record/prod:README.md") == "newer"
    assert len(remote.git("rev-list", "--parents", "-1", "record/prod").split()) == 3


@pytest.mark.parametrize(
    "left", [{}, {"fraud-detection": WeightLines(split=Split(traffic={"blue": 100}), stable="blue")}]
)
def test_nothing_is_asked_where_the_source_branch_has_the_weights(remote: Remote, left: Any) -> None:
    server = Server()
    assert request_in(remote, "one", server).publish(left) is None
    assert server.asked == []
    assert "record/prod" not in remote.git("branch", "--list")


def test_an_endpoint_that_the_source_branch_does_not_have_is_left_out(remote: Remote) -> None:
    assert request_in(remote, "one", Server()).publish({"gone": GREEN}) is None
