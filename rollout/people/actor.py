"""Who acts on a rollout: the person at a terminal, or the person behind a run of a pipeline.

The record names an actor with every event of a person. On a laptop it is the git user. In a pipeline it is the account
that started the run, from the variables that GitHub Actions and Azure Pipelines set (documented: "Variables reference"
of GitHub Actions, "Use predefined variables" of Azure Pipelines). An approval needs more than an account that can push:
see `approver`. This module reads no clock and writes nothing.
"""

from __future__ import annotations

import getpass
import os
import socket
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from command_errors import UsageError
from git_server.pipeline_run import pipeline_run
from git_server.port import Approval
from git_server.selection import git_server

BOT_SUFFIX = "[bot]"
BOTS = frozenset({"github-actions", "dependabot", "microsoft.visualstudio.services.tfs"})
"""Accounts that are no person and do not say so in their name; the last one runs what Azure Pipelines schedules."""
BUILD_SERVICE = "build service ("
"""Part of the name of Azure Pipelines' own account: `<project> Build Service (<organization>)`."""
STARTED_BY_A_PERSON = frozenset({"workflow_dispatch", "manual"})
"""How a run starts when a person asks for it: GITHUB_EVENT_NAME, and BUILD_REASON in lower case."""

ReadReviews = Callable[[Mapping[str, str]], Sequence[Approval]]
"""Reads the review history of the run that these variables describe."""


@dataclass(frozen=True, kw_only=True)
class Actor:
    """Who acts. `run` is the address of the pipeline's run; `dispatched`: a person started that run by hand."""

    name: str
    run: str | None = None
    dispatched: bool = True
    unreviewed: bool = False

    @property
    def is_bot(self) -> bool:
        """Whether the account is a program."""
        name = self.name.lower()
        return name.endswith(BOT_SUFFIX) or name in BOTS or BUILD_SERVICE in name

    def __str__(self) -> str:
        return self.name


def actor_of(variables: Mapping[str, str], project: Path) -> Actor:
    """The account that runs this command. Raises UsageError if a laptop's git knows no user."""
    if _is_github(variables):
        return _github_actor(variables)
    if _is_azure_pipelines(variables):
        return _azure_pipelines_actor(variables)
    return Actor(name=_git_user(project))


def actor_of_way_back(variables: Mapping[str, str], project: Path) -> Actor:
    """The same; where git knows no user, the account on this machine: a way back must not wait for git's settings."""
    try:
        return actor_of(variables, project)
    except UsageError:
        return Actor(name=f"{_account()} on {socket.gethostname()} (git knows no user)")


def approver(
    variables: Mapping[str, str],
    project: Path,
    *,
    started_by: str,
    verb: str,
    read_reviews: ReadReviews | None = None,
) -> Actor:
    """The person who says yes or no (`verb` is "approve" or "reject").

    In a pipeline it is the person in the run's review history. A run without a review counts for the account that
    dispatched it, if that is a person other than the author of `started`; the answer is then marked `unreviewed`.
    Raises UsageError for a bot and for a run without such a person, UnavailableError if the history cannot be read.
    """
    actor = actor_of(variables, project)
    if not (_is_github(variables) or _is_azure_pipelines(variables)):
        if actor.is_bot:
            raise UsageError(
                f"`{verb}` needs a person, and the git user {actor.name} is a bot. Set git's user.name to your name, "
                f"or let a person run this command."
            )
        return actor
    person = _reviewer((read_reviews or read_run_reviews)(variables))
    if person is not None:
        return Actor(name=person, run=actor.run)
    if not actor.is_bot and actor.dispatched and actor.name != started_by:
        return Actor(name=actor.name, run=actor.run, unreviewed=True)
    raise UsageError(_no_person(actor, started_by=started_by, verb=verb))


