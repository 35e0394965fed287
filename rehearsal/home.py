"""The folder of one local Azure: the paths of its files, and whether its server runs.

The server holds a file lock while it runs, and the kernel releases that lock when the process ends, so the server.json
of a killed server is never mistaken for a running one. This module starts and ends nothing.
"""

import fcntl
import json
import os
import re
import shlex
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import processes
from command_errors import UnavailableError, UsageError, remedy_for
from project import project_root

HOME_VARIABLE = "SLUICE_LOCAL_HOME"
GUARD_FOLDER = "sluice-rehearsal-bin"
MARKER = "This folder is the local Azure of `sluice local`; `sluice local reset` deletes it.\n"
DRAFT = ".README.txt-"
"""The prefix of a marker's name until the marker is complete; the process that writes it follows."""
_DRAFT_NAME = re.compile(rf"{re.escape(DRAFT)}\d+")
# Folders of a home that the Pulumi CLI and az recreate when they run after a reset, and what they write into them.
TRACES = {
    "pulumi": re.compile(r"logs|plugins|workspaces|credentials\.json|config\.json|\.cachedVersionInfo"),
    "state": re.compile(r"\.pulumi"),
    "azure": re.compile(
        r"az\.(json|sess)|azureProfile\.json|cloudEndpoints\.json|clouds\.config|config|versionCheck\.json|\w+Index\.json|"
        r"msal_\w+\.\w+|commands|logs|telemetry"
    ),
}


@dataclass(frozen=True, kw_only=True)
class Server:
    """A running local Azure, according to its server.json."""

    pid: int
    https: str
    http: str
    version: str
    started: float
    role_delay_seconds: float = 0.0
    """How long a role assignment of this server takes to become effective."""

    @property
    def port(self) -> int:
        """The HTTPS port; HTTP is the next one."""
        return int(self.https.rsplit(":", 1)[1])


