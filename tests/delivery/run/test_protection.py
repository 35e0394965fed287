"""Environments without a branch policy are refused; a way back does not wait for a server that is silent."""

from __future__ import annotations

import pytest

from command_errors import UsageError
from delivery.run.protection import (
    require_branch_policy,
    require_branch_policy_for_a_way_back,
    rollback_environment,
)
from git_server.port import Environment, GitServerUnreachable
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


def test_a_way_back_goes_on_without_an_answer_and_not_against_a_refusal() -> None:
    said: list[str] = []
    server = MemoryServer(refuses={"environment": GitServerUnreachable("GitHub does not answer.")})
    require_branch_policy_for_a_way_back(server, "prod", said.append)
    assert "the way back goes on: GitHub does not answer." in said[0]
    with pytest.raises(UsageError):
        require_branch_policy_for_a_way_back(MemoryServer(), "prod", said.append)


def test_azure_pipelines_goes_back_in_an_environment_without_the_lock_of_deliveries() -> None:
    assert rollback_environment("prod", "azure-devops") == "prod-rollback"
    assert rollback_environment("prod", "github") == "prod"
