"""Delivery where `main` takes no pushes: each stack has a branch of its own, which pipelines alone write."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.pipelines.repository import git
from tests.pipelines.team import MODEL, Team, told

pytestmark = pytest.mark.integration


def test_a_rollout_runs_on_the_stacks_branch_while_main_is_protected(team: Callable[..., Team]) -> None:
    ours = team("github", stack_branches=True)
    ours.server.protect_main()
    request = ours.propose("better-model", "A better model", ours.adds_green())
    checks = ours.checks(request)
    assert [ended.code for ended in checks.values()] == [0] * len(checks), told(list(checks.values()))
    main = git(ours.server.origin, "rev-parse", "main").strip()
    delivered = ours.merges(request)
    assert ours.traffic("dev") == {"green": 100}, told(delivered)
    ahead = git(ours.server.origin, "rev-list", "--count", f"{main}..main").strip()
    assert ahead in ("1", "2"), "pipelines pushed to main"
    assert ours.events("dev", "sluice/dev")[-1]["data"]["outcome"] == "done", told(delivered)
    assert ours.events("dev") == []
    declared = git(ours.server.origin, "show", "sluice/dev:Pulumi.dev.yaml")
    assert "green: 100" in declared
    assert '"deployed": true' in git(ours.server.origin, "show", "sluice/dev:rollouts/dev/source.json")
    assert not git(ours.server.origin, "ls-tree", "sluice/dev", ".github")

    (record,) = [each for each in ours.server.pull_requests if each.branch == "record/dev"]
    tip = git(ours.server.origin, "rev-parse", "sluice/dev").strip()
    delivered = ours.merges(record)
    assert "green: 100" in git(ours.server.origin, "show", "main:Pulumi.dev.yaml")
    assert ours.traffic("dev") == {"green": 100}, told(delivered)
    assert git(ours.server.origin, "rev-list", "--count", f"{tip}..sluice/dev").strip() != "0"
    assert ours.promotion() is not None, told(delivered)
    assert MODEL in (ours.promotion() or record).title