def _no_person(actor: Actor, *, started_by: str, verb: str) -> str:
    if actor.is_bot:
        why = f"this run was started by {actor.name}, which is a bot"
    elif not actor.dispatched:
        why = f"this run was not started by hand (its account is {actor.name})"
    else:
        why = f"{actor.name} also started the rollout ({started_by})"
    return (
        f"`{verb}` needs a person: no reviewer has approved this run, and {why}. Run it in an environment with "
        "required reviewers, or let another person dispatch the run."
    )


def _is_github(variables: Mapping[str, str]) -> bool:
    return variables.get("GITHUB_ACTIONS") == "true"


def _is_azure_pipelines(variables: Mapping[str, str]) -> bool:
    return variables.get("TF_BUILD", "").lower() == "true"


def _github_actor(variables: Mapping[str, str]) -> Actor:
    """GITHUB_TRIGGERING_ACTOR also names the person who runs a run again; GITHUB_ACTOR stays the first one."""
    name = variables.get("GITHUB_TRIGGERING_ACTOR") or variables.get("GITHUB_ACTOR")
    if not name:
        raise UsageError("this run of GitHub Actions names no account: GITHUB_ACTOR is not set. Pass it to the step.")
    server, repository, run = (variables.get(f"GITHUB_{part}", "") for part in ("SERVER_URL", "REPOSITORY", "RUN_ID"))
    return Actor(
        name=name,
        run=f"{server}/{repository}/actions/runs/{run}" if run else None,
        dispatched=variables.get("GITHUB_EVENT_NAME") in STARTED_BY_A_PERSON,
    )


def _azure_pipelines_actor(variables: Mapping[str, str]) -> Actor:
    name = variables.get("BUILD_REQUESTEDFOREMAIL") or variables.get("BUILD_REQUESTEDFOR")
    if not name:
        raise UsageError(
            "this run of Azure Pipelines names no account: BUILD_REQUESTEDFOR is not set. Pass it to the step."
        )
    collection, team_project, build = (
        variables.get(part, "") for part in ("SYSTEM_COLLECTIONURI", "SYSTEM_TEAMPROJECT", "BUILD_BUILDID")
    )
    return Actor(
        name=name,
        run=f"{collection}{team_project}/_build/results?buildId={build}" if build else None,
        dispatched=variables.get("BUILD_REASON", "").lower() in STARTED_BY_A_PERSON,
    )


def _git_user(project: Path) -> str:
    name, email = (_git_setting(project, f"user.{part}") for part in ("name", "email"))
    if not name and not email:
        raise UsageError(
            "the record names who acts, and git knows no user here. Set one: git config --global user.name 'Your "
            "Name', and user.email."
        )
    return f"{name} <{email}>" if name and email else name or email


def _account() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # the user id has no entry, as in some containers
        return f"user {os.getuid()}"


def _git_setting(project: Path, key: str) -> str:
    command = ["git", "-C", str(project), "config", "--get", key]
    try:
        return subprocess.run(command, capture_output=True, text=True, errors="replace").stdout.strip()
    except OSError:
        return ""


def _reviewer(reviews: Sequence[Approval]) -> str | None:
    """The last person who approved the run; reviews of bots do not count."""
    for review in reversed(reviews):
        if review.state == "approved" and review.user and not (review.is_bot or Actor(name=review.user).is_bot):
            return review.user
    return None


def read_run_reviews(variables: Mapping[str, str]) -> Sequence[Approval]:
    """What reviewers said to this run, on the git server that its variables name.

    GitHub needs GITHUB_TOKEN with the permission `actions: read`, Azure Pipelines SYSTEM_ACCESSTOKEN. Raises UsageError
    if the token is missing or refused, UnavailableError if the server does not answer.
    """
    server, run = git_server(variables), pipeline_run(variables).id
    if server is None or run is None:
        raise UsageError(
            "the review history of this run cannot be read: the run has no id (GITHUB_RUN_ID, BUILD_BUILDID). Pass it "
            "to the step."
        )
    return server.approvals(run)
