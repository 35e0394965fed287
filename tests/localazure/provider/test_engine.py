"""The plugin under the real engine, against the local control plane, with every resource type of the catalog."""

import contextlib
import dataclasses
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from localazure import identity
from localazure.catalog import RESOURCE_TYPES
from localazure.provider.install import install
from tests.waiting import HANGS, wait_until
from toolchain import cli_environment

pytestmark = pytest.mark.integration

PROGRAM = Path(__file__).parent / "every_type.py"
SERVER = Path(__file__).parent / "server_without_models.py"


@dataclasses.dataclass
class Project:
    """A Pulumi project and its stack on a local Azure of its own."""

    folder: Path
    environment: dict[str, str]

    def pulumi(self, *arguments: str, expect: int = 0) -> str:
        command = ["pulumi", *arguments, "--non-interactive", "--color", "never"]
        result = subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=HANGS
        )
        assert result.returncode == expect, result.stdout + result.stderr
        return result.stdout + result.stderr

    def changes(self, *arguments: str) -> dict[str, int]:
        """What a preview would do, `same` left out."""
        output = self.pulumi("preview", "--json", *arguments)
        summary: dict[str, int] = json.loads(output[output.index("{") :])["changeSummary"]
        return {operation: count for operation, count in summary.items() if operation != "same"}

    def steps(self) -> list[dict[str, Any]]:
        """The steps of a preview that change something."""
        output = self.pulumi("preview", "--json")
        steps = json.loads(output[output.index("{") :])["steps"]
        return [step for step in steps if step["op"] != "same"]

    def weigh(self, **weights: int) -> None:
        self.pulumi("config", "set", "traffic", json.dumps(weights))


@contextlib.contextmanager
def serving(home: Path) -> Iterator[Path]:
    """A local Azure in a home."""
    command = [sys.executable, str(SERVER), str(home)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            assert server.stdout.readline().startswith("https://localhost")
            yield home
        finally:
            server.terminate()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with serving(tmp_path_factory.mktemp("home")) as home:
        yield home


def new_project(home: Path, folder: Path) -> Project:
    served = json.loads((home / "server.json").read_text())
    install(home / "pulumi", Path(sys.executable))
    folder.mkdir()
    (home / "state").mkdir(exist_ok=True)
    venv = Path(sys.prefix)
    options = {"virtualenv": str(venv)} if sys.prefix != sys.base_prefix else {}
    project = {"name": folder.name, "runtime": {"name": "python", "options": options}}
    (folder / "Pulumi.yaml").write_text(json.dumps(project))
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("PULUMI_", "AZURE_", "ARM_"))}
    environment = cli_environment(inherited) | {
        "PULUMI_HOME": str(home / "pulumi"),
        "PULUMI_BACKEND_URL": (home / "state").as_uri(),
        "PULUMI_CONFIG_PASSPHRASE": "",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "SLUICE_LOCAL_ARM": served["https"],
        "SSL_CERT_FILE": str(home / "bundle.pem"),
        "IDENTITY_ENDPOINT": f"{served['http']}/msi/token",
        "IDENTITY_HEADER": "test",
        "ARM_SUBSCRIPTION_ID": identity.SUBSCRIPTION_ID,
    }
    created = Project(folder, environment)
    created.pulumi("stack", "init", "dev")
    created.pulumi("config", "set", "azure-native:location", "westeurope")
    return created


