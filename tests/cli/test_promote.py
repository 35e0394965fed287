"""`sluice promote` on a clone with the example model: frozen from the folder, pinned in prod, pushed or written."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml

from cli.main import main
from models.loader import load_model
from models.release_document import read
from models.spec import content_digest
from tests.delivery.promotions import MODEL, PROD
from tests.delivery.records import BLUE, ID, content_of, done
from tests.models.conftest import EXAMPLE
from tests.rollout.repository.clones import Checkout, Remote

pytestmark = pytest.mark.slow

DEV = f"""\
config:
  azure-native:location: westeurope
  sluice:team: payments
  sluice:network: public
  sluice:endpoints: {{{MODEL}: {{deployments: {{blue: {{instances: 1}}, green: {{instances: 1}}}}}}}}
  sluice:rollout: {{{MODEL}: {{stable: green, traffic: {{blue: 0, green: 100}}}}}}
"""
Output = pytest.CaptureFixture[str]


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Checkout:
    """The working directory, of depth 1: dev serves green of the example, which a rollout has proven."""
    remote = Remote(tmp_path, stack=PROD)
    seed = Checkout(tmp_path / "seed", remote.environment)
    shutil.copytree(EXAMPLE, seed.path / "models" / MODEL, ignore=shutil.ignore_patterns("__pycache__"))
    content = content_digest(load_model(seed.path / "models" / MODEL, ["green"]).deployments["green"])
    colours = {"blue": {"release": "b" * 16, "content": BLUE}, "green": {"release": "a" * 16, "content": content}}
    record = seed.path / f"rollouts/dev/{MODEL}/{ID}.jsonl"
    record.parent.mkdir(parents=True)
    record.write_bytes(content_of(done(colours=colours)))
    (seed.path / "Pulumi.yaml").write_text("name: sluice\n")
    (seed.path / "Pulumi.dev.yaml").write_text(DEV)
    (seed.path / ".gitattributes").write_text("models/** -text\n")
    seed.git("add", "--all")
    seed.git("commit", "--quiet", "-m", "The example")
    seed.git("push", "--quiet", "origin", "HEAD:refs/heads/main")
    checkout = remote.checkout("clone", "--depth=1")
    for name in ("ARM_CLOUD_METADATA_URL", "ARM_ENVIRONMENT", "GITHUB_REPOSITORY", "GITHUB_ACTIONS", "TF_BUILD"):
        monkeypatch.delenv(name, raising=False)
    for name, value in checkout.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(checkout.path)
    return checkout


def files(clone: Checkout) -> dict[str, bytes]:
    """Every file outside of .git; models are no text."""
    found = (path for path in clone.path.rglob("*") if path.is_file() and ".git" not in path.parts)
    return {str(path.relative_to(clone.path)): path.read_bytes() for path in found}


def promote(*options: str) -> int:
    return main(["promote", MODEL, "--from", "dev", "--to", "prod", *options])


def test_three_files_of_the_checkout_change_and_a_second_run_changes_none(clone: Checkout, capsys: Output) -> None:
    assert promote("--json") == 0
    said = json.loads(capsys.readouterr().out)
    stem = f"models/{MODEL}/releases/{said['content'][:16]}"
    assert said["changed"] == ["Pulumi.prod.yaml", f"{stem}.json", f"{stem}.proofs.jsonl"]
    assert (said["colour"], said["branch"], said["pull_request"]) == ("green", None, None)
    document = read(clone.path, MODEL, said["content"])
    assert document.commit == clone.git("rev-parse", "HEAD")
    assert {"model", "code"} == {entry.part for entry in document.files}
    text = (clone.path / "Pulumi.prod.yaml").read_text()
    assert text.startswith("# prod: ask Ana before you change it\n")
    endpoint = yaml.safe_load(text)["config"]["sluice:endpoints"][MODEL]
    assert endpoint["deployments"]["green"]["release"] == document.short
    assert "traffic: {blue: 100}" in text

    before = files(clone)
    assert promote() == 0
    assert "prod has this release already, as green: nothing was changed." in capsys.readouterr().err
    assert files(clone) == before


def test_a_branch_is_pushed_and_the_checkout_stays(clone: Checkout, capsys: Output) -> None:
    before = files(clone)
    assert promote("--branch") == 0
    out, err = capsys.readouterr()
    assert "**green enters fraud-detection in prod at 0 %.**" in out
    (branch,) = [line.split("refs/heads/")[1] for line in clone.git("ls-remote", "origin", "promote/*").splitlines()]
    assert branch.startswith(f"promote/prod/{MODEL}-")
    assert f"{branch} pushed." in err
    assert files(clone) == before
    assert promote("--branch", "--json") == 0
    assert json.loads(capsys.readouterr().out)["pushed"] is False


def test_files_that_the_commit_does_not_have_are_not_promoted(clone: Checkout, capsys: Output) -> None:
    """The content is the proven one, but no other clone could check it out."""
    script = next((clone.path / "models" / MODEL).rglob("score.py"))
    clone.git("rm", "--quiet", "--cached", str(script))
    clone.git("commit", "--quiet", "-m", "Remove the script")
    before = files(clone)
    assert promote() == 2
    assert "score.py" in capsys.readouterr().err
    assert files(clone) == before


def test_a_folder_that_has_moved_on_is_not_what_was_proven(clone: Checkout, capsys: Output) -> None:
    script = next((clone.path / "models" / MODEL).rglob("score.py"))
    script.write_text(script.read_text() + "# more\n")
    assert promote() == 2
    said = capsys.readouterr().err
    assert f"the rollout {ID} proved" in said
    assert "which does not serve in dev now" in said


def test_a_pull_request_needs_a_git_server(clone: Checkout, capsys: Output) -> None:
    assert promote("--open-pr") == 2
    assert "--open-pr needs a git server" in capsys.readouterr().err


def test_an_origin_that_does_not_answer_ends_with_4(clone: Checkout) -> None:
    clone.git("remote", "set-url", "origin", "file:///nowhere.git")
    before = files(clone)
    assert promote() == 4
    assert files(clone) == before


def test_a_pinned_colour_without_its_document_is_a_difference_that_needs_no_azure(
    clone: Checkout, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARM_SUBSCRIPTION_ID", "00000000-0000-0000-0000-000000000001")
    monkeypatch.delenv("PULUMI_OPTION_CONFIG_FILE", raising=False)
    pinned = DEV.replace("blue: {instances: 1}, green: {", f'green: {{release: "{"0" * 16}", ')
    (clone.path / "Pulumi.dev.yaml").write_text(pinned.replace("blue: 0, ", ""))
    assert main(["release", "verify", "--stack", "dev"]) == 1
    said = capsys.readouterr().out
    assert said.startswith(f"DIFFERENT  {MODEL} green document: there is no release document")
