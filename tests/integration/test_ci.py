"""`sluice ci` on the real engine: a pull request is previewed, its merge delivered, its rollout approved and ended."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from endpoint_client.load import Load
from endpoint_client.request_file import read_bodies
from tests.git_server.rest_server import RestServer, rest_server
from tests.integration.rehearsal import MODEL, ROOT, SLUICE, Azure, Stack, copy_project

pytestmark = pytest.mark.integration

PLAN = {
    "steps": [
        {"weight": 10, "bake": "5s"},
        {"weight": 50, "bake": "5s", "approve": True},
        {"weight": 100, "bake": "5s"},
    ],
    "gates": {"error_rate": {"max": 0.02, "vs_stable": 1.5}},
    "min_requests": 20,
    "start": "auto",
}
API = "/repos/acme/models"
MARKER = "<!-- sluice:preview:sluice/dev -->"


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=ana", "-c", "user.email=ana@example.com"]
    done = subprocess.run(["git", *identity, "-C", str(folder), *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def github() -> Iterator[RestServer]:
    """GitHub: environments are protected, runs are started, and no run has a review yet."""
    with rest_server() as server:
        policy = {"deployment_branch_policy": {"protected_branches": True}, "protection_rules": []}
        server.says(f"GET {API}/environments/dev", policy)
        for name in ("deliver", "approve"):
            path = f"POST {API}/actions/workflows/sluice-{name}.yml/dispatches"
            server.says(path, {"workflow_run_id": 77, "html_url": f"https://github.com/acme/models/runs/{name}"})
        server.says(f"GET {API}/actions/runs/77/approvals", [])
        server.says(f"GET {API}/issues/7/comments?per_page=100", [])
        server.says(f"POST {API}/issues/7/comments", {"html_url": "https://github.com/acme/models/pull/7#c1"})
        yield server


@dataclass
class Runs:
    """Runs of pipelines: each is a fresh clone of depth 1."""

    stack: Stack
    github: RestServer
    folder: Path
    count: int = 0

    @property
    def origin(self) -> Path:
        return self.folder / "origin.git"

    def run(self, *words: str, expect: int, branch: str = "main", **variables: str) -> str:
        """`sluice ci ...` in a fresh clone; returns what it says."""
        self.count += 1
        clone = self.folder / f"run-{self.count}"
        git(self.folder, "clone", "-q", "--depth", "1", "--branch", branch, f"file://{self.origin}", str(clone))
        (clone / ".venv").symlink_to(ROOT / ".venv")
        (self.folder / "summary.md").write_text("")
        environment = {
            **self.stack.environment,
            "GITHUB_ACTIONS": "true",
            "GITHUB_SERVER_URL": "https://github.com",
            "GITHUB_API_URL": self.github.url,
            "GITHUB_REPOSITORY": "acme/models",
            "GITHUB_RUN_ID": "77",
            "GITHUB_TOKEN": "ghs_secret",
            "GITHUB_ACTOR": "ana",
            "GITHUB_EVENT_NAME": "push",
            "GITHUB_STEP_SUMMARY": str(self.folder / "summary.md"),
            "PULUMI_OPTION_CONFIG_FILE": str(clone / "Pulumi.dev.yaml"),
            **variables,
        }
        done = subprocess.run(
            [str(SLUICE), "ci", *words],
            cwd=clone,
            env=environment,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
        )
        said = done.stdout + done.stderr
        assert done.returncode == expect, said
        self.require_nothing_lost(clone, said)
        assert "ghs_secret" not in said + self.summary
        return said

    def require_nothing_lost(self, clone: Path, said: str) -> None:
        """Everything is committed, but for evidence: it is pushed every ten minutes, and read again from Azure."""
        for line in git(clone, "status", "--porcelain").splitlines():
            path = line.removeprefix(" M ")
            assert path.startswith("rollouts/"), f"{line}\n{said}"
            committed = git(clone, "show", f"HEAD:{path}")
            now = (clone / path).read_text()
            assert now.startswith(committed), f"{line}\n{said}"
            kinds = {json.loads(event)["kind"] for event in now.removeprefix(committed).splitlines()}
            assert kinds <= {"evidence", "observed", "metrics_error", "held", "released"}, f"{kinds}\n{said}"

    @property
    def summary(self) -> str:
        """The last job's summary."""
        return (self.folder / "summary.md").read_text()

    def edit(self, change: Any, branch: str = "main") -> None:
        """A person's commit that changes the stack file."""
        work = self.folder / "work"
        git(work, "fetch", "-q", "origin")
        git(work, "checkout", "-q", "-B", branch, "origin/main")
        file = work / "Pulumi.dev.yaml"
        document = yaml.safe_load(file.read_text())
        change(document["config"])
        file.write_text(yaml.safe_dump(document, sort_keys=False))
        git(work, "commit", "-qam", "change")
        git(work, "push", "-q", "--force", "origin", branch)

    def deliver_until(self, reached: Callable[[], Any]) -> str:
        """Runs of `deliver`, each of half a minute, until something is reached; returns what they say."""
        said = ""
        for _ in range(12):
            said += self.run("deliver", "--stack", "dev", "--for", "30s", expect=0)
            if reached():
                return said
        raise AssertionError(said)

    def events(self) -> list[Mapping[str, Any]]:
        """The events of the only record on the branch."""
        (name,) = git(self.origin, "ls-tree", "-r", "--name-only", "main", "--", "rollouts").split()
        return [json.loads(line) for line in git(self.origin, "show", f"main:{name}").splitlines()]

    def dispatches(self, name: str) -> list[Any]:
        return [body for request, body in self.github.asked if f"sluice-{name}.yml" in request]


