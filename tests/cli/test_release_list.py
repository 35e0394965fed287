"""`sluice release list`, `show` and `diff` on a clone: what is served where, what it is, and what differs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli.main import main
from models.proof import proofs_text
from tests.delivery.promotions import DEV, MODEL, PROD, PROOFS, RELEASE, document, plan, proven, tip
from tests.delivery.records import ID, content_of
from tests.rollout.repository.clones import Checkout, Remote

pytestmark = pytest.mark.slow

OTHER = document({"environmentVariables": {"DB": "prod.example"}})


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Checkout:
    """The working directory: dev serves a pinned release that a rollout proved, prod another pinned one."""
    checkout = Remote(tmp_path, stack=PROD).checkout("clone")
    dev = DEV.replace("green: {", f'green: {{release: "{RELEASE.short}", ').replace("blue: {instances: 1}, ", "")
    prod = PROD.replace("          instances", f'          release: "{OTHER.short}"\n          instances')
    files = {
        "Pulumi.yaml": "name: sluice\n",
        "Pulumi.dev.yaml": dev,
        "Pulumi.prod.yaml": prod,
        f"models/{MODEL}/endpoint.yml": f"name: {MODEL}\n",
        f"rollouts/dev/{MODEL}/{ID}.jsonl": content_of(proven()).decode(),
        RELEASE.path: RELEASE.text(),
        OTHER.path: OTHER.text(),
        PROOFS: proofs_text([plan(tip()).proven.proof]),
    }
    for name, text in files.items():
        (checkout.path / name).parent.mkdir(parents=True, exist_ok=True)
        checkout.commit(name, text)
    for name, value in checkout.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("PULUMI_OPTION_CONFIG_FILE", raising=False)
    monkeypatch.chdir(checkout.path)
    return checkout


Output = pytest.CaptureFixture[str]


def test_every_stack_is_listed_as_origin_has_it(clone: Checkout, capsys: Output) -> None:
    (clone.path / "Pulumi.dev.yaml").write_text(DEV.replace("green: 100", "green: 0"))  # not pushed
    assert main(["release", "list"]) == 0
    headings, dev, prod = capsys.readouterr().out.splitlines()
    assert headings.split() == ["STACK", "ENDPOINT", "COLOUR", "WEIGHT", "CONTENT", "SINCE", "BY", "PROOF"]
    assert dev.split()[:7] == ["dev", MODEL, "green", "100", "%", "(stable)", RELEASE.short]
    assert f"ada  dev {ID}; rollout {ID}" in dev
    assert prod.split()[:7] == ["prod", MODEL, "blue", "100", "%", "(stable)", OTHER.short]


def test_one_stack_of_this_checkout_is_listed_without_origin(clone: Checkout, capsys: Output) -> None:
    clone.git("remote", "remove", "origin")
    assert main(["release", "list", "--here", "--stack", "dev", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["stack"], row["colour"], row["weight"], row["by"]) == ("dev", "green", 100, "ada")
    assert row["proofs"][0]["rollout"] == ID
    assert main(["release", "list", "--stack", "dev"]) == 2


def test_an_origin_that_does_not_answer_ends_with_4(clone: Checkout) -> None:
    clone.git("remote", "set-url", "origin", "file:///nowhere.git")
    assert main(["release", "list"]) == 4
    assert main(["release", "diff", "dev", "prod"]) == 4


def test_an_unknown_stack_is_refused_with_those_that_there_are(clone: Checkout, capsys: Output) -> None:
    assert main(["release", "list", "--stack", "pord"]) == 2
    assert "there is no stack file Pulumi.pord.yaml (stacks: dev, prod). Did you mean prod?" in capsys.readouterr().err


def test_a_release_is_shown_with_its_proofs_and_pins_and_no_value_of_a_variable(
    clone: Checkout, capsys: Output
) -> None:
    assert main(["release", "show", MODEL, RELEASE.short]) == 0
    shown = capsys.readouterr().out
    assert f"{MODEL} {RELEASE.content}" in shown
    assert "pinned: green in dev" in shown
    assert f"dev {ID}: 3 of 1,200 requests failed (0.25%), from real callers" in shown
    assert "body.environmentVariables.DB: set (not shown)" in shown
    assert "dev.example" not in shown


@pytest.mark.parametrize(("content", "said"), [("0" * 16, "there is no release document"), ("xyz", "CONTENT must be")])
def test_a_release_that_is_not_there_is_refused(clone: Checkout, capsys: Output, content: str, said: str) -> None:
    assert main(["release", "show", MODEL, content]) == 2
    assert said in capsys.readouterr().err


def test_two_stacks_that_serve_different_releases_end_with_1(clone: Checkout, capsys: Output) -> None:
    assert main(["release", "diff", "dev", "prod"]) == 1
    assert capsys.readouterr().out == (
        f"{MODEL}: {RELEASE.short} -> {OTHER.short}\n"
        "  ~ setting body.environmentVariables.DB: set (not shown) -> set (not shown)\n"
    )
    assert main(["release", "diff", "dev", "dev"]) == 0
    assert capsys.readouterr().out == f"{MODEL}: the same content, {RELEASE.short}\n"


def test_two_documents_are_compared_by_their_contents(clone: Checkout, capsys: Output) -> None:
    assert main(["release", "diff", RELEASE.short, OTHER.content, "--json"]) == 1
    said = json.loads(capsys.readouterr().out)
    assert said["equal"] is False
    (difference,) = said["endpoints"][MODEL]["differences"]
    assert difference["name"] == "body.environmentVariables.DB"
    assert main(["release", "diff", RELEASE.short, RELEASE.content]) == 0


def test_an_endpoint_that_only_one_stack_serves_is_a_difference(clone: Checkout, capsys: Output) -> None:
    clone.commit("Pulumi.prod.yaml", PROD.replace("traffic: {blue: 100}", "traffic: {blue: 0}"))
    assert main(["release", "diff", "dev", "prod"]) == 1
    assert capsys.readouterr().out == f"{MODEL}: only dev serves it\n"


@pytest.mark.parametrize(
    ("second", "said"),
    [
        ("nope", "'nope' must be a stack (there are: dev, prod) or 16 to 64 hexadecimal digits"),
        (RELEASE.short, "a stack and a content cannot be compared"),
    ],
)
def test_what_cannot_be_compared_is_refused(clone: Checkout, capsys: Output, second: str, said: str) -> None:
    assert main(["release", "diff", "dev", second]) == 2
    assert said in capsys.readouterr().err
    assert main(["release", "diff", "0" * 16, RELEASE.short]) == 2
