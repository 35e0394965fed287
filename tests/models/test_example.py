"""The example's scoring script validates its input. These tests run without scikit-learn and need no model."""

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from models.references import is_pinned
from tests.models.conftest import EXAMPLE

CURRENCIES_AMBER_CANNOT_SCORE = {"GBP", "CHF"}


@pytest.fixture
def score(monkeypatch: pytest.MonkeyPatch) -> Any:
    for name in ("joblib", "numpy", "azureml_inference_server_http", "azureml_inference_server_http.api"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    answers = ModuleType("aml_response")
    answers.AMLResponse = lambda *arguments, **named: (arguments, named)  # type: ignore[attr-defined]  # made here
    monkeypatch.setitem(sys.modules, "azureml_inference_server_http.api.aml_response", answers)
    spec = importlib.util.spec_from_file_location("score", EXAMPLE / "src" / "score.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    spec.loader.exec_module(module)
    return module


def traffic() -> list[str]:
    return (EXAMPLE / "sample-traffic.jsonl").read_text(encoding="utf-8").splitlines()


def test_the_sample_request_and_traffic_are_valid(score: Any) -> None:
    for request in [(EXAMPLE / "sample-request.json").read_text(encoding="utf-8"), *traffic()]:
        transactions, problems = score.parse(request)
        assert transactions
        assert problems == []


def test_the_defect_of_amber_shows_on_about_30_percent_of_the_traffic_and_not_in_the_sample_request() -> None:
    def currencies(request: str) -> set[str]:
        return {one["currency"] for one in json.loads(request)["transactions"]}

    hit = [request for request in traffic() if currencies(request) & CURRENCIES_AMBER_CANNOT_SCORE]
    assert 0.25 < len(hit) / len(traffic()) < 0.35
    sample = (EXAMPLE / "sample-request.json").read_text(encoding="utf-8")
    assert not currencies(sample) & CURRENCIES_AMBER_CANNOT_SCORE


GOOD = {
    "amount": 1.5,
    "hour": 3,
    "card_present": True,
    "account_age_days": 4,
    "currency": "EUR",
    "category": "fuel",
}


@pytest.mark.parametrize(
    ("change", "piece"),
    [
        ({"amount": 0}, "amount must be a number above 0, at most 1e9, got 0"),
        ({"amount": "1"}, 'amount must be a number above 0, at most 1e9, got "1"'),
        ({"amount": True}, "amount must be"),
        ({"amount": 10**400}, "amount must be"),
        ({"amount": float("nan")}, "amount must be"),
        ({"hour": 24}, "hour must be a whole number from 0 to 23, got 24"),
        ({"hour": 3.0}, "hour must be"),
        ({"card_present": 1}, "card_present must be true or false, got 1"),
        ({"currency": "eur"}, "currency must be three capital letters"),
        ({"category": ""}, "category must be a text"),
        ({"colour": "red"}, "colour is not known"),
    ],
)
def test_wrong_input_is_answered_with_400_and_the_reason(change: dict[str, Any], piece: str, score: Any) -> None:
    (body, status), _ = score.run(json.dumps({"transactions": [GOOD, {**GOOD, **change}]}))
    assert status == 400
    (problem,) = body["problems"]
    assert problem.startswith("transactions[1].")
    assert piece in problem


@pytest.mark.parametrize("body", ["", "nope", "[]", "{}", '{"transactions": []}', '{"transactions": 3}', "null"])
def test_a_body_of_another_shape_is_answered_with_400(body: str, score: Any) -> None:
    (answer, status), _ = score.run(body)
    assert status == 400
    assert len(answer["problems"]) == 1


def test_every_requirement_is_an_exact_pin() -> None:
    conda = yaml.safe_load((EXAMPLE / "conda.yml").read_text(encoding="utf-8"))
    (pip,) = [one["pip"] for one in conda["dependencies"] if isinstance(one, dict)]
    assert pip
    assert all("==" in requirement for requirement in pip)


@pytest.mark.parametrize("name", ["amber", "blue", "green"])
def test_every_image_names_its_version(name: str) -> None:
    environment = yaml.safe_load((EXAMPLE / f"{name}.yml").read_text(encoding="utf-8"))["environment"]
    assert is_pinned(environment["image"])


def test_the_artefacts_were_written_by_the_version_that_serves() -> None:
    conda = (EXAMPLE / "conda.yml").read_text(encoding="utf-8")
    for about in sorted(Path(EXAMPLE / "artefacts").glob("*/about.json")):
        library, version = json.loads(about.read_text(encoding="utf-8"))["trained_with"].split()
        assert f"{library}=={version}" in conda
