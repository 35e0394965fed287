"""The seam to the CLI, against a fake `pulumi`: errors by kind, and no leak into the caller's environment."""

import json
import os
import stat
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from rollout.engine import ImportedResource, PulumiEngine, import_document
from rollout.errors import EngineFailed, EngineLocked, EngineRefused, EngineUnavailable
from tests.id_token_issuer import IdTokenIssuer
from tests.waiting import HANGS

PLAY = """#!{python}
import json, os, sys, time
script = json.load(open({script!r}))
with open({calls!r}, "a") as calls:
    calls.write(json.dumps(sys.argv[1:]) + "\\n")
if "--event-log" in sys.argv:
    with open(sys.argv[sys.argv.index("--event-log") + 1], "w") as log:
        for event in script.get("events", []):
            log.write(json.dumps(event) + "\\n")
            log.flush()
            while not os.path.exists(script.get("gate", "/")):
                time.sleep(0.01)
sys.stdout.write(script.get("stdout", ""))
sys.stderr.write(script.get("stderr", ""))
sys.exit(script.get("code", 0))
"""


class Stage:
    """A folder with a fake `pulumi` that follows instructions and records its calls."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.calls_file = folder / "calls"
        script, command = folder / "script.json", folder / "pulumi"
        command.write_text(PLAY.format(python=sys.executable, script=str(script), calls=str(self.calls_file)))
        command.chmod(command.stat().st_mode | stat.S_IXUSR)
        self.script = script
        self.engine = PulumiEngine(folder, "dev", {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"})

    def says(self, **script: object) -> PulumiEngine:
        self.script.write_text(json.dumps(script))
        return self.engine

    @property
    def calls(self) -> list[list[str]]:
        return [json.loads(line) for line in self.calls_file.read_text().splitlines()]


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def diagnostic(message: str) -> dict[str, object]:
    return {"diagnosticEvent": {"message": message, "severity": "error", "color": "raw"}}


def failed_step() -> dict[str, object]:
    return {"resOpFailedEvent": {"metadata": {"op": "create", "urn": "urn:a::b", "type": "t", "new": {"custom": True}}}}


def test_a_refusal_of_the_program_says_that_nothing_changed(stage: Stage) -> None:
    engine = stage.says(code=255, events=[diagnostic("weights sum to 95")])
    with pytest.raises(EngineRefused, match=r"(?s)refused, nothing changed.*weights sum to 95") as caught:
        engine.up()
    assert caught.value.errors == ("weights sum to 95",)


def test_a_failed_resource_is_no_refusal(stage: Stage) -> None:
    with pytest.raises(EngineFailed, match="quota exceeded"):
        stage.says(code=255, events=[failed_step(), diagnostic("quota exceeded")]).up()


def test_a_lock_names_the_command_that_repairs_it(stage: Stage) -> None:
    locked = "error: the stack is currently locked by 1 lock(s)."
    with pytest.raises(EngineLocked, match="sluice recover --stack dev"):
        stage.says(code=255, stderr=locked).up()


def test_a_missing_stack_is_unavailable_with_the_way_out(stage: Stage) -> None:
    with pytest.raises(EngineUnavailable, match="pulumi stack init dev"):
        stage.says(code=6, stderr="error: no stack named 'dev' found").export()


def test_an_end_without_any_message_is_reported_with_its_code(stage: Stage) -> None:
    with pytest.raises(EngineUnavailable, match="exit code 137: no message"):
        stage.says(code=137).up()


SHOW_LOGIN = """#!{python}
import json, os
file = os.environ["AZURE_FEDERATED_TOKEN_FILE"]
mode = oct(os.stat(file).st_mode & 0o777)
print(json.dumps({{"file": file, "mode": mode, "token": open(file).read()}}))
"""


def test_in_a_pipeline_the_cli_finds_a_fresh_token_that_ends_with_it(tmp_path: Path) -> None:
    command = tmp_path / "pulumi"
    command.write_text(SHOW_LOGIN.format(python=sys.executable))
    command.chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    with IdTokenIssuer() as issuer:
        names = {"AZURE_CLIENT_ID": "client", "AZURE_TENANT_ID": "tenant", "PATH": path}
        engine = PulumiEngine(tmp_path, "dev", issuer.github() | names)
        seen = [engine.outputs(), engine.outputs()]
    assert [one["token"] for one in seen] == issuer.issued
    assert {one["mode"] for one in seen} == {"0o600"}
    assert not any(Path(str(one["file"])).exists() for one in seen)


def test_no_command_on_path_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable, match="make setup"):
        PulumiEngine(tmp_path, "dev", {"PATH": str(tmp_path)}).preview()


def test_weights_are_set_in_one_write_and_stay_whole_numbers(stage: Stage) -> None:
    stage.says().config_set_all({"sluice:rollout.a.traffic.blue": 90, "sluice:flag": True})
    (call,) = stage.calls
    assert call[call.index("--path") + 1 :] == [
        *("--plaintext", "sluice:rollout.a.traffic.blue=90", "--plaintext", "sluice:flag=true", "--stack", "dev")
    ]


def test_structured_configuration_is_read_as_values(stage: Stage) -> None:
    answer = {"sluice:team": {"value": "a"}, "sluice:limits": {"value": '{"max_step":50}', "objectValue": {}}}
    config = stage.says(stdout=json.dumps(answer)).config()
    assert config == {"sluice:team": "a", "sluice:limits": {"max_step": 50}}


def test_events_are_handed_on_while_the_update_runs(stage: Stage) -> None:
    seen: list[object] = []
    first = threading.Event()

    def sink(event: object) -> None:
        seen.append(event)
        first.set()

    events = [{"sequence": number} for number in range(3)]
    gate = stage.folder / "gate"
    engine = stage.says(events=events, gate=str(gate))
    runner = threading.Thread(target=lambda: engine.up(on_event=sink))
    runner.start()
    assert first.wait(HANGS)
    assert seen == events[:1], "the update waits before its second event"
    gate.touch()
    runner.join()
    assert seen == events


def test_an_import_names_parents_that_are_known_and_parents_that_enter_with_it() -> None:
    document = import_document(
        [
            ImportedResource(urn="u::component", type="sluice:index:Endpoint", parent_urn="u::stack"),
            ImportedResource(
                urn="u::blue", type="t:OnlineDeployment", id="/id", parent_urn="u::component", version="3.29.0"
            ),
            ImportedResource(urn="u::blue2", type="t:X", id="/id2", parent_urn="u::stack", provider_urn="u::provider"),
        ]
    )
    component, blue, other = document["resources"]
    assert component["component"] is True
    assert component["logicalName"] == "component"
    assert blue["parent"] == component["name"]
    assert blue["version"] == "3.29.0"
    assert document["nameTable"][other["parent"]] == "u::stack"
    assert document["nameTable"][other["provider"]] == "u::provider"


def test_without_room_for_temporary_files_the_engine_is_unavailable(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = stage.says()
    monkeypatch.setattr(tempfile, "tempdir", str(stage.folder / "full"))
    for operation in (engine.up, engine.outputs):
        with pytest.raises(EngineUnavailable, match="pulumi cannot be run: no temporary file can be made: No such"):
            operation()
    assert not stage.calls_file.exists()


def test_an_update_of_targets_names_each_of_them(stage: Stage) -> None:
    engine = stage.says()
    engine.up(refresh=True, targets=["urn:a", "urn:b"])
    engine.preview(targets=["urn:a"])
    up, preview = stage.calls
    assert up[up.index("--yes") :][:7] == [
        *("--yes", "--skip-preview", "--refresh", "--target", "urn:a", "--target", "urn:b")
    ]
    assert preview[preview.index("--target") :][:3] == ["--target", "urn:a", "--suppress-outputs"]
