"""Real server processes that tests may kill, on a home of the test's choice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.localazure.existing_versions import existing_version
from tests.localazure.platform_bodies import PLATFORM, WORKSPACE
from tests.localazure.server_command import server_command
from tests.ports import own_port
from tests.waiting import HANGS, wait_until
from toolchain.uv import find_uv, uv_environment

CONDA = "dependencies:\n- python=3.11\n- pip:\n  - azureml-inference-server-http==1.5.1\n"


class Azure:
    """One `python -m localazure` after the other on the same home."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.port = own_port()
        self.process: subprocess.Popen[str] | None = None
        self.session = requests.Session()
        self.session.headers["Authorization"] = "Bearer x"
        self.session.trust_env = False

    def start(self) -> None:
        command = server_command(self.home, port=self.port)
        environment = os.environ | uv_environment(os.environ) | {"SLUICE_UV": str(find_uv(os.environ))}
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
        )
        assert self.process.stdout is not None
        if not self.process.stdout.readline():
            raise RuntimeError(f"the local Azure did not start: {self.end_of_output()}")
        document = json.loads((self.home / "server.json").read_text())
        self.http, self.https = document["http"], document["https"]

    def end_of_output(self) -> str:
        assert self.process is not None
        return self.process.communicate(timeout=HANGS)[1]

    def kill(self) -> None:
        """As kill -9, or as the kernel when memory is short."""
        assert self.process is not None
        self.process.kill()
        self.end_of_output()

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.end_of_output()

    def request(self, method: str, path: str, body: Any = None, **headers: str) -> requests.Response:
        url = path if path.startswith("http") else self.http + path
        params = {} if "api-version" in path else {"api-version": existing_version(path)}
        return self.session.request(method, url, params=params, json=body, headers=headers, timeout=HANGS)

    def wait(self, answer: requests.Response) -> dict[str, Any]:
        """The end of an operation, also one of an earlier process at another port."""
        path = "/subscriptions/" + answer.headers["Azure-AsyncOperation"].partition("/subscriptions/")[2]
        wait_until(
            lambda: self.request("GET", path).json()["status"] in ("Succeeded", "Failed"), f"{path} does not end"
        )
        return dict(self.request("GET", path).json())

    def make_workspace(self) -> None:
        for path, body in PLATFORM:
            answer = self.request("PUT", path, body)
            assert answer.ok, answer.text
        assert self.wait(answer)["status"] == "Succeeded"

    def make_model(self, script: str) -> dict[str, Any]:
        """Assets of a model; returns the properties of a deployment of it."""
        blob = {"x-ms-version": "2021-12-02", "x-ms-blob-type": "BlockBlob"}
        self.request("PUT", f"{self.http}/stacc1/box?restype=container", **blob)
        uploaded = self.session.put(f"{self.http}/stacc1/box/code/score.py", data=script.encode(), headers=blob)
        assert uploaded.status_code == 201, uploaded.text
        assets = {"codeUri": f"{self.https}/stacc1/box/code"}, {"condaFile": CONDA, "image": "image"}
        code, environment = f"{WORKSPACE}/codes/code/versions/1", f"{WORKSPACE}/environments/env/versions/1"
        for path, properties in zip((code, environment), assets, strict=True):
            answer = self.request("PUT", path, {"properties": properties})
            assert answer.status_code in (200, 201), answer.text
        return {
            "endpointComputeType": "Managed",
            "instanceType": "Standard_DS3_v2",
            "environmentId": environment,
            "codeConfiguration": {"codeId": code, "scoringScript": "score.py"},
        }

    def log(self) -> str:
        return (self.home / "logs" / "server.log").read_text()


@pytest.fixture
def make_azure(tmp_path: Path) -> Iterator[Callable[..., Azure]]:
    """A factory: a local Azure that is not started yet; all end with the test."""
    made: list[Azure] = []

    def make(home: Path | None = None) -> Azure:
        made.append(Azure(home or tmp_path / "home"))
        return made[-1]

    yield make
    for azure in made:
        azure.stop()
        azure.session.close()


@pytest.fixture
def azure(make_azure: Callable[..., Azure]) -> Azure:
    """One that runs."""
    running = make_azure()
    running.start()
    return running
