"""A rollout on the real engine that a test holds, disturbs and kills: its stack lies in a clone of a bare repository.

Three things hold it at a moment. A hook of the bare repository keeps a push waiting, before or after it took effect, by
the last line of the record that is pushed. A fault of the local Azure keeps a request or an operation waiting. A `git`
on PATH keeps a command of the clone waiting.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from endpoint_client.load import Load
from endpoint_client.request_file import read_bodies
from rehearsal.faults import add_fault
from rollout.engine import PulumiEngine
from tests.integration.moments import Moment
from tests.integration.rehearsal import MODEL, ROOT, SLUICE, Stack, processes_with
from tests.waiting import wait_until

ENDPOINTS = "microsoft.machinelearningservices/workspaces/onlineEndpoints"
BLUE, TEN, HALF, GREEN = {"blue": 100}, {"blue": 90, "green": 10}, {"blue": 50, "green": 50}, {"green": 100}
STEPS = (TEN, HALF, GREEN)
PLAN = {
    "steps": [{"weight": weight, "bake": "4s"} for weight in (10, 50, 100)],
    "gates": {"error_rate": {"max": 0.02, "vs_stable": 1.5}},
    "min_requests": 20,
}
RATE = 50.0
BAD_PERCENT = 35
"""Too few errors for the tripwire, so that settled intervals decide."""
AUTOSCALE = {"min": 1, "max": 5, "default": 1}
TAKES_EFFECT, TOOK_EFFECT = "pre-receive", "post-receive"
"""When a push is held."""
FORWARD = "forward"
"""A push whose last line is the intent of a step; other pushes are named by the kind of their last line."""
HOOK = r"""#!/bin/sh
when=$(basename "$0")
while read -r old new ref; do
  record=$(git ls-tree -r --name-only "$new" | grep '\.jsonl$' | tail -n 1)
  last=$(git show "$new:$record" | tail -n 1)
  kind=$(printf '%s' "$last" | sed -n 's/.*"kind":"\([a-z_]*\)".*/\1/p')
  case "$last" in *'"direction":"forward"'*) [ "$kind" = intent ] && kind=forward ;; esac
  if [ -e "hold-$when-$kind" ]; then
    printf '%s' "$last" > held.new && mv held.new held
    while [ -e held ]; do sleep 0.05; done
  fi
done
"""

GIT = r"""#!/bin/sh
for word in "$@"; do
  if [ -e "{folder}/hold-$word" ]; then
    last=$(cat "$2"/rollouts/*/*/*.jsonl 2>/dev/null | tail -n 1)
    case "$last" in *"$(cat "{folder}/hold-$word")"*)
      touch "{folder}/held"
      while [ -e "{folder}/held" ]; do sleep 0.05; done ;;
    esac
  fi
done
exec "{git}" "$@"
"""


class HeldGit:
    """The `git` of the controller, which holds a command while the last line of the record contains certain words."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self._folder = folder
        folder.mkdir()
        wrapper = folder / "git"
        wrapper.write_text(GIT.format(folder=folder, git=shutil.which("git", path=environment["PATH"])))
        wrapper.chmod(0o755)
        environment["PATH"] = f"{folder}{os.pathsep}{environment['PATH']}"

    def hold(self, command: str, last: str) -> None:
        """From now on, hold every run of a command of git, such as `fetch`."""
        (self._folder / f"hold-{command}").write_text(last)

    def held(self, process: subprocess.Popen[Any]) -> bool:
        """Whether a command is held; False if the process ends before one is."""
        held = self._folder / "held"
        wait_until(lambda: held.exists() or process.poll() is not None, "neither is git held nor has it ended", 0.1)
        return held.exists()

    def let_go(self) -> None:
        """Let the held command go on, and hold none any more."""
        for mark in self._folder.glob("hold-*"):
            mark.unlink()
        (self._folder / "held").unlink(missing_ok=True)


class Origin:
    """The bare repository that every clone pushes to, with hooks that hold a push."""

    def __init__(self, path: Path, environment: dict[str, str]) -> None:
        self.path = path
        git(path.parent, environment, "init", "--quiet", "--bare", "--initial-branch=main", str(path))
        for when in (TAKES_EFFECT, TOOK_EFFECT):
            hook = path / "hooks" / when
            hook.parent.mkdir(exist_ok=True)
            hook.write_text(HOOK)
            hook.chmod(0o755)

    def hold(self, when: str, kind: str) -> None:
        """From now on, hold every push of this kind."""
        (self.path / f"hold-{when}-{kind}").touch()

    def held(self, process: subprocess.Popen[Any]) -> dict[str, Any] | None:
        """The last line of the record in the push that is held; None if the process ends before one is."""
        held = self.path / "held"
        wait_until(lambda: held.exists() or process.poll() is not None, "neither is a push held nor has it ended", 0.1)
        return dict(json.loads(held.read_text())) if held.exists() else None

    def release(self) -> None:
        """Let the held push go on; later ones are held again."""
        (self.path / "held").unlink(missing_ok=True)

    def spare_others(self) -> None:
        """Hold no push any more but the one that is held."""
        for mark in self.path.glob("hold-*"):
            mark.unlink()

    def let_go(self, *, keep: tuple[str, str] | None = None) -> None:
        """Let the held push go on, and hold nothing any more but pushes of one kind."""
        for mark in self.path.glob("hold-*"):
            if keep is None or mark.name != f"hold-{keep[0]}-{keep[1]}":
                mark.unlink()
        self.release()


