"""Runs the pipelines of a repository as they are written, on this machine.

It reads the YAML of the commit that an event is about, picks the pipelines that the event starts, and runs the steps of
their jobs one after another in a fresh clone of depth 1. The git server is `server.Server`.

What it knows, and nothing else (an unknown key or expression raises Unsupported, see also `expressions.py`):
- GitHub Actions: `on`, `permissions`, `concurrency`, `jobs`; of a job `if`, `runs-on`, `timeout-minutes`,
  `environment`, `permissions`, `concurrency`, `steps`; of a step `uses`, `with`, `name`, `run`, `env`.
- Azure Pipelines: `trigger`, `pr`, `schedules`, `parameters`, `pool`, `stages`, `jobs`; of a stage `condition`,
  `variables: [{group}]`, `lockBehavior`, `dependsOn: []`; jobs and deployments with `environment`, `timeoutInMinutes`
  and steps; of a step `checkout`, `script`, `task`, `displayName`, `inputs`, `env`, and `$(...)` in `env` only.
Stand-ins by name: `actions/checkout` and `checkout: self` clone; `AzureCLI@2` sets the variables of its connection;
`make setup` links this checkout's .venv. A group or an exclusive lock lets one job run, others wait.
"""

from __future__ import annotations

import re
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from tests.pipelines.expressions import Unsupported, evaluate, filled_in
from tests.pipelines.server import Event, Run, Server

ROOT = Path(__file__).resolve().parents[2]
CHECKOUT = "actions/checkout@de0fac2e4500dabe0009e67214ff5f5447ce83dd"
KEYS = {
    "workflow": {"name", "run-name", "on", "permissions", "concurrency", "jobs"},
    "job": {"if", "runs-on", "timeout-minutes", "environment", "permissions", "concurrency", "steps"},
    "step": {"uses", "with", "name", "run", "env"},
    "pipeline": {"trigger", "pr", "schedules", "parameters", "pool", "stages", "jobs"},
    "stage": {"stage", "dependsOn", "condition", "lockBehavior", "variables", "jobs"},
    "Azure job": {"job", "deployment", "timeoutInMinutes", "environment", "strategy", "steps"},
    "Azure step": {"checkout", "fetchDepth", "persistCredentials", "script", "task", "displayName", "inputs", "env"},
}


@dataclass(kw_only=True)
class Step:
    """A check-out (no script), or a script with its variables. `connection` is that of AzureCLI@2."""

    script: str | None = None
    env: Mapping[str, str]
    connection: str | None = None


@dataclass(kw_only=True)
class Job:
    """One job of either system. `fill` completes the value of a variable; every step gets `variables`."""

    name: str
    steps: list[Step]
    minutes: int
    environment: str | None
    group: str | None
    permissions: Mapping[str, str]
    fill: Callable[[str], str]
    variables: Mapping[str, str]


@dataclass(kw_only=True)
class Ended:
    """How one job ended: `code` of its last step; None if it was refused or waits for a reviewer (`refusal`)."""

    pipeline: str
    job: str
    run: Run
    code: int | None = None
    output: str = ""
    summary: str = ""
    refusal: str = ""