@pytest.fixture(scope="module")
def project(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Every type of the catalog, up, without weights; for tests that change nothing."""
    return every_type(home, tmp_path_factory.mktemp("projects") / "every")


def every_type(home: Path, folder: Path) -> Project:
    """The program that declares every type, up."""
    created = new_project(home, folder)
    shutil.copy(PROGRAM, created.folder / "__main__.py")
    created.pulumi("up", "--yes", "--skip-preview")
    return created


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Project]:
    """The same on a local Azure of its own, for tests that change it."""
    (tmp_path / "home").mkdir()
    with serving(tmp_path / "home") as home:
        yield every_type(home, tmp_path / "every")


def test_the_program_declares_every_type(project: Project) -> None:
    resources = json.loads(project.pulumi("stack", "export"))["deployment"]["resources"]
    declared = {resource["type"] for resource in resources}
    assert declared >= {kind.token for kind in RESOURCE_TYPES}


@pytest.mark.proves("catalog", drives=["PUT"], client="Pulumi engine")
def test_a_second_update_is_empty(project: Project) -> None:
    assert project.changes() == {}
    assert "unchanged" in project.pulumi("up", "--yes", "--skip-preview", "--expect-no-changes")


@pytest.mark.proves("catalog", drives=["get"], client="Pulumi engine")
def test_a_refresh_finds_nothing_to_change_in_any_type(project: Project) -> None:
    assert project.changes("--refresh") == {}


@pytest.mark.proves("onlineEndpoints", honours=["properties.traffic"], client="Pulumi engine")
def test_a_new_weight_previews_as_one_update_of_the_endpoint(own: Project) -> None:
    project = own
    project.weigh(blue=100)
    steps = project.steps()
    assert [(step["op"], step["urn"].split("::")[-1]) for step in steps] == [("update", "endpoint")]
    assert list(steps[0]["detailedDiff"]) == ["properties.traffic.blue"]
    project.pulumi("up", "--yes", "--skip-preview")
    assert project.changes("--refresh") == {}
    project.weigh()  # and none again
    project.pulumi("up", "--yes", "--skip-preview")
    assert project.changes("--refresh") == {}


@pytest.mark.proves("onlineEndpoints", refuses=["properties.traffic"], client="Pulumi engine")
def test_a_weight_that_azure_refuses_is_an_error_in_arms_words(own: Project) -> None:
    project = own
    project.weigh(purple=100)
    assert re.search(r'Status=4\d\d Code="\w+" Message=', project.pulumi("up", "--yes", "--skip-preview", expect=1))
    project.weigh(blue=100)
    project.pulumi("up", "--yes", "--skip-preview", "--refresh")
    assert project.changes("--refresh") == {}


def test_an_existing_endpoint_is_adopted_with_its_weights(own: Project, tmp_path: Path) -> None:
    project = own
    project.weigh(blue=100)
    project.pulumi("up", "--yes", "--skip-preview")
    endpoint_id = json.loads(project.pulumi("stack", "output", "--json"))["endpoint_id"]
    other = new_project(tmp_path / "home", tmp_path / "adopter")
    (other.folder / "__main__.py").write_text("")
    options = ("--protect=false", "--generate-code=false", "--skip-preview", "--yes")
    other.pulumi("import", "azure-native:machinelearningservices:OnlineEndpoint", "endpoint", endpoint_id, *options)
    resources = json.loads(other.pulumi("stack", "export"))["deployment"]["resources"]
    inputs = next(resource["inputs"] for resource in resources if resource["type"].endswith(":OnlineEndpoint"))
    assert inputs["properties"]["traffic"] == {"blue": 100}
    assert inputs["endpointName"] == "every-endpoint"
    assert inputs["identity"]["type"] == "UserAssigned"
    assert isinstance(inputs["identity"]["userAssignedIdentities"], list)


def test_a_getter_of_something_absent_raises_the_error_of_arm(home: Path, tmp_path: Path) -> None:
    reader = new_project(home, tmp_path / "reader")
    (reader.folder / "__main__.py").write_text(
        "from pulumi_azure_native import machinelearningservices as ml\n"
        "try:\n"
        "    ml.get_online_endpoint(endpoint_name='e', resource_group_name='g', workspace_name='w')\n"
        "except Exception as error:\n"
        "    print('raised', type(error).__name__, error)\n"
    )
    output = reader.pulumi("preview")
    assert re.search(r'raised Exception .*request failed /subscriptions/.*: Status=404 Code="\w+" Message="', output)


def test_a_type_that_is_not_emulated_stops_the_preview(home: Path, tmp_path: Path) -> None:
    stranger = new_project(home, tmp_path / "stranger")
    (stranger.folder / "__main__.py").write_text(
        "from pulumi_azure_native import sql\nsql.Server('server', resource_group_name='g')\n"
    )
    output = stranger.pulumi("preview", expect=1)
    assert "NotEmulated: the local Azure does not emulate the resource type azure-native:sql:Server" in output


def test_a_killed_engine_leaves_no_plugin_behind(home: Path, tmp_path: Path) -> None:
    sleeper = new_project(home, tmp_path / "sleeper")
    (sleeper.folder / "__main__.py").write_text(
        "import time\n"
        "from pulumi_azure_native import authorization\n"
        "authorization.get_client_config()\n"
        f"open({str(tmp_path / 'asked')!r}, 'w').close()\n"
        "time.sleep(3600)\n"
    )
    command = ["pulumi", "preview", "--non-interactive"]
    with subprocess.Popen(
        command, cwd=sleeper.folder, env=sleeper.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as engine:
        wait_until(lambda: (tmp_path / "asked").exists())
        plugins = [pid for pid in children(engine.pid) if b"localazure.provider" in command_line(pid)]
        programs = [pid for pid in descendants(engine.pid) if pid not in plugins]
        engine.send_signal(signal.SIGKILL)
    assert plugins
    try:
        wait_until(lambda: not any(command_line(pid) for pid in plugins))
    finally:
        for pid in programs:
            end(pid)


@pytest.mark.proves("deletable", drives=["DELETE"], client="Pulumi engine")
def test_destroy_leaves_nothing(own: Project) -> None:
    project = own
    output = project.pulumi("destroy", "--yes", "--skip-preview")
    assert re.search(r"\d+ deleted", output)
    assert json.loads(project.pulumi("stack", "export"))["deployment"].get("resources", []) == []
    assert project.changes().keys() == {"create"}


def children(pid: int) -> list[int]:
    return [int(child) for task in Path(f"/proc/{pid}/task").glob("*/children") for child in task.read_text().split()]


def descendants(pid: int) -> list[int]:
    return [one for child in children(pid) for one in [child, *descendants(child)]]


def command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def end(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