@dataclass(frozen=True)
class LocalHome:
    """Paths below the home folder."""

    path: Path

    @property
    def flag(self) -> str:
        """The `--home` option for printed commands; empty if this home is the default."""
        return "" if self.path == local_home(None).path else f" --home {shlex.quote(str(self.path))}"

    @property
    def marker(self) -> Path:
        """A file that states what the folder is; created first and deleted last."""
        return self.path / "README.txt"

    @property
    def server_file(self) -> Path:
        """Address and process of the running server."""
        return self.path / "server.json"

    @property
    def port_file(self) -> Path:
        """The last port of this local Azure, which it reuses so that addresses in a stack's outputs stay valid."""
        return self.path / "port"

    @property
    def server_log(self) -> Path:
        """The server's log."""
        return self.path / "logs" / "server.log"

    def traffic_log(self, endpoint: str) -> Path:
        """Requests of an endpoint, if its diagnostic setting enables records."""
        return self.path / "logs" / "traffic" / f"{Path(endpoint).name.lower()}.jsonl"

    @property
    def console_log(self) -> Path:
        """The server's output since its last start."""
        return self.path / "logs" / "console.log"

    @property
    def control_token(self) -> Path:
        """The secret that lets a caller stop the server."""
        return self.path / "control.token"

    @property
    def ca_bundle(self) -> Path:
        """System certificates plus the local authority."""
        return self.path / "ca-bundle.pem"

    @property
    def pulumi_home(self) -> Path:
        """PULUMI_HOME: plugins and credentials of this local Azure only."""
        return self.path / "pulumi"

    @property
    def guard(self) -> Path:
        """Folder of the `pulumi` that a rehearsal shell finds first."""
        return self.path / GUARD_FOLDER

    @property
    def az(self) -> Path:
        """AZURE_CONFIG_DIR: the Azure CLI's files for this local Azure only."""
        return self.path / "azure"

    @property
    def state(self) -> Path:
        """Folder of the file backend."""
        return self.path / "state"

    @property
    def stacks(self) -> Path:
        """Copied stack files."""
        return self.path / "stacks"

    @property
    def release_locks(self) -> Path:
        """Release locks of rehearsals."""
        return self.path / "locks"

    def create(self) -> None:
        """Create the folder and mark it as ours; refuse a folder that holds something else.

        Two processes may do so at once: the marker appears in one step, and a folder that holds only the draft of a
        marker counts as empty.
        """
        if self.path.is_dir() and not self._is_empty() and not self.looks_like_home():
            raise UsageError(f"{self.path} is not empty and is not the home of a local Azure. Give another --home.")
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            draft = self.path / f"{DRAFT}{os.getpid()}"
            draft.write_text(MARKER)  # each time, to notice a disk that cannot be written
            draft.replace(self.marker)
            (self.path / "logs").mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise UnavailableError(f"cannot write to {self.path}: {error.strerror}. {remedy_for(error)}") from error

    def delete(self) -> None:
        """Delete the folder. An interrupted deletion leaves a home, which can be deleted again. Raises OSError."""
        for entry in list(self.path.iterdir()):
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            elif entry != self.marker:
                entry.unlink(missing_ok=True)
        shutil.rmtree(self.path)

    def looks_like_home(self) -> bool:
        """Return whether this is the folder of a local Azure: nothing else is ever deleted."""
        return (
            self._is_marked()
            or (self.path / "azure.db").is_file()
            or self._holds_only_traces()
            or self._holds_only_drafts()
        )

    def _is_marked(self) -> bool:
        return self.marker.is_file() and self.marker.read_text(encoding="utf-8", errors="replace") == MARKER

    def _is_empty(self) -> bool:
        """Return whether the folder is empty, except for the draft of a marker of another or a killed start."""
        return all(entry.name.startswith(DRAFT) for entry in self.path.iterdir())

    def _holds_only_drafts(self) -> bool:
        """Return whether a start was killed here before it could mark the folder.

        A kill can also come between the creation of a draft and its content, so its content may be incomplete.
        """
        entries = list(self.path.iterdir()) if self.path.is_dir() else []
        return bool(entries) and all(
            _DRAFT_NAME.fullmatch(entry.name)
            and entry.is_file()
            and not entry.is_symlink()
            and MARKER.encode().startswith(entry.read_bytes())
            for entry in entries
        )

    def _holds_only_traces(self) -> bool:
        """Return whether the folder holds only what the programs of a rehearsal shell recreate after a reset."""
        entries = list(self.path.iterdir()) if self.path.is_dir() else []
        return bool(entries) and all(
            entry.is_dir()
            and not entry.is_symlink()
            and entry.name in TRACES
            and all(TRACES[entry.name].fullmatch(inner.name) for inner in entry.iterdir())
            for entry in entries
        )

    def holder(self) -> int | None:
        """Return the process that holds this home's lock, ready or still starting; None if no process holds it."""
        try:
            descriptor = os.open(self.path / "lock", os.O_RDWR)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError:  # a disk that cannot be written
            descriptor = os.open(self.path / "lock", os.O_RDONLY)
        try:
            text = os.read(descriptor, 32).decode(errors="replace").strip()
            # Try the lock only if its writer seems to run: a try takes it for a moment, and a server that is starting
            # must not find it taken.
            if not text.isdecimal() or not processes.is_alive_since(int(text), time.time()):
                return None
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return int(text)
        finally:
            os.close(descriptor)
        return None

    def record(self) -> Server | None:
        """Return the content of server.json; a killed server leaves it behind."""
        try:
            record: dict[str, Any] = json.loads(self.server_file.read_text(encoding="utf-8"))
            return Server(
                pid=int(record["pid"]),
                https=str(record["https"]),
                http=str(record["http"]),
                version=str(record["version"]),
                started=float(record["started"]),
                role_delay_seconds=float(record.get("role_delay_seconds", 0)),
            )
        except (
            FileNotFoundError,
            NotADirectoryError,
            ValueError,
            KeyError,
            TypeError,
        ):  # not a record
            return None

    def server(self) -> Server | None:
        """Return the running and ready server; None without one, whatever a stale server.json contains."""
        record = self.record()
        return record if record is not None and self.holder() == record.pid else None

    def require_server(self) -> Server:
        """Return the running server; without one, raise the error that names the command to start it."""
        server = self.server()
        if server is None:
            raise UnavailableError(
                f"the local Azure in {self.path} is not running. Start it with `sluice local start{self.flag}`."
            )
        return server


def local_home(asked: Path | None) -> LocalHome:
    """Return the home: `--home`, else SLUICE_LOCAL_HOME, else .sluice/local in the checkout."""
    named = asked or os.environ.get(HOME_VARIABLE)
    return LocalHome(Path(named).expanduser().absolute() if named else project_root() / ".sluice" / "local")