@pytest.fixture
def runs(simulated_azure: Azure, github: RestServer, tmp_path: Path) -> Runs:
    """The dev stack, settled with blue only, and a repository that declares it so."""
    stack = Stack(simulated_azure, "dev")
    stack.edit(lambda config: config["sluice:rollout"][MODEL].update(plan=PLAN))
    stack.edit(lambda config: config["sluice:endpoints"][MODEL]["deployments"].pop("green", None))
    stack.engine.up()
    work = copy_project(tmp_path / "work")
    (work / "Pulumi.dev.yaml").write_text(stack.file.read_text())
    (work / ".gitignore").write_text((ROOT / ".gitignore").read_text() + ".venv\n")
    git(work, "init", "-q", "-b", "main")
    git(work, "add", ".")
    git(work, "commit", "-qm", "first")
    git(tmp_path, "clone", "-q", "--bare", str(work), str(tmp_path / "origin.git"))
    git(work, "remote", "add", "origin", str(tmp_path / "origin.git"))
    return Runs(stack, github, tmp_path)


@pytest.fixture
def load(runs: Runs, simulated_azure: Azure) -> Iterator[Load]:
    """Callers, who never pause."""
    uri, key = runs.stack.target()
    server = simulated_azure.home.require_server()
    bodies = read_bodies(ROOT / "models" / MODEL / "sample-request.json")
    load = Load(uri.replace(server.https, server.http), bodies, key=key, rate=30.0)
    thread = threading.Thread(target=lambda: asyncio.run(load.run()), daemon=True)
    thread.start()
    yield load
    load.stop()
    thread.join()


def add_green(config: dict[str, Any]) -> None:
    config["sluice:endpoints"][MODEL]["deployments"]["green"] = {"instances": 1}