class Drill:
    """One rollout of green, and callers who never pause."""

    def __init__(self, stack: Stack, folder: Path, plan: dict[str, Any]) -> None:
        self.stack = stack
        self.folder = folder
        identity = folder / "gitconfig"
        identity.write_text("[user]\nname = Ada\nemail = ada@example.com\n")
        stack.environment |= {"GIT_CONFIG_GLOBAL": str(identity), "GIT_CONFIG_NOSYSTEM": "1"}
        self.origin = Origin(folder / "origin.git", stack.environment)
        self.local_git = HeldGit(folder / "bin", stack.environment)
        stack.edit(lambda config: config["sluice:rollout"][MODEL].update(plan=plan))
        text = stack.file.read_text()
        first = self._cloned("first")
        (first / stack.file.name).write_text(text)
        self.git("add", ".")
        self.git("commit", "--quiet", "-m", "The stack")
        self.git("push", "--quiet", "origin", "HEAD:refs/heads/main")
        self.began: list[subprocess.Popen[str]] = []

    def git(self, *arguments: str) -> str:
        return git(self.stack.file.parent, self.stack.environment, *arguments)

    def _cloned(self, name: str, *flags: str) -> Path:
        target = self.folder / name
        git(self.folder, self.stack.environment, "clone", "--quiet", *flags, f"file://{self.origin.path}", str(target))
        stack = self.stack
        stack.file = target / stack.file.name
        stack.environment |= {"PULUMI_OPTION_CONFIG_FILE": str(stack.file)}
        stack.engine = PulumiEngine(stack.project, stack.name, stack.environment)
        if not flags:
            git(target, stack.environment, "symbolic-ref", "HEAD", "refs/heads/main")
        return target

    def clone(self) -> None:
        """Go on from a fresh, shallow clone of what was pushed."""
        self._cloned(f"clone-{len(list(self.folder.glob('clone-*')))}", "--depth=1")

    @property
    def record(self) -> Path:
        (record,) = (self.stack.file.parent / "rollouts").rglob("*.jsonl")
        return record

    def tear_record(self) -> None:
        """What a crash leaves that cuts off the record's last line."""
        with self.record.open("a") as file:
            file.write('{"at":"2026-11-28T14:0')

    def unwrite_stack_file(self) -> None:
        """What a crash leaves that came before the stack file was replaced."""
        self.git("checkout", "--", self.stack.file.name)

    def forget_applied(self) -> None:
        """What a crash leaves that came before `applied` was written."""
        lines = self.record.read_text().splitlines(keepends=True)
        at = max(number for number, line in enumerate(lines) if '"kind":"applied"' in line)
        self.record.write_text("".join(lines[:at]))

    # Processes

    def run(self) -> subprocess.Popen[str]:
        """`sluice rollout run`, under way."""
        with self.stack.file.with_name("run.log").open("w") as log:
            process = subprocess.Popen(
                [str(SLUICE), "rollout", "run", MODEL, "--stack", self.stack.name, "--commit", "--push"],
                cwd=self.stack.project,
                env=self.stack.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                text=True,
            )
        self.began.append(process)
        return process

    def said(self) -> str:
        return self.stack.file.with_name("run.log").read_text()

    def kill_controller(self) -> None:
        process = self.began[-1]
        process.kill()
        process.wait()

    def kill_engine(self) -> None:
        """Kill -9 the CLI that updates this stack; the language host, the program and plugins end after it."""
        found = self._engines()
        assert found, "no engine is under way"
        for pid in found:
            _kill(pid)

    def _engines(self) -> list[int]:
        found = processes_with(f"PULUMI_OPTION_CONFIG_FILE={self.folder}")
        return [pid for pid, command in found.items() if Path(command.split()[0]).name == "pulumi"]

    def step(self) -> None:
        """One tick, as a pipeline's command; how it ends, the record says."""
        self.stack.sluice("rollout", "step", MODEL, "--stack", self.stack.name, "--commit", "--push", expect=None)

    def close(self) -> None:
        self.local_git.let_go()
        self.origin.let_go()
        for process in self.began:
            process.kill()
            process.wait()
        for pid in self._engines():  # an update that outlived its controller would change the Azure of the next test
            _kill(pid)
        wait_until(lambda: not processes_with(str(self.folder)), "processes of a drill that do not end")

    # What is disturbed

    def put(self, kind: str, **scope: Any) -> Moment:
        """A fault on requests that set the endpoint's weights, active during a `with` block."""
        return self.stack.azure.moment(kind, type=ENDPOINTS, method="PUT", **scope)

    def fault(self, kind: str, **scope: Any) -> None:
        """A fault that stays."""
        add_fault(self.stack.azure.home, kind=kind, **scope)

    @property
    def endpoint_name(self) -> str:
        return self.stack.names.endpoint(MODEL)

    def let_green_fail(self) -> None:
        self.fault("errors", name=f"{self.endpoint_name}/green", share_percent=BAD_PERCENT)

    def let_autoscale(self) -> None:
        """Give both colours an autoscale, and push that."""
        for colour in ("blue", "green"):
            self.stack.deployment(colour, sku="Standard_DS3_v2", autoscale=AUTOSCALE)
        self.stack.engine.up()
        self.git("commit", "--quiet", "--all", "-m", "Autoscale")
        self.git("push", "--quiet", "origin", "HEAD:refs/heads/main")

    def turn_bad(self, process: subprocess.Popen[str]) -> None:
        """Let the held step go on, and let green fail from the moment at which Azure accepts its weights."""
        with self.put("hold", when="after", count=1) as accepted:
            self.origin.release()
            if accepted.reached(process):
                self.let_green_fail()

    def follow(self, process: subprocess.Popen[str], at_step: Callable[[int], None]) -> int:
        """Call `at_step` once for each step, before its intent has reached origin; return the exit code."""
        self.origin.hold(TAKES_EFFECT, FORWARD)
        seen: set[int] = set()
        while (intent := self.origin.held(process)) is not None:
            step = intent["data"]["step"]
            if step not in seen:
                seen.add(step)
                at_step(step)
            else:
                self.origin.release()
        return process.wait()

    # What came of it

    def events(self) -> list[dict[str, Any]]:
        """The events of the last record."""
        files = sorted((self.stack.file.parent / "rollouts" / self.stack.name / MODEL).glob("*.jsonl"))
        return [json.loads(line) for line in files[-1].read_text().splitlines()]

    def pushed_events(self) -> list[dict[str, Any]]:
        """The events of the last record that origin has."""
        environment = self.stack.environment
        names = git(self.origin.path, environment, "ls-tree", "-r", "--name-only", "main").splitlines()
        record = git(self.origin.path, environment, "show", f"main:{[n for n in names if n.endswith('.jsonl')][-1]}")
        return [json.loads(line) for line in record.splitlines()]

    def weights_set(self) -> list[dict[str, int]]:
        """The live weights of each change that was applied, in order."""
        return weights_that_were_set(self.events())

    def require_agreed(self, traffic: dict[str, int], *, over: bool, scaled: bool = False) -> None:
        """Declared = live = record = pushed, nothing under way, and nothing in the preview.

        `scaled`: a refresh would only find the instances that autoscale has added.
        """
        assert self.stack.live_traffic() == traffic
        answer = self.stack.sluice("rollout", "status", MODEL, "--stack", self.stack.name, "--json", expect=None)
        weights = json.loads(answer.stdout)["weights"]
        assert weights["declared"] == weights["live"] == weights["record"], weights
        events = self.events()
        closed = {event["data"].get("intent") for event in events if event["kind"] in ("applied", "withdrawn")}
        closed |= {event["data"]["intent"] for event in events if event["kind"] == "reconciled"}
        assert {event["seq"] for event in events if event["kind"] == "intent"} <= closed
        assert (events[-1]["kind"] == "ended") is over
        preview = self.stack.engine.preview(refresh=not scaled)
        assert preview.is_empty, list(map(str, preview.changes))
        if over:
            assert self.git("status", "--porcelain", "--untracked-files=no") == ""
            assert self.git("ls-remote", "origin", "refs/heads/main").split()[0] == self.git("rev-parse", "HEAD")


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def git(folder: Path, environment: dict[str, str], *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=folder, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def weights_that_were_set(events: list[dict[str, Any]]) -> list[dict[str, int]]:
    """The live weights of each change that was applied, in order."""
    intents = {event["seq"]: event["data"]["to"]["traffic"] for event in events if event["kind"] == "intent"}
    return [intents[event["data"]["intent"]] for event in events if event["kind"] == "applied"]


@contextlib.contextmanager
def callers(stack: Stack) -> Iterator[Load]:
    """Callers, who never pause."""
    uri, key = stack.target()
    server = stack.azure.home.require_server()
    bodies = read_bodies(ROOT / "models" / MODEL / "sample-request.json")
    load = Load(uri.replace(server.https, server.http), bodies, key=key, rate=RATE)
    thread = threading.Thread(target=lambda: asyncio.run(load.run()), daemon=True)
    thread.start()
    try:
        yield load
    finally:
        load.stop()
        thread.join()


def lost(load: Load) -> int:
    """Requests that failed otherwise than by green's own errors."""
    return load.total.failed - load.total.errors_by_deployment["green"]
