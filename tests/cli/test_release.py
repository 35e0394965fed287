"""`sluice release publish`: one start and one login for any number of models, and every problem at once."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from azure.storage.blob import ContainerClient

from cli import release
from cli.main import main
from cli.release import model_folders
from command_errors import UsageError
from models import azureml
from models.loader import load_model
from models.pin import document_of
from models.publisher import Destination
from models.release_document import write
from models.release_lock import read_lock
from tests.models.blob_server import BlobServer
from tests.models.conftest import EXAMPLE

WORKSPACE = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.MachineLearningServices/workspaces/ws"
ACCOUNT = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/stshop"


@pytest.mark.parametrize("name", ["fraud-detektion", "../models/fraud-detection", ".", ".."])
def test_unknown_models_are_named_together_with_the_known_ones(name: str) -> None:
    with pytest.raises(UsageError) as refused:
        model_folders(["fraud-detection", name, "nowhere"])
    text = str(refused.value)
    assert f"there is no model {name!r}" in text
    assert "there is no model 'nowhere'" in text
    assert "Known: fraud-detection" in text


NAMES = ("shop", "fraud", "risk")


class Project:
    """A checkout with three models, a stack that declares two of them, and the stack's storage account."""

    def __init__(self, root: Path, server: BlobServer) -> None:
        self.root, self.server = root, server
        self.signed_in = 0
        self.starts: list[int] = []
        for name in NAMES:
            folder = Path(shutil.copytree(EXAMPLE, root / "models" / name))
            for file in folder.glob("*.yml"):
                file.write_text(file.read_text().replace("fraud-detection", name))
            (folder / "src" / "score.py").write_text(f"# {name}\ndef init(): ...\n\ndef run(raw_data): ...\n")
        stack = {
            "azure-native:location": "westeurope",
            "azure-native:subscriptionId": "s",
            "sluice:team": "payments",
            "sluice:network": "public",
            "sluice:endpoints": {"shop": {}, "risk": {}},
        }
        (root / "Pulumi.yaml").write_text("name: sluice\n")
        (root / "Pulumi.dev.yaml").write_text(yaml.safe_dump({"config": stack}))

    @property
    def destination(self) -> Destination:
        return Destination(
            workspace_id=WORKSPACE,
            workspace_guid="guid",
            datastore="workspaceblobstore",
            storage_account="stshop",
            storage_account_id=ACCOUNT,
            blob_endpoint=self.server.address,
            container="store",
            public=True,
        )

    def published(self) -> list[str]:
        return [name for name in NAMES if read_lock(self.root / "models" / name).stacks]


@pytest.fixture
def project(tmp_path: Path, shared_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    server = BlobServer()
    project = Project(tmp_path / "checkout", server)
    monkeypatch.chdir(project.root)
    monkeypatch.setenv("XDG_CACHE_HOME", str(shared_cache))
    for name in ("SLUICE_RELEASE_LOCKS", "PULUMI_OPTION_CONFIG_FILE", "PULUMI_STACK"):
        monkeypatch.delenv(name, raising=False)

    def find(stack: str, file: Path | None = None) -> tuple[Any, Destination]:
        project.signed_in += 1
        return None, project.destination

    run = azureml._run
    monkeypatch.setattr(azureml, "_run", lambda requests: project.starts.append(len(requests)) or run(requests))
    monkeypatch.setattr(release, "publishing_place", find)
    monkeypatch.setattr(
        release, "container_of", lambda at, _: ContainerClient(at.blob_endpoint, at.container, retry_total=0)
    )
    yield project
    server.close()


@pytest.fixture(scope="module")
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


STARTS_AZURE_AI_ML = pytest.mark.integration  # two seconds


@STARTS_AZURE_AI_ML
def test_several_models_take_one_start_and_one_login(
    project: Project, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each name was a process of its own: eight models took 37 s."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cold"))
    assert main(["release", "publish", "shop", "fraud", "shop", "--stack", "dev"]) == 0
    assert (project.starts, project.signed_in) == ([8], 1)
    assert project.published() == ["shop", "fraud"]
    out, err = capsys.readouterr()
    assert [line.split(",")[0] for line in out.splitlines()] == [
        f"{name}: 7 files were uploaded" for name in ("shop", "fraud")
    ]
    assert "release.lock.yml written; commit it" in out
    assert "publishing shop, fraud to stshop/store (stack dev)" in err
    assert "about.json (0 kB) is uploaded" in err  # no bar without a terminal: one line per file