class Runner:
    """The hosted runners of one repository. `machine` are the variables that every process here needs."""

    def __init__(self, server: Server, folder: Path, machine: Mapping[str, str]) -> None:
        self._server, self._folder, self._machine = server, folder, machine
        self._locks: dict[str, threading.Lock] = {}
        self.process: subprocess.Popen[str] | None = None
        self.ended: list[Ended] = []

    def run(self, event: Event) -> list[Ended]:
        """Run everything that an event starts, until each job has ended or waits for a reviewer."""
        read = self._github if self._server.system == "github" else self._azure
        found = []
        for path, text in self._server.pipelines_at(event.commit):
            name = Path(path).stem
            if event.pipeline in (None, name):
                run = event.run or self._server.new_run(event)
                token = f"token-{run.id}"
                document = yaml.load(text, Loader=yaml.BaseLoader)
                found += [self._job(job, event, run, name, token) for job in read(name, document, event, run, token)]
        self.ended += found
        return found

    def work(self) -> list[Ended]:
        """Run what was dispatched and what reviewers have answered, and what that dispatches, until nothing is left."""
        found: list[Ended] = []
        while (event := self._server.next_event()) is not None:
            found += self.run(event)
        return found

    def _github(self, name: str, workflow: Any, event: Event, run: Run, token: str) -> Iterator[Job]:
        known("workflow", workflow)
        starts = workflow["on"]
        only = (starts.get(event.kind) or {}).get("branches") if event.kind == "push" else None
        if event.kind not in starts or (only is not None and event.branch not in only):
            return
        names = self._server.names(event, run, token)
        for title, job in workflow["jobs"].items():
            known("job", job)
            if not evaluate(job.get("if", "'always'"), names):
                continue
            place = job.get("environment")
            environment = filled_in(place["name"] if isinstance(place, dict) else place, names) if place else None
            group = job.get("concurrency") or workflow.get("concurrency")
            variables, secrets = self._server.variables(environment)
            inside = {**names, "vars": variables, "secrets": secrets}
            yield Job(
                name=title,
                steps=[github_step(name, step) for step in job["steps"]],
                minutes=int(job["timeout-minutes"]),
                environment=environment,
                group=filled_in(group["group"], names) if group else None,
                permissions=job["permissions"],
                fill=partial(filled_in, names=inside),
                variables={},
            )

    def _azure(self, name: str, pipeline: Any, event: Event, run: Run, token: str) -> Iterator[Job]:
        known("pipeline", pipeline)
        trigger = pipeline["trigger"] if isinstance(pipeline["trigger"], dict) else {"branches": {"include": ()}}
        starts = {
            "push": event.branch in trigger["branches"]["include"],
            "schedule": any(event.branch in each["branches"]["include"] for each in pipeline.get("schedules", ())),
            "pull_request": name in self._server.build_validation,
            "workflow_dispatch": True,
        }
        if not starts[event.kind]:
            return
        declared = {each["name"]: each.get("default") for each in pipeline.get("parameters", ())}
        given = {**declared, **event.inputs}
        if None in given.values() or given.keys() != declared.keys():
            raise Unsupported(f"{name} takes the parameters {sorted(declared)}, got {dict(event.inputs)}")
        names = {"parameters": given, **self._server.names(event, run, token)}
        for stage in pipeline.get("stages") or [{"jobs": pipeline["jobs"]}]:
            known("stage", stage)
            if not evaluate(filled_in(stage.get("condition", "'always'"), names), names):
                continue
            plain: dict[str, str] = {}
            macros = {"System.AccessToken": token}
            for entry in stage.get("variables", ()):
                variables, secrets = self._server.variables(entry["group"].removeprefix("sluice-"))
                plain |= variables
                macros |= secrets
            for job in stage["jobs"]:
                known("Azure job", job)
                steps = job["steps"] if "steps" in job else job["strategy"]["runOnce"]["deploy"]["steps"]
                environment = filled_in(job["environment"], names) if "environment" in job else None
                yield Job(
                    name=stage.get("stage") or job.get("job") or job["deployment"],
                    steps=[azure_step(name, step) for step in steps],
                    minutes=int(job["timeoutInMinutes"]),
                    environment=environment,
                    group=environment if self._server.exclusive(environment) else None,
                    permissions={},
                    fill=partial(with_macros, names=names, macros=macros),
                    variables=plain,
                )

    def _job(self, job: Job, event: Event, run: Run, pipeline: str, token: str) -> Ended:
        ended = Ended(pipeline=pipeline, job=job.name, run=run)
        if job.environment and (refusal := self._server.refusal_of(job.environment, event, run)):
            ended.refusal = refusal
            return ended
        self._server.allow(token, run, job.permissions)
        with self._locks.setdefault(job.group or f"{run.id} {job.name}", threading.Lock()):
            folder = self._folder / f"{run.id}-{pipeline}-{job.name}"
            folder.mkdir()
            self._steps(job, event, ended, folder, token)
        written = folder / "summary.md"
        ended.summary = written.read_text() if written.exists() else ""
        return ended

    def _steps(self, job: Job, event: Event, ended: Ended, folder: Path, token: str) -> None:
        clone = folder / "work"
        always = self._server.job_variables(event, ended.run, token, job.permissions, folder, job.environment)
        for step in job.steps:
            if step.script is None:
                self._server.check_out(event, clone, token)
            elif step.script == "make setup":
                (clone / ".venv").symlink_to(ROOT / ".venv")
            else:
                connected = self._server.connection_variables(step.connection)
                mapped = {name: job.fill(text) for name, text in step.env.items()}
                variables = {**self._machine, **always, **job.variables, **connected, **mapped}
                ended.code, said = self._script(step.script, clone, variables, job.minutes)
                ended.output += said
                if ended.code:
                    return

    def _script(self, script: str, clone: Path, variables: Mapping[str, str], minutes: int) -> tuple[int, str]:
        streams: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "stdin": subprocess.DEVNULL}
        command = ["bash", "-eo", "pipefail", "-c", script]
        self.process = subprocess.Popen(command, cwd=clone, env=variables, text=True, start_new_session=True, **streams)
        said = (process := self.process).communicate(timeout=minutes * 60)[0]
        return process.returncode, said


def known(what: str, value: Mapping[str, Any]) -> None:
    """Refuse keys outside of the subset."""
    if unknown := value.keys() - KEYS[what]:
        raise Unsupported(f"{what}: {', '.join(sorted(unknown))}")


def github_step(pipeline: str, step: Any) -> Step:
    """A step of GitHub Actions."""
    known("step", step)
    if "uses" in step:
        if step["uses"] != CHECKOUT or step["with"] != {"fetch-depth": "1", "persist-credentials": "false"}:
            raise Unsupported(f"{pipeline}: {step}")
        return Step(env={})
    if "${{" in step["run"]:
        raise Unsupported(f"{pipeline}: an expression in `run`: {step['run']}")
    return Step(script=step["run"], env=step.get("env", {}))


def azure_step(pipeline: str, step: Any) -> Step:
    """A step of Azure Pipelines."""
    known("Azure step", step)
    if step.get("checkout") == "self" and (step["fetchDepth"], step["persistCredentials"]) == ("1", "false"):
        return Step(env={})
    inputs = step.get("inputs", {})
    script = step.get("script", inputs.get("inlineScript"))
    if script is None or re.search(r"\$\(|\$\{\{", script) or step.get("task", "AzureCLI@2") != "AzureCLI@2":
        raise Unsupported(f"{pipeline}: {step}")
    return Step(script=script, env=step.get("env", {}), connection=inputs.get("azureSubscription"))


def with_macros(text: str, names: Mapping[str, Any], macros: Mapping[str, str]) -> str:
    """The text with the values of its `${{ }}` and `$(...)`; an unknown macro stays, as in Azure Pipelines."""
    return re.sub(r"\$\(([\w.]+)\)", lambda found: macros.get(found[1], found[0]), filled_in(text, names))
