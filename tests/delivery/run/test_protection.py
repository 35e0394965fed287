"""Environments without a branch policy are refused; a way back does not wait for a server that is silent."""

from __future__ import annotations

import pytest

from command_errors import UsageError
from delivery.run.protection import (
    require_branch_policy,
    require_branch_policy_for_a_way_back,
    rollback_environment,
)
from git_server.port import Environment, GitServerRefused, GitServerUnreachable
from tests.git_server.memory import MemoryServer


def test_only_an_environment_with_a_branch_policy_may_change_a_stack() -> None:
    server = MemoryServer(
        environments={
            "dev": Environment(name="dev", has_branch_policy=True, has_reviewers=False),
            "prod": Environment(name="prod", has_branch_policy=False, has_reviewers=True),
        }
    )
    require_branch_policy(server, "dev")
    with pytest.raises(UsageError, match="the environment prod lets every branch deploy"):
        require_branch_policy(server, "prod")
    with pytest.raises(UsageError, match="the environment test does not exist"):
        require_branch_policy(server, "test")


def test_a_way_back_goes_on_where_nobody_knows_the_policy_and_not_without_a_policy() -> None:
    said: list[str] = []
    server = MemoryServer(refuses={"environment": GitServerUnreachable("GitHub does not answer.")})
    require_branch_policy_for_a_way_back(server, "prod", said.append)
    assert said[0].endswith("policy of prod could not be read: GitHub does not answer.")
    forbidden = GitServerRefused("GitHub answered 403.", status=403)
    require_branch_policy_for_a_way_back(MemoryServer(refuses={"environment": forbidden}), "prod", said.append)
    assert said[1].endswith("GitHub answered 403.")
    with pytest.raises(UsageError):
        require_branch_policy_for_a_way_back(MemoryServer(), "prod", said.append)


def test_azure_pipelines_goes_back_in_an_environment_without_the_lock_of_deliveries() -> None:
    assert rollback_environment("prod", "azure-devops") == "prod-rollback"
    assert rollback_environment("prod", "github") == "prod"