def test_a_pull_request_is_previewed_merged_delivered_approved_and_done(runs: Runs, load: Load) -> None:
    pull = {"GITHUB_REF": "refs/pull/7/merge", "GITHUB_BASE_REF": "main"}
    runs.edit(add_green, branch="green")
    runs.run("preview", "--stack", "dev", "--comment", expect=0, branch="green", **pull)
    (text,) = [body["body"] for request, body in runs.github.asked if request == f"POST {API}/issues/7/comments"]
    assert text.startswith(f"{MARKER}\n")
    plain = re.sub(r"<[^>]*>", "", text)
    assert "green enters fraud-detection in dev at 0 %; nothing else changes." in plain
    assert "no rollout has proven it" in plain
    assert text.split("\n", 1)[1] in runs.summary

    runs.edit(add_green)
    said = runs.deliver_until(lambda: runs.dispatches("approve"))
    assert said.count("started 2") == 1
    assert runs.stack.live_traffic() == {"blue": 90, "green": 10}
    assert len(runs.dispatches("approve")) == 1
    (inputs,) = [body["inputs"] for body in runs.dispatches("approve")]
    assert (inputs["stack"], inputs["endpoint"], inputs["step"]) == ("dev", MODEL, "2")
    started = len(runs.dispatches("deliver"))
    assert started >= 1, "green had weight when the run ended"

    reviews = [{"state": "approved", "user": {"login": "bo", "type": "User"}, "environments": [{"name": "x"}]}]
    runs.github.answers[f"GET {API}/actions/runs/77/approvals"] = [(200, {}, reviews)]
    words = ("--rollout", inputs["rollout"], "--step", inputs["step"])
    runs.run("approve", MODEL, "--stack", "dev", *words, expect=0, GITHUB_EVENT_NAME="workflow_dispatch")
    assert len(runs.dispatches("deliver")) == started + 1

    runs.deliver_until(lambda: runs.events()[-1]["kind"] in ("ended", "retired"))
    ended = [event for event in runs.events() if event["kind"] == "ended"]
    assert [(event["data"]["outcome"], event["data"]["approved_by"]) for event in ended] == [("done", ["bo"])]
    assert runs.stack.live_traffic() == {"green": 100}
    assert len(runs.dispatches("approve")) == 1
    assert "stable: green" in git(runs.origin, "show", "main:Pulumi.dev.yaml")
    assert load.total.failed == 0

    before = git(runs.origin, "rev-parse", "main")
    runs.run("deliver", "--stack", "dev", expect=0)
    assert git(runs.origin, "rev-parse", "main") == before, "a delivery with nothing to do writes nothing"
    assert [event["kind"] for event in runs.events()].count("started") == 1


def test_weights_that_were_set_by_hand_stop_the_update(runs: Runs) -> None:
    runs.edit(add_green)
    endpoint = runs.stack.live_endpoint()
    endpoint["properties"]["traffic"] = {"blue": 0}
    status, _ = runs.stack.azure.request("PUT", runs.stack.endpoint_id, endpoint)
    assert status in (200, 201)
    said = runs.run("deliver", "--stack", "dev", expect=2)
    assert "the weights were changed by hand" in said
    assert "pulumi up --refresh --stack dev" in runs.summary
    assert "green" not in runs.stack.live_deployments()


def test_an_environment_without_a_branch_policy_is_refused(runs: Runs) -> None:
    runs.github.answers[f"GET {API}/environments/dev"] = [(200, {}, {"deployment_branch_policy": None})]
    runs.edit(add_green)
    assert "the environment dev lets every branch deploy" in runs.run("deliver", "--stack", "dev", expect=2)
    assert "green" not in runs.stack.live_deployments()


def test_a_local_preview_needs_no_login_and_compares_with_the_target_branch(runs: Runs) -> None:
    runs.edit(add_green, branch="green")
    bare = {name: "" for name in ("PULUMI_BACKEND_URL", "PULUMI_OPTION_CONFIG_FILE", "PULUMI_STACK")}
    file = runs.folder / "comment.md"
    pull = {"GITHUB_REF": "refs/pull/7/merge", "GITHUB_BASE_REF": "main"}
    runs.run(
        *("preview", "--stack", "dev", "--local", "--markdown", str(file)), expect=0, branch="green", **bare, **pull
    )
    text = re.sub(r"<[^>]*>", "", file.read_text())
    assert "preview on a local Azure" in text
    assert "green enters fraud-detection in dev at 0 %; nothing else changes." in text
