"""`sluice ci` around its parts: where a comment goes, what an issue says, what a summary has."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from cli import ci_drift
from cli.ci_preview import show
from cli.main import main
from delivery.run.drift import drift_marker
from delivery.run.pipeline_world import PipelineWorld
from git_server.port import GitServerUnreachable
from rollout.events import Change, Preview
from tests.delivery.recorded_previews import report
from tests.git_server.memory import MemoryServer, refused

TOKEN = "ghs_secret"


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[MemoryServer], PipelineWorld]:
    """A run of GitHub Actions with a git server in memory."""

    def build(server: MemoryServer) -> PipelineWorld:
        variables = {
            "GITHUB_ACTIONS": "true",
            "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
            "GITHUB_TOKEN": TOKEN,
            "GITHUB_ACTOR": "ana",
            "GITHUB_REF": "refs/pull/7/merge",
        }
        built = PipelineWorld(tmp_path, variables)
        built.__dict__["server"] = server
        monkeypatch.setattr(PipelineWorld, "entered", classmethod(lambda _: built))
        return built

    return build


def test_a_preview_is_a_comment_and_the_jobs_summary(
    world: Callable[[MemoryServer], PipelineWorld], tmp_path: Path
) -> None:
    server = MemoryServer()
    shown = report("green", commit="1a2b3c4d5e6f7890")
    show(world(server), shown, 7, str(tmp_path / "comment.md"))
    text = server.comments[7, shown.marker]
    assert "1a2b3c4d5e6f" in text
    assert (tmp_path / "summary.md").read_text().strip() == text.strip()
    assert (tmp_path / "comment.md").read_text() == f"{shown.marker}\n{text}"


def test_a_text_that_could_not_be_written_is_refused_before_the_preview(
    world: Callable[[MemoryServer], PipelineWorld], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world(MemoryServer())
    file = tmp_path / "missing" / "comment.md"
    assert main(["ci", "preview", "--stack", "dev", "--markdown", str(file)]) == 2
    assert f"--markdown names {file}, whose folder does not exist. Create it." in capsys.readouterr().err


@pytest.mark.parametrize("error", [refused(403), refused(404), refused(422), GitServerUnreachable("answered 502")])
def test_a_comment_that_is_refused_goes_to_the_summary_and_is_no_failure(
    world: Callable[[MemoryServer], PipelineWorld], tmp_path: Path, error: Exception
) -> None:
    show(world(MemoryServer(refuses={"upsert_comment": error})), report("green"), 7, None)
    summary = (tmp_path / "summary.md").read_text()
    assert "enters" in summary
    assert "The pull request has no comment: " in summary


def test_a_secret_of_the_run_is_hidden_wherever_it_appears(
    world: Callable[[MemoryServer], PipelineWorld], tmp_path: Path
) -> None:
    server = MemoryServer()
    shown = report("refused", failures=(f"the token {TOKEN} is refused.",))
    show(world(server), shown, 7, str(tmp_path / "comment.md"))
    written = [server.comments[7, shown.marker], *(path.read_text() for path in tmp_path.iterdir() if path.is_file())]
    assert all(TOKEN not in text for text in written)


class Engine:
    """Shows the given previews, one after the other."""

    def __init__(self, *previews: Preview) -> None:
        self.previews = list(previews)

    def preview(self, *, refresh: bool) -> Preview:
        assert refresh
        return self.previews.pop(0)


def test_drift_keeps_one_issue_and_closes_it_when_clean(
    world: Callable[[MemoryServer], PipelineWorld], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: shop\n")
    vault = Change(op="update", urn="u", type="azure-native:keyvault:Vault", name="v@ult", diffs=("tags.a",))
    engine = Engine(Preview(changes=(vault,)), Preview(changes=(vault, vault)), Preview(), Preview())
    monkeypatch.setattr(ci_drift, "engine_of", lambda stack: engine)
    server, marker = MemoryServer(), drift_marker("shop", "prod")
    world(server)
    command = ["ci", "drift", "--stack", "prod"]
    assert main(command) == 1
    assert "shows 1 resource that differs" in server.issues[marker][1]
    assert "v&#64;ult" in server.issues[marker][1]
    assert main(command) == 1
    assert "shows 2 resources that differ" in server.issues[marker][1]
    assert len(server.issues) == 1
    assert main(command) == 0
    assert not server.issues[marker][0].is_open
    assert main(command) == 0


def test_an_issue_that_is_refused_changes_no_exit_code(
    world: Callable[[MemoryServer], PipelineWorld], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: shop\n")
    vault = Change(op="update", urn="u", type="azure-native:keyvault:Vault", name="vault")
    monkeypatch.setattr(ci_drift, "engine_of", lambda stack: Engine(Preview(changes=(vault,))))
    world(MemoryServer(refuses={"upsert_issue": refused(403)}))
    assert main(["ci", "drift", "--stack", "prod"]) == 1
    assert "shows 1 resource that differs" in (tmp_path / "summary.md").read_text()


def test_a_comment_needs_a_pull_request(
    world: Callable[[MemoryServer], PipelineWorld], capsys: pytest.CaptureFixture[str]
) -> None:
    built = world(MemoryServer())
    built.variables["GITHUB_REF"] = "refs/heads/main"  # type: ignore[index]  # a dict in this test
    assert main(["ci", "preview", "--stack", "dev", "--comment"]) == 2
    assert "--comment needs a run of a pull request" in capsys.readouterr().err
