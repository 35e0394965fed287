"""One deployment at run time: its environment, its instances and its state transitions.

A new version of a deployment starts beside the old one and takes over when it is ready, so that a failed change leaves
the old one serving. Names, routing and the outcome of requests are handled elsewhere.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from localazure.scoring.assets import lay_out
from localazure.scoring.dispatch import Backend, Dispatcher
from localazure.scoring.environments import EnvironmentCache
from localazure.scoring.instances import Instance, InstanceSpec, tail
from localazure.scoring.no_code import with_code
from localazure.scoring.specification import DeploymentFailed, DeploymentSpec

# The steps that getLogs names, in their order.
PHASES = ("SystemSetup", "UserContainerImagePull", "ModelDownload", "UserContainerStart")
# Secret injection: ${{azureml://connections/...}} and ${{keyvault:https://...}}
_SECRET = re.compile(r"\$\{\{\s*(?:azureml://connections/|keyvault:)", re.IGNORECASE)
_EXTRA_DRAIN_SECONDS = 5.0
_STOP_GRACE_SECONDS = 5.0


@dataclass
class Revision:
    """The instances of one version of a deployment."""

    folder: Path
    instance_spec: InstanceSpec
    dispatcher: Dispatcher
    instances: dict[int, tuple[Instance, Backend]] = field(default_factory=dict)


class Deployment:
    """Everything this process knows about one deployment; it accepts one change at a time."""

    def __init__(self, folder: Path, sockets: Path, environments: EnvironmentCache, label: str) -> None:
        self.spec: DeploymentSpec | None = None
        """The running specification; None before the first success."""
        self.phases = dict.fromkeys(PHASES, "Pending")
        self.failure: DeploymentFailed | None = None
        self.changing = asyncio.Lock()
        self._folder = folder
        self._sockets = sockets
        self._environments = environments
        self._label = label
        self._revision: Revision | None = None
        self._old: Revision | None = None
        self._next = 0
        # As on Azure, getLogs shows the log of one instance. It survives revisions, like the output of a restarted
        # container.
        self._log = folder / "instance-0.log"
        self._notes: list[str] = []

    @property
    def dispatcher(self) -> Dispatcher | None:
        """The queue that receives requests; None before the first success."""
        return self._revision.dispatcher if self._revision is not None else None

    async def start(self, spec: DeploymentSpec) -> Dispatcher:
        """Start a version and let it serve once it is ready; `retire` ends the old version."""
        self.phases = dict.fromkeys(PHASES, "Pending")
        self.failure = None
        revision = None
        try:
            revision = await self._prepare(spec)
            await self._grow(revision, spec.instance_count)
            self.phases["UserContainerStart"] = "Succeeded"
        except BaseException as exc:
            pending = next((phase for phase in PHASES if self.phases[phase] == "Pending"), PHASES[-1])
            self.phases[pending] = "Failed"
            if isinstance(exc, DeploymentFailed):
                self.failure = exc
                self._notes.append(exc.message)
            if revision is not None:
                await asyncio.shield(self._end(revision))
            raise
        self._old, self._revision = self._revision, revision
        self.spec = spec
        return revision.dispatcher

    async def retire_old(self) -> None:
        """Drain and end the previous version."""
        old, self._old = self._old, None
        if old is not None:
            await self._drain_and_end(old)

    async def scale(self, instance_count: int) -> None:
        """Add or drain instances of the serving version."""
        if self._revision is None or self.spec is None:
            raise KeyError(self._label)
        revision, have = self._revision, len(self._revision.instances)
        if instance_count > have:
            await self._grow(revision, instance_count)
        self.spec = replace(self.spec, instance_count=instance_count)
        revision.dispatcher.instance_count = max(1, instance_count)
        surplus = sorted(revision.instances)[instance_count:]
        await asyncio.gather(*(self._drain_instance(revision, number) for number in surplus))

    async def stop(self, *, drain: bool) -> None:
        """End everything; with `drain`, after active requests have finished."""
        for revision in (self._revision, self._old):
            if revision is not None:
                await (self._drain_and_end(revision) if drain else self._end(revision))
        self._revision = self._old = None

    def logs(self, container: str, lines: int) -> str:
        """The text that getLogs returns: the state of each step, then the end of the container's output."""
        status = "".join(f"{phase}: {state}\n" for phase, state in self.phases.items())
        if container.lower() == "storageinitializer":
            text = "\n".join(self._notes[-lines:])
        else:
            text = tail(self._log, lines)
            if not text and self.failure is not None:
                text = "\n".join(self.failure.message.splitlines()[-lines:])
        return f"Instance status:\n{status}\nContainer logs:\n{text}\n"

    def instances(self) -> list[tuple[int, int | None, bool]]:
        """Number, process id and readiness of each instance of the serving version."""
        running = self._revision.instances if self._revision is not None else {}
        return [(number, instance.pid, instance.ready) for number, (instance, _) in sorted(running.items())]

    def status(self) -> dict[str, Any]:
        """Plain values for the status page."""
        running = self._revision.instances if self._revision is not None else {}
        return {
            "state": "failed" if self.failure else ("serving" if self._revision else "starting"),
            "instances": [
                {"number": number, "pid": instance.pid, "ready": instance.ready, "restarts": instance.restarts}
                for number, (instance, _) in sorted(running.items())
            ],
            "in_flight": self._revision.dispatcher.in_flight if self._revision is not None else 0,
        }

    async def _prepare(self, spec: DeploymentSpec) -> Revision:
        _refuse_secrets(spec.environment_variables)
        spec = await asyncio.to_thread(with_code, spec)
        self.phases["SystemSetup"] = "Succeeded"
        environment = await self._environments.provide(spec.conda_file, spec.image)
        self.phases["UserContainerImagePull"] = "Succeeded"
        self._next += 1
        folder = self._folder / f"revision-{self._next}"
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        application = await asyncio.to_thread(lay_out, spec, folder)
        self._notes.append(f"Model mounted at {application.model_folder}, code at {application.app_root}.")
        self.phases["ModelDownload"] = "Succeeded"
        variables = {
            "HTTP_X_MS_SERVER_VERSION": f"azmlinfsrv/{environment.server_version}",
            "WORKER_COUNT": "1",
            **spec.environment_variables,
            "AZUREML_MODEL_DIR": str(application.model_folder),
            "AZUREML_ENTRY_SCRIPT": application.entry_script,
            "AML_APP_ROOT": str(application.app_root),
            # There is no Application Insights to send to; the control plane stores the setting.
            "AML_APP_INSIGHTS_ENABLED": "false",
        }
        instance_spec = InstanceSpec(
            python=environment.python,
            app_root=application.app_root,
            environment=variables,
            liveness=spec.liveness_probe,
            readiness=spec.readiness_probe,
            stop_grace_seconds=_STOP_GRACE_SECONDS,
        )
        dispatcher = Dispatcher(spec.max_concurrent_requests_per_instance, spec.instance_count)
        return Revision(folder, instance_spec, dispatcher)

    async def _grow(self, revision: Revision, count: int) -> None:
        """Start the missing instances in parallel; when one fails, all new instances are stopped."""
        numbers = [number for number in range(count) if number not in revision.instances]
        started = [self._instance(revision, number) for number in numbers]
        try:
            async with asyncio.TaskGroup() as group:
                for instance, _ in started:
                    group.create_task(instance.start())
        except BaseException as exc:
            for instance, backend in started:
                revision.dispatcher.retire(backend)
                revision.instances.pop(instance.number, None)
            await asyncio.shield(asyncio.gather(*(instance.stop() for instance, _ in started)))
            if isinstance(exc, BaseExceptionGroup):
                failed = [one for one in exc.exceptions if isinstance(one, DeploymentFailed)]
                raise (failed[0] if failed else exc.exceptions[0]) from exc
            raise

    def _instance(self, revision: Revision, number: int) -> tuple[Instance, Backend]:
        name = f"{self._label}-{self._next}-{number}"
        socket = self._sockets / f"{name}.sock"
        backend = Backend(str(socket))

        def on_ready(ready: bool) -> None:
            (revision.dispatcher.add if ready else revision.dispatcher.retire)(backend)

        log = self._folder / f"instance-{number}.log"
        pid_file = self._folder / f"{name}.pid"
        instance = Instance(number, revision.instance_spec, socket, pid_file, log, on_ready)
        revision.instances[number] = (instance, backend)
        return instance, backend

    async def _drain_instance(self, revision: Revision, number: int) -> None:
        instance, backend = revision.instances[number]
        revision.dispatcher.retire(backend)
        await backend.drained(self._drain_seconds())
        await instance.stop()
        revision.instances.pop(number, None)

    async def _drain_and_end(self, revision: Revision) -> None:
        deadline = asyncio.get_running_loop().time() + self._drain_seconds()
        # Queued requests also belong to the deployment: instances leave only after the queue is empty.
        while revision.dispatcher.in_flight and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.02)
        await self._end(revision)

    async def _end(self, revision: Revision) -> None:
        await asyncio.gather(*(instance.stop() for instance, _ in revision.instances.values()))
        revision.instances.clear()
        with contextlib.suppress(OSError):
            await asyncio.to_thread(shutil.rmtree, revision.folder, ignore_errors=True)

    def _drain_seconds(self) -> float:
        return (self.spec.request_timeout_seconds if self.spec is not None else 0.0) + _EXTRA_DRAIN_SECONDS


def _refuse_secrets(variables: Mapping[str, str]) -> None:
    """Azure replaces such values with secrets before it starts the container; the reference itself is of no use."""
    if named := [name for name, value in variables.items() if _SECRET.search(value)]:
        raise DeploymentFailed(
            "NotEmulated",
            f"secret injection is not emulated: environment variables {', '.join(named)} refer to a connection or a "
            "key vault. Give them plain values for the local Azure.",
        )
