"""The seam to the Pulumi engine: one stack of one project, driven through the `pulumi` command.

Results come from the engine's event log and from commands that print JSON; text meant for people appears only inside an
error. This module decides nothing about weights, does not call Azure, and uses the environment it is given.
"""

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from command_errors import UnavailableError
from credentials.engine_login import engine_environment
from rollout.errors import EngineError, EngineFailed, EngineRefused, EngineUnavailable
from rollout.events import Outcome, Preview, outcome_of, read_events
from rollout.startup_error import startup_error
from rollout.temporary_folder import no_temporary_files, temporary_folder

EventSink = Callable[[Mapping[str, Any]], None]


@dataclass(frozen=True, kw_only=True)
class ImportedResource:
    """A cloud resource to import into the state; a component has no id and exists only in the state."""

    urn: str
    type: str
    id: str | None = None
    parent_urn: str | None = None
    provider_urn: str | None = None
    version: str | None = None


@dataclass(frozen=True, kw_only=True)
class Finished:
    """How one `pulumi` process ended."""

    returncode: int
    stdout: str
    stderr: str
    events: tuple[dict[str, Any], ...]


class PulumiEngine:
    """One stack, driven by the Pulumi CLI found on the environment's PATH."""

    def __init__(
        self,
        project: Path,
        stack: str,
        environment: Mapping[str, str] | None = None,
        *,
        interrupt_grace_seconds: float | None = None,
    ) -> None:
        """`interrupt_grace_seconds` limits how long the CLI may finish operations after Ctrl-C (None: no limit).

        Interrupting an operation loses state, so set it only for a stack that will be discarded.
        """
        self.project = project
        self.stack = stack
        self.interrupt_grace_seconds = interrupt_grace_seconds
        self.environment = {
            **(os.environ if environment is None else environment),
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DEBUG_COMMANDS": "true",  # the CLI accepts --event-log only with it
        }

    def preview(
        self, *, refresh: bool = False, targets: Sequence[str] = (), on_event: EventSink | None = None
    ) -> Preview:
        """Return what an update (only of `targets`, see `up`) would change."""
        outcome = self._operate("preview", [*(["--refresh"] if refresh else []), *_only(targets)], on_event)
        return Preview(**vars(outcome))

    def up(
        self,
        *,
        skip_preview: bool = True,
        refresh: bool = False,
        targets: Sequence[str] = (),
        on_event: EventSink | None = None,
    ) -> Outcome:
        """Bring the cloud to the declared state, or only the `targets`: URNs, in which `*` and `**` match anything.

        With `refresh`, the state is read from the cloud first; with targets only theirs.
        """
        flags = ["--yes", *(["--skip-preview"] if skip_preview else []), *(["--refresh"] if refresh else [])]
        return self._operate("up", [*flags, *_only(targets)], on_event)

    def refresh(self, *, targets: Sequence[str] = (), on_event: EventSink | None = None) -> Outcome:
        """Update the state (only that of `targets`, URNs) to match the cloud; the changes are the drift."""
        return self._operate("refresh", ["--yes", "--skip-preview", *_only(targets)], on_event)

    def destroy(self, *, targets: Sequence[str] = (), on_event: EventSink | None = None) -> Outcome:
        """Delete everything in the state, or only the `targets` (URNs), on which nothing else may depend."""
        return self._operate("destroy", ["--yes", "--skip-preview", *_only(targets)], on_event)

    def import_resources(self, resources: Sequence[ImportedResource]) -> Outcome:
        """Import existing resources into the state; their parents must be in it already."""
        document = import_document(resources)
        with _folder("sluice-import-") as folder:
            file = folder / "import.json"
            file.write_text(json.dumps(document))
            flags = ["--file", str(file), "--yes", "--skip-preview", "--generate-code=false", "--protect=false"]
            return self._operate("import", flags, None)

    def export(self) -> dict[str, Any]:
        """Return the stack's state as the backend holds it; secrets stay encrypted."""
        return dict(self._json("stack", "export"))

    def import_(self, state: Mapping[str, Any]) -> None:
        """Replace the stack's state."""
        with _folder("sluice-state-") as folder:
            file = folder / "state.json"
            file.write_text(json.dumps(state))
            self._checked("stack", "import", "--file", str(file))

    def outputs(self) -> dict[str, Any]:
        """Return the stack's outputs; secrets are masked."""
        return dict(self._json("stack", "output", "--json"))

    def config(self) -> dict[str, Any]:
        """Return the stack's configuration: keys with their namespace, structured values as in the file."""
        values = self._json("config", "--json")
        return {
            key: json.loads(entry["value"]) if "objectValue" in entry else entry.get("value")
            for key, entry in values.items()
        }

    def config_set(self, path: str, value: int | str | bool) -> None:
        """Set one value, e.g. `sluice:rollout.fraud-detection.traffic.green` to 50."""
        self.config_set_all({path: value})

    def config_set_all(self, values: Mapping[str, int | str | bool]) -> None:
        """Set several values in one write of the stack file."""
        flags = []
        for path, value in values.items():
            text = json.dumps(value) if isinstance(value, bool) else str(value)
            flags += ["--plaintext", f"{path}={text}"]
        self._checked("config", "set-all", "--path", *flags)

    def config_remove(self, path: str) -> None:
        """Remove one value, e.g. a colour's weight."""
        self._checked("config", "rm", "--path", path)

    def version(self) -> str:
        """Return the CLI's version, without a leading v."""
        return self._checked("version", stack=False).stdout.strip().removeprefix("v")

    def _json(self, *arguments: str) -> Any:
        return json.loads(self._checked(*arguments).stdout)

    def _checked(self, *arguments: str, stack: bool = True) -> Finished:
        finished = self._run([*arguments, *(["--stack", self.stack] if stack else [])])
        if finished.returncode != 0:
            raise self._startup_error(" ".join(arguments[:2]), finished)
        return finished

    def _operate(self, operation: str, flags: Sequence[str], on_event: EventSink | None) -> Outcome:
        with _folder("sluice-events-") as folder:
            log = folder / "events.jsonl"
            arguments = [operation, "--stack", self.stack, *flags, "--suppress-outputs", "--event-log", str(log)]
            finished = self._run(arguments, log, on_event)
        outcome = outcome_of(finished.events)
        if finished.returncode == 0:
            return outcome
        if not finished.events or not outcome.errors:
            raise self._startup_error(operation, finished)
        text = "\n".join(outcome.errors)
        where = f"pulumi {operation} of stack {self.stack}"
        if outcome.failed or any(change.custom for change in outcome.done):
            raise EngineFailed(f"{where} failed:\n{text}", errors=outcome.errors, log=finished.stdout)
        raise EngineRefused(
            f"{where} was refused, nothing changed:\n{text}", errors=outcome.errors, log=finished.stdout
        )

    def _startup_error(self, operation: str, finished: Finished) -> EngineError:
        said = finished.returncode, finished.stdout, finished.stderr
        return startup_error(self.stack, operation, *said, self.environment)

    def _run(self, arguments: Sequence[str], log: Path | None = None, on_event: EventSink | None = None) -> Finished:
        command = shutil.which("pulumi", path=self.environment.get("PATH"))
        if command is None:
            raise EngineUnavailable("no pulumi command on PATH. Run `make setup`, or install the Pulumi CLI.")
        with self._opened() as (environment, stdout, stderr):
            process = subprocess.Popen(
                [command, "--non-interactive", "--color", "never", *arguments],
                cwd=self.project,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,  # Ctrl-C reaches the CLI once, through _wait: on a second one it drops state
            )
            events = self._wait(process, log, on_event)
            stdout.seek(0)
            stderr.seek(0)
            return Finished(
                returncode=process.returncode,
                stdout=stdout.read().decode(errors="replace"),
                stderr=stderr.read().decode(errors="replace"),
                events=tuple(events),
            )

    @contextmanager
    def _opened(self) -> Iterator[tuple[dict[str, str], IO[bytes], IO[bytes]]]:
        """Yield the environment of one process, and the files that take what it prints.

        Files, not pipes: a plugin that outlives a killed CLI would keep a pipe open and block its caller.
        """
        with ExitStack() as opened:
            try:
                environment = opened.enter_context(engine_environment(self.environment))
                stdout, stderr = (opened.enter_context(tempfile.TemporaryFile()) for _ in range(2))
            except OSError as error:
                raise EngineUnavailable(f"pulumi cannot be run: {no_temporary_files(error)}") from error
            yield environment, stdout, stderr

    def _wait(
        self, process: "subprocess.Popen[bytes]", log: Path | None, on_event: EventSink | None
    ) -> list[dict[str, Any]]:
        """Wait for the CLI and pass events on as they are written; Ctrl-C asks it to stop cleanly."""
        try:
            if log is None or on_event is None:
                process.wait()
            else:
                _follow(process, log, on_event)
        except BaseException:
            self._interrupt(process)
            raise
        if log is None or not log.exists():
            return []
        with log.open(encoding="utf-8") as lines:
            return read_events(lines)

    def _interrupt(self, process: "subprocess.Popen[bytes]") -> None:
        """Send SIGINT: the first lets the CLI finish and save running operations; a second one interrupts them."""
        while process.poll() is None:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(self.interrupt_grace_seconds)
            except KeyboardInterrupt:
                continue
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextmanager
def _folder(prefix: str) -> Iterator[Path]:
    """A temporary folder. Raises EngineUnavailable where none can be made."""
    with ExitStack() as opened:
        try:
            folder = opened.enter_context(temporary_folder(prefix))
        except UnavailableError as error:
            raise EngineUnavailable(f"pulumi cannot be run: {error}") from error
        yield folder


