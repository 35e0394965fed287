"""The recordings to replay (`--recordings DIR` or SLUICE_RECORDINGS), and a local Azure whose model answers as told."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from localazure.arm.machine_learning_api import ServiceVersion
from localazure.coverage.deviations import DEVIATIONS
from tests.localazure.conformance.replay import Replay, Step
from tests.localazure.conftest import LocalAzure
from tests.localazure.routed_plane import RoutedPlane
from tests.waiting import HANGS

VARIABLE = "SLUICE_RECORDINGS"


def recordings_of(config: pytest.Config) -> list[Path]:
    """The files to replay, none where no folder was given."""
    folder = config.getoption("--recordings", default=None) or os.environ.get(VARIABLE)
    return sorted(Path(folder).glob("*.json")) if folder else []


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One case for each recording, and for each deviation that one of them shows; one skip where there are none."""
    files = {file.stem: file for file in recordings_of(metafunc.config)}
    why = f"recordings of the real service are not in the repository: give their folder by --recordings or {VARIABLE}"
    missing = pytest.param(None, marks=pytest.mark.skip(reason=why), id="none")
    if "recording" in metafunc.fixturenames:
        cases = [pytest.param(file, id=stem) for stem, file in files.items()]
        metafunc.parametrize("recording", cases or [missing])
    if "deviation" in metafunc.fixturenames:
        shown = [one for one in DEVIATIONS if files.keys() & set(one.seen_in)]
        cases = [pytest.param(one, id=one.name.replace(" ", "-")) for one in shown]
        metafunc.parametrize("deviation", cases or [missing])


class Driver:
    """HTTP requests to a running local Azure."""

    def __init__(self, azure: LocalAzure) -> None:
        import requests  # slow to import, and only these tests need it

        self.https, self._http = azure.https, azure.http
        self._session = requests.Session()
        self._session.trust_env = False  # or a preset bundle of certificates would win
        self._session.verify = azure.trust
        self._session.headers["Authorization"] = "Bearer x"
        self._control = {"X-Local-Token": (azure.home / "control.token").read_text()}

    def call(
        self, method: str, url: str, body: Any = None, headers: dict[str, str] | None = None, *, query: str = ""
    ) -> Any:
        payload = {"data": body} if isinstance(body, str) else {"json": body}
        return self._session.request(method, url + query, headers=headers, timeout=HANGS, **payload)

    def control(self, method: str, what: str, body: Any = None) -> Any:
        return self.call(method, f"{self.https}/_local/{what}", body, self._control)

    def token(self, resource: str) -> str:
        url = f"{self._http}/msi/token?resource={resource}"
        return str(self.call("GET", url, headers={"X-IDENTITY-HEADER": "local"}).json()["access_token"])

    def close(self) -> None:
        self._session.close()


class Recordings:
    """Replays every file once, however many tests ask for it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._replayed: dict[str, list[Step]] = {}

    def replay(self, file: Path) -> list[Step]:
        if file.stem not in self._replayed:
            self._replayed[file.stem] = self._run(file)
        return self._replayed[file.stem]

    def _run(self, file: Path) -> list[Step]:
        text = file.read_text()
        plane = RoutedPlane()
        azure = LocalAzure(self._folder / file.stem, plane, service=_service_version(text))
        driver = Driver(azure)
        try:
            return list(Replay(driver, json.loads(text), lambda answer: setattr(plane, "answer", answer)).run())
        finally:
            driver.close()
            azure.close()


def _service_version(text: str) -> ServiceVersion:
    """Which of the two services was recorded: their operation ids differ."""
    if "/oeidp:" in text or "/odidp:" in text or "bes:" in text:
        return ServiceVersion.NEWER
    return ServiceVersion.OLDER if "/mfeOperation" in text else ServiceVersion.BY_API_VERSION


@pytest.fixture(scope="session")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Recordings:
    return Recordings(tmp_path_factory.mktemp("conformance"))