@STARTS_AZURE_AI_ML
def test_a_pin_of_the_stack_file_is_published_in_place_of_what_the_folder_says(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = project.root / "models" / "shop"
    spec = load_model(folder, ["blue"]).deployments["blue"]
    document = document_of(spec, folder, "c" * 40)
    write(project.root, document)
    for name in ("blue.yml", "green.yml", "amber.yml"):
        (folder / name).unlink()
    stack_file = project.root / "Pulumi.dev.yaml"
    deployments = {"blue": {"release": document.short}}
    stack_file.write_text(
        stack_file.read_text().replace("shop: {}", f"shop: {json.dumps({'deployments': deployments})}")
    )
    assert main(["release", "publish", "shop", "--stack", "dev"]) == 0
    assert "shop: 3 files were uploaded" in capsys.readouterr().out
    assert len(read_lock(folder).stacks["dev"].assets) == 2

    (folder / "src" / "score.py").write_text("# the next release\n")
    project.server.blobs.clear()
    assert main(["release", "publish", "shop", "--stack", "dev"]) == 2
    error = capsys.readouterr().err
    assert f"the bytes of score.py of release {document.short} are nowhere" in error
    assert "Give --from STACK" in error


@STARTS_AZURE_AI_ML
def test_all_is_what_the_stack_declares(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["release", "publish", "--all", "--stack", "dev", "--json"]) == 0
    assert project.published() == ["shop", "risk"]
    results = json.loads(capsys.readouterr().out)
    assert [(one["model"], one["uploaded_files"]) for one in results] == [("risk", 7), ("shop", 7)]
    assert main(["release", "publish", "risk", "--stack", "dev", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["uploaded_files"] == 0


@STARTS_AZURE_AI_ML
def test_what_is_wrong_with_any_model_is_reported_before_anything_is_uploaded(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("shop", "risk"):
        (project.root / "models" / name / "blue.yml").write_text("name: [")
    assert main(["release", "publish", *NAMES, "--stack", "dev"]) == 2
    told = capsys.readouterr().err
    assert "shop/blue.yml: the YAML cannot be read" in told
    assert "risk/blue.yml: the YAML cannot be read" in told
    assert (project.server.requests, project.signed_in) == ([], 0)


@STARTS_AZURE_AI_ML
def test_a_failure_names_the_command_that_goes_on(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    project.server.fail(500, "InternalError")
    assert main(["release", "publish", "shop", "risk", "--stack", "dev"]) == 4
    assert "run `sluice release publish shop risk --stack dev` again" in capsys.readouterr().err


@STARTS_AZURE_AI_ML
def test_the_lock_of_a_rehearsal_is_not_to_be_committed(
    project: Project, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It lies where git ignores it."""
    locks = project.root / ".sluice" / "local" / "locks"
    monkeypatch.setenv("SLUICE_RELEASE_LOCKS", str(locks))
    assert main(["release", "publish", "shop", "--stack", "dev"]) == 0
    told = capsys.readouterr().out
    assert "commit" not in told
    assert f"release.lock.yml written outside the repository, because SLUICE_RELEASE_LOCKS is set ({locks}" in told


@STARTS_AZURE_AI_ML
def test_a_model_without_local_files_needs_no_azure(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    reference = {"name": "blue", "endpoint_name": "shop", "instance_type": "Standard_DS3_v2", "instance_count": 1}
    folder = project.root / "models" / "shop"
    (folder / "blue.yml").write_text(
        yaml.safe_dump({**reference, "model": "azureml:m:1", "environment": "azureml:e:1"})
    )
    assert main(["release", "publish", "shop", "-d", "blue", "--stack", "dev", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"model": "shop", "stack": "dev", "assets": []}
    assert project.signed_in == 0


@pytest.mark.parametrize(
    ("arguments", "piece"),
    [
        ([], "name the models to publish, or give --all"),
        (["shop", "--all"], "not both"),
        (["shop", "risk", "-d", "blue"], "--deployment goes with one MODEL"),
        (["--all", "-d", "blue"], "--deployment goes with one MODEL"),
        (["shopp", "riskk"], "Did you mean shop?"),
    ],
)
def test_wrong_use_is_told_at_once(
    arguments: list[str], piece: str, project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["release", "publish", *arguments, "--stack", "dev"]) == 2
    assert piece in capsys.readouterr().err
    assert (project.starts, project.signed_in) == ([], 0)


def test_all_of_a_stack_without_endpoints_is_told(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    stack = project.root / "Pulumi.dev.yaml"
    content = yaml.safe_load(stack.read_text())
    content["config"]["sluice:endpoints"] = {}
    stack.write_text(yaml.safe_dump(content))
    assert main(["release", "publish", "--all", "--stack", "dev"]) == 2
    assert "declares no endpoint" in capsys.readouterr().err
