"""A rollout in pipelines, as docs/rollouts.md describes it: each run is a fresh clone, and the push is the lock."""

import http.server
import json
import subprocess
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from endpoint_client.load import Load
from tests.integration.drill import callers
from tests.integration.rehearsal import MODEL, ROOT, SLUICE, Azure, Stack, copy_project

pytestmark = pytest.mark.integration

PLAN = {
    "steps": [
        {"weight": 10, "bake": "4s"},
        {"weight": 50, "bake": "4s", "approve": True},
        {"weight": 100, "bake": "4s"},
    ],
    "gates": {"error_rate": {"max": 0.02, "vs_stable": 1.5}},
    "min_requests": 20,
}
GITHUB = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_SERVER_URL": "https://github.com",
    "GITHUB_REPOSITORY": "acme/models",
    "GITHUB_RUN_ID": "77",
    "GITHUB_TOKEN": "secret",
    "GITHUB_ACTOR": "github-actions[bot]",
    "GITHUB_EVENT_NAME": "workflow_dispatch",
}


class Reviews(http.server.BaseHTTPRequestHandler):
    """GitHub, which knows that bo has approved run 77."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps([{"state": "approved", "user": {"login": "bo", "type": "User"}}]).encode())

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def github() -> Iterator[str]:
    server = http.server.HTTPServer(("127.0.0.1", 0), Reviews)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def load(simulated_azure: Azure) -> Iterator[Load]:
    with callers(Stack(simulated_azure, "dev")) as load:
        yield load


@dataclass
class Pipelines:
    """Runs of pipelines on one repository."""

    stack: Stack
    origin: Path
    folder: Path
    runs: int = 0

    def clone(self) -> Path:
        """A fresh clone of depth 1, with the packages that `make setup` installs."""
        self.runs += 1
        clone = self.folder / f"run-{self.runs}"
        git(self.folder, "clone", "-q", "--depth", "1", f"file://{self.origin}", str(clone))
        (clone / ".venv").symlink_to(ROOT / ".venv")
        return clone

    def run(self, *words: str, expect: int, **variables: str) -> "subprocess.CompletedProcess[str]":
        """One run: `sluice rollout ...` in a fresh clone."""
        clone = self.clone()
        identity = {f"GIT_{role}_{part}": "ci" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")}
        done = subprocess.run(
            [str(SLUICE), "rollout", *words, "--stack", self.stack.name],
            cwd=clone,
            env={
                **self.stack.environment,
                **GITHUB,
                **identity,
                **variables,
                "PULUMI_OPTION_CONFIG_FILE": str(clone / "Pulumi.dev.yaml"),
            },
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
        )
        assert done.returncode == expect, done.stdout + done.stderr
        assert git(clone, "status", "--porcelain") == ""
        return done

    def pushed(self, path: str) -> str:
        """A file on the branch."""
        return git(self.origin, "show", f"main:{path}")

    def events(self) -> list[Mapping[str, Any]]:
        """The events of the only record on the branch."""
        (name,) = git(self.origin, "ls-tree", "-r", "--name-only", "main", "--", "rollouts").split()
        return [json.loads(line) for line in self.pushed(name).splitlines()]


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def pipelines(simulated_azure: Azure, tmp_path: Path) -> Pipelines:
    """The dev stack, settled, whose file is in a repository with a plan of seconds."""
    stack = Stack(simulated_azure, "dev")
    stack.edit(lambda config: config["sluice:rollout"][MODEL].update(plan=PLAN))
    work = copy_project(tmp_path / "work")
    (work / "Pulumi.dev.yaml").write_text(stack.file.read_text())
    (work / ".gitignore").write_text((ROOT / ".gitignore").read_text() + ".venv\n")
    git(work, "init", "-q", "-b", "main")
    git(work, "add", ".")
    git(work, "-c", "user.name=ana", "-c", "user.email=ana@example.com", "commit", "-qm", "first")
    git(tmp_path, "clone", "-q", "--bare", str(work), str(tmp_path / "origin.git"))
    return Pipelines(stack, tmp_path / "origin.git", tmp_path)


def test_each_run_goes_on_in_a_fresh_clone_and_a_reviewer_approves(
    pipelines: Pipelines, load: Load, github: str
) -> None:
    step = ("step", "--all", "--for", "3m", "--commit", "--push")
    pipelines.run("start", MODEL, "--commit", "--push", expect=0, GITHUB_ACTOR="ana")
    asked = pipelines.run(*step, expect=3)
    assert "needs an approval" in asked.stdout
    assert pipelines.events()[-1]["kind"] in ("approval_requested", "held")
    assert pipelines.stack.live_traffic() == {"blue": 90, "green": 10}

    pipelines.run("approve", MODEL, "--push", "--reason", "looks fine", expect=0, GITHUB_API_URL=github)
    (approved,) = [event["data"] for event in pipelines.events() if event["kind"] == "approved"]
    assert (approved["by"], approved["unreviewed"]) == ("bo", False)
    assert approved["run"] == "https://github.com/acme/models/actions/runs/77"

    pipelines.run(*step, expect=0)
    ended = pipelines.events()[-1]
    assert (ended["kind"], ended["data"]["outcome"], ended["data"]["approved_by"]) == ("ended", "done", ["bo"])
    assert pipelines.stack.live_traffic() == {"green": 100}
    assert "stable: green" in pipelines.pushed("Pulumi.dev.yaml")
    assert load.total.failed == 0

    messages = git(pipelines.origin, "log", "--format=%B%x00", "main").split("\0")
    ours = [message.strip() for message in messages if message.strip().startswith("rollout(")]
    assert ours[0].startswith(f"rollout({MODEL}): done, green is stable")
    assert all("[skip ci]" in message for message in ours)
    assert pipelines.run(*step, expect=0).stderr.count("is under way") <= 1
