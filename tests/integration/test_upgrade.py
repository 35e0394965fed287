"""A stack of an earlier version, with its own models, is taken over: nothing is replaced, and serving continues.

The earlier version comes from the history, including its local Azure: that one accepted what Azure and today's local
Azure refuse (a model version that is not a whole number). Deployments are simulated.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rehearsal.home import LocalHome
from rehearsal.server_process import start
from rollout.errors import EngineRefused
from tests.integration.rehearsal import MODEL, ROOT, Azure, Stack, copy_project
from tests.ports import own_port

pytestmark = pytest.mark.integration

EARLIER = "b598b98"
NAMED = "fraud-detection-dev"  # the default name of that version


def in_history(commit: str) -> bool:
    asked = subprocess.run(["git", "cat-file", "-e", f"{commit}^{{commit}}"], cwd=ROOT, capture_output=True)
    return asked.returncode == 0


class Earlier:
    """The earlier version's program and commands, run from a folder of their own."""

    def __init__(self, folder: Path, home: Path) -> None:
        self.folder, self.home = folder, home
        folder.mkdir()
        archive = subprocess.run(["git", "archive", EARLIER], cwd=ROOT, capture_output=True, check=True).stdout
        subprocess.run(["tar", "-x", "-C", str(folder)], input=archive, check=True)
        (folder / ".venv").symlink_to(ROOT / ".venv")
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PULUMI_")}
        self.environment = {**kept, "PYTHONPATH": str(folder)}

    def sluice(self, *arguments: str) -> str:
        return self._run([sys.executable, "-m", "cli.main", *arguments])

    def enter(self, stack: str) -> None:
        """Continue as in a shell after `eval "$(sluice local env --stack ...)"`."""
        lines = self.sluice("local", "env", "--home", str(self.home), "--stack", stack)
        pairs = self._run(["bash", "-c", f"{lines}\nenv -0"]).split("\0")
        self.environment = dict(pair.split("=", 1) for pair in pairs if pair)

    def pulumi(self, *arguments: str) -> str:
        return self._run(["pulumi", "--non-interactive", *arguments])

    def _run(self, command: list[str]) -> str:
        program = shutil.which(command[0], path=self.environment["PATH"]) or command[0]
        done = subprocess.run(
            [program, *command[1:]],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.mark.skipif(not in_history(EARLIER), reason=f"a clone without the commit {EARLIER} has no earlier version")
def test_a_stack_of_an_earlier_version_is_updated_without_a_replacement(tmp_path: Path) -> None:
    home = LocalHome(tmp_path / "home")
    old = Earlier(tmp_path / "old", home.path)
    old.sluice("local", "start", "--home", str(home.path), "--compute", "simulated", "--port", str(own_port()))
    try:
        old.enter("dev")
        old.pulumi("up", "--yes", "--skip-preview")
        old.sluice("release", "publish", MODEL, "--stack", "dev")
        for _ in range(2):
            old.pulumi("up", "--yes", "--skip-preview")
    finally:
        old.sluice("local", "stop", "--home", str(home.path))

    start(home, port=None, flags=("--compute", "simulated"), say=lambda text: None)
    azure = Azure(home, tmp_path)
    try:
        project = copy_project(tmp_path / "new")
        shutil.rmtree(project / "models" / MODEL)
        shutil.copytree(old.folder / "models" / MODEL, project / "models" / MODEL)
        shutil.copytree(home.release_locks, tmp_path / "locks")
        (tmp_path / "stacks" / "dev").mkdir(parents=True)
        shutil.copy2(old.environment["PULUMI_OPTION_CONFIG_FILE"], tmp_path / "stacks" / "dev" / "Pulumi.dev.yaml")
        stack = Stack(azure, "dev", project=project, state=str(home.state))
        before = azure.get(stack.names.endpoint_id(NAMED))

        with pytest.raises(EngineRefused, match=f"Add the line `name: {NAMED}`"):
            stack.engine.preview()
        stack.edit(lambda config: config["sluice:endpoints"][MODEL].update(name=NAMED))
        preview = stack.engine.preview()
        assert not [str(change) for change in preview.changes if "replace" in change.op]
        kept = ("machinelearningservices:Workspace", ":OnlineEndpoint", ":OnlineDeployment", ":UserAssignedIdentity")
        touched = [one for one in preview.changes if one.type.endswith(kept) and "sluice:environment" in str(one.diffs)]
        assert [str(one) for one in touched if one.name != "platform-stack"] == []
        stack.engine.up()
        stack.engine.up()
        last = stack.engine.preview()
        assert last.is_empty, list(map(str, last.changes))

        after = azure.get(stack.names.endpoint_id(NAMED))
        assert after["systemData"]["createdAt"] == before["systemData"]["createdAt"]
        assert after["properties"]["traffic"] == before["properties"]["traffic"] == {"blue": 100}
        updated = [change for change in preview.changes if change.type.endswith(":OnlineDeployment")]
        assert [(change.op, change.name) for change in updated] == [("update", f"{MODEL}-blue-deployment")]
        assert set(updated[0].diffs) == {
            "properties.model",
            "properties.codeConfiguration.codeId",
        }
        blue = azure.get(f"{stack.names.endpoint_id(NAMED)}/deployments/blue")["properties"]
        assert blue["model"].endswith("/versions/1")
        assert blue["codeConfiguration"]["codeId"].endswith("/versions/1")
    finally:
        azure.stop()