def _only(targets: Sequence[str]) -> list[str]:
    return [flag for urn in targets for flag in ("--target", urn)]


def import_document(resources: Sequence[ImportedResource]) -> dict[str, Any]:
    """Return the file for `pulumi import --file`. It refers to parents by keys, because their names may repeat."""
    keys = {resource.urn: f"new{number}" for number, resource in enumerate(resources)}
    known: dict[str, str] = {}
    entries = []
    for resource in resources:
        entry: dict[str, Any] = {
            "type": resource.type,
            "name": keys[resource.urn],
            "logicalName": resource.urn.rsplit("::", 1)[-1],
        }
        if resource.id is None:
            entry["component"] = True
        else:
            entry["id"] = resource.id
        if resource.provider_urn:
            entry["provider"] = known.setdefault(resource.provider_urn, f"known{len(known)}")
        elif resource.version:
            entry["version"] = resource.version
        parent = resource.parent_urn
        if parent in keys:
            entry["parent"] = keys[parent]
        elif parent:
            entry["parent"] = known.setdefault(parent, f"known{len(known)}")
        entries.append(entry)
    return {"nameTable": {key: urn for urn, key in known.items()}, "resources": entries}


def _follow(process: "subprocess.Popen[bytes]", log: Path, on_event: EventSink) -> None:
    """Pass each event on once, as soon as its line is complete."""
    position = 0
    while True:
        ended = process.poll() is not None
        if log.exists():
            with log.open("rb") as stream:
                stream.seek(position)
                text = stream.read()
            complete = text[: text.rfind(b"\n") + 1]
            position += len(complete)
            for event in read_events(complete.decode().splitlines(keepends=True)):
                on_event(event)
        if ended:
            return
        time.sleep(0.1)
