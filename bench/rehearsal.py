"""A local Azure for one benchmark run: it starts in a temporary folder and is driven only by the `sluice` command."""

import json
import os
import shutil
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SLUICE = Path(sys.executable).parent / "sluice"
MODEL = "fraud-detection"
SAMPLE = ROOT / "models" / MODEL / "sample-request.json"
PROGRAM = ("*.py", "Pulumi.yaml", "requirements.lock", "assessment", "components")


def copy_program(target: Path, *also: str) -> None:
    """Copy the program into a separate folder, and the files that the patterns `also` match: models, stack files."""
    for pattern in (*PROGRAM, *also):
        for source in ROOT.glob(pattern):
            copy = target / source.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, copy, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy2(source, copy)
    (target / ".venv").symlink_to(sys.prefix)


class Rehearsal:
    """Starts on entry; on exit it stops and deletes everything. `flags` are those of `sluice local start`."""

    def __init__(self, *flags: str) -> None:
        self._flags = flags

    def __enter__(self) -> "Rehearsal":
        self.folder = Path(tempfile.mkdtemp(prefix="sluice-bench-"))
        self.home = self.folder / "azure"
        self._settled: set[str] = set()
        self.sluice("local", "start", "--home", str(self.home), *self._flags)
        return self

    def __exit__(self, *_: object) -> None:
        self.sluice("local", "stop", "--home", str(self.home))
        shutil.rmtree(self.folder)

    def sluice(self, *arguments: str, stack: str | None = None) -> str:
        """Run a `sluice` command and return what it printed."""
        return self._run([str(SLUICE), *arguments], self.environment(stack) if stack else dict(os.environ))

    def pulumi(self, stack: str, *arguments: str) -> str:
        """Run a `pulumi` command on a stack and return what it printed."""
        return self._run(["pulumi", *arguments], self.environment(stack))

    def environment(self, stack: str, project: Path = ROOT) -> dict[str, str]:
        """The variables that `sluice local env --stack` gives a shell in a project's folder."""
        script = f'lines="$("{SLUICE}" local env --home "{self.home}" --stack "{stack}")" && eval "$lines" && env -0'
        finished = subprocess.run(["bash", "-c", script], cwd=project, stdout=subprocess.PIPE, check=True, text=True)
        return dict(pair.split("=", 1) for pair in finished.stdout.split("\0") if pair)

    def settle(self, stack: str) -> dict[str, str]:
        """Bring a stack up until it is settled, only the first time, and return its environment."""
        environment = self.environment(stack)
        while stack not in self._settled:
            print(f"pulumi up of {stack} ...", flush=True)
            self.pulumi(stack, "up", "--yes", "--skip-preview")
            outputs = self.outputs(stack)
            if all(endpoint["settled"] for endpoint in outputs["endpoints"].values()):
                self._settled.add(stack)
            else:
                self.sluice("release", "publish", MODEL, "--stack", stack, stack=stack)
        return environment

    def outputs(self, stack: str) -> dict[str, Any]:
        """The stack's outputs."""
        return dict(json.loads(self.pulumi(stack, "stack", "output", "--json")))

    def status(self) -> dict[str, Any]:
        """Return what `sluice local status --json` prints."""
        return dict(json.loads(self.sluice("local", "status", "--json", "--home", str(self.home))))

    def arm(self, method: str, resource_id: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Send one request to ARM, and wait for the operation if it starts one."""
        url = f"{self.status()['server']['http']}{resource_id}?api-version=2024-04-01"
        headers = {"Authorization": "Bearer bench", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(urllib.request.Request(url, data, headers, method=method)) as answer:
            answered = json.load(answer)
            operation = answer.headers.get("Azure-AsyncOperation")
        while operation:
            polled = urllib.request.Request(operation, headers=headers)
            context = ssl.create_default_context(cafile=str(self.home / "ca.pem"))
            with urllib.request.urlopen(polled, context=context) as answer:
                status = json.load(answer)
            if status["status"] == "Succeeded":
                break
            if status["status"] == "Failed":
                raise SystemExit(f"{method} {resource_id} failed: {status['error']}")
            time.sleep(0.1)
        return dict(answered or {})

    @staticmethod
    def _run(arguments: list[str], environment: dict[str, str]) -> str:
        finished = subprocess.run(
            arguments, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True
        )
        if finished.returncode != 0:
            raise SystemExit(f"{' '.join(arguments)} failed:\n{finished.stdout}{finished.stderr}")
        return finished.stdout
