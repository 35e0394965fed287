"""`sluice release publish` of one file of 1 GB, against a script of ten lines that uploads the same file.

Both are whole commands with the same login, in turn. The command also reads the model's folder with azure-ai-ml
and hashes the file twice: before the upload for its address, and while it is sent. Its memory is compared with that of
a publish that finds everything there.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.delivery_repository import STACK, DeliveryRepository
from bench.rehearsal import MODEL, Rehearsal
from bench.timing import Command, print_spreads, ratios, spread

LARGE = "large-model"
BYTES, PIECE = 1_000_000_000, 10_000_000
SCRIPT = """\
import os, sys
from azure.storage.blob import ContainerClient
from credentials.login import azure_credential
url, container, path = sys.argv[1:]
client = ContainerClient(url, container, credential=azure_credential())
with open(path, "rb") as file:
    client.upload_blob("bench/weights.bin", file, overwrite=True, max_concurrency=4)
"""


def measure(_rehearsal: Rehearsal, runs: int) -> dict[str, Any]:
    """Measure in a local Azure of its own, whose compute is simulated."""
    with Rehearsal("--compute", "simulated") as rehearsal:
        repository = DeliveryRepository(rehearsal)
        weights = _large_model(repository.work / "models")
        url, container = _place(repository)
        publish = repository.sluice(repository.work, "release", "publish", LARGE)
        script = Command(
            name="script",
            arguments=[sys.executable, "-c", SCRIPT, url, container, str(weights)],
            folder=repository.work,
            environment=repository.environment(repository.work),
        )
        found = [(_peak(publish, weights), _peak(script, None), _peak(publish, None)) for _ in range(runs)]
    seconds = {"publish": [one[0][0] for one in found], "script": [one[1][0] for one in found]}
    memory = {"publish of 1 GB / publish of nothing": [one[0][1] / one[2][1] for one in found]}
    processors = {name: [one[number][2] for one in found] for number, name in enumerate(("publish", "script"))}
    more = {"publish of 1 GB - publish of nothing": [(one[0][1] - one[2][1]) / 1024 for one in found]}
    ratio = {"script / publish: aim 0.9 or more": ratios(seconds, "script", "publish")}
    print_spreads("1 GB to the local Azure", seconds, "s")
    print_spreads("processor time", processors, "s")
    print_spreads("speed", ratio, "x")
    print_spreads("highest memory", memory, "x")
    print_spreads("highest memory: aim 100 MiB or less", more, "MiB")
    named = {"seconds": seconds, "ratio": next(iter(ratio.values())), "memory_mib": next(iter(more.values()))}
    return {name: _spreads(value) for name, value in named.items()}


def _spreads(value: Any) -> Any:
    return {name: spread(one) for name, one in value.items()} if isinstance(value, dict) else spread(value)


def _large_model(models: Path) -> Path:
    """A copy of the example whose artefact is one large file; return the file."""
    folder = models / LARGE
    shutil.copytree(models / MODEL, folder)
    for name in ("green.yml", "amber.yml"):
        (folder / name).unlink()
    for name in ("endpoint.yml", "blue.yml"):
        text = (folder / name).read_text(encoding="utf-8")
        (folder / name).write_text(text.replace(MODEL, LARGE), encoding="utf-8")
    return folder / "artefacts" / "blue" / "weights.bin"


def _place(repository: DeliveryRepository) -> tuple[str, str]:
    """Address of the account and name of the container that the command uploads to."""
    asked = (
        "from cli.release import publishing_place\n"
        f"place = publishing_place({STACK!r})[1]\n"
        "print(place.blob_endpoint, place.container)"
    )
    environment = repository.environment(repository.work)
    done = subprocess.run(
        [sys.executable, "-c", asked], cwd=repository.work, env=environment, capture_output=True, text=True, check=True
    )
    url, container = done.stdout.split()
    return url, container


def _peak(command: Command, weights: Path | None) -> tuple[float, int, float]:
    """Seconds, highest memory (KiB) and processor seconds of a command; a given file gets a new content first."""
    if weights is not None:
        with weights.open("wb") as file:
            for _ in range(BYTES // PIECE):
                file.write(os.urandom(PIECE))
    environment: Mapping[str, str] = command.environment
    began = time.perf_counter()
    process = subprocess.Popen(
        command.arguments,
        cwd=command.folder,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    said = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"{command.name} failed with exit code {process.returncode}:\n{said}")
    return seconds, usage.ru_maxrss, usage.ru_utime + usage.ru_stime
