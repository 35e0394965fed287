"""The coverage page cannot lie: fields exist, what is stored comes back, operations answer, every claim has a proof."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from localazure.catalog import RESOURCE_TYPES
from localazure.catalog.shapes import Property
from localazure.coverage import claims, page
from localazure.coverage.fields import behaviour_of, declared, inside, is_known, stored, top_fields
from localazure.coverage.proofs import Proof, ProofError, collect
from tests.localazure.arm.conftest import LocalArm
from tests.localazure.arm.least_bodies import LEAST, PROVIDERS, create_dependencies, least, set_at
from tests.localazure.existing_versions import existing_version

SHAPES = {shape.arm: shape for shape in claims.shapes()}
TYPES = list(SHAPES)
# Made by the service or by another request.
NOT_MADE_HERE = (
    *("jobs", "metrics", "metricDefinitions", "metricNamespaces", "skus", "operations"),
    *("deletedVaults", "deletedWorkspaces", "permissions"),
    "Microsoft.Resources/deployments",
)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory, make_plane):
    """One local Azure in which every type of `LEAST` can be made; tests remove what is there first."""
    local = LocalArm(tmp_path_factory.mktemp("prepared"), make_plane)
    create_dependencies(local)
    yield local
    local.close()


def value_of(prop: Property, depth: int = 0) -> Any:
    """Something that a field of this shape could hold; nothing that means anything."""
    if "const" in prop:
        return prop["const"]
    kind = prop.get("type")
    if kind == "array" or prop.get("set"):
        return [value_of(prop.get("items", {}), depth + 1)] if depth < 3 else []
    if "values" in prop:
        return {"key": value_of(prop["values"], depth + 1)} if depth < 3 else {}
    if kind == "object":
        inner = inside({**prop, "oneOf": prop["oneOf"][:1]} if "oneOf" in prop else prop)
        return {name: value_of(field, depth + 1) for name, field in inner.items()} if depth < 3 else {}
    return {"integer": 1, "number": 1, "boolean": True}.get(kind or "", "text")


def shape_of(arm_type: str, path: str) -> Property:
    kind = next((one for one in RESOURCE_TYPES if one.arm == arm_type), None)
    if kind is None:
        maps = ("properties", "tags", "environmentVariables", "resources", "retrySettings")
        numbers = ("errorThreshold", "maxConcurrencyPerInstance", "miniBatchSize")
        switches = ("isAnonymous", "isArchived")
        name = path.rpartition(".")[2]
        if name in maps:
            return {"type": "object", "values": {"type": "string"}}
        return {"type": "integer" if name in numbers else "boolean" if name in switches else "string"}
    for top, prop in top_fields(kind):
        if path == top:
            return prop
        if path.startswith(f"{top}."):
            for name in path[len(top) + 1 :].split("."):
                prop = inside(prop, arm_type)[name]
            return prop
    raise AssertionError(f"{arm_type} has no {path}")


def value_at(body: Any, path: str) -> Any:
    for name in path.split("."):
        body = body[0] if isinstance(body, list) else body
        body = body.get(name) if isinstance(body, dict) else None
    return body


def contains(shown: Any, sent: Any) -> bool:
    """Whether all that was sent is in what is shown; the service may add to it."""
    if isinstance(sent, dict):
        return isinstance(shown, dict) and all(contains(shown.get(name), value) for name, value in sent.items())
    if isinstance(sent, list):
        return isinstance(shown, list) and all(contains(one, two) for one, two in zip(shown, sent, strict=True))
    return bool(shown == sent)


@pytest.mark.parametrize("arm_type", TYPES)
def test_a_declared_field_is_one_of_the_type(arm_type):
    said = declared(behaviour_of(arm_type))
    assert [path for path in (*said.honoured, *said.refused, *said.unkept) if not is_known(arm_type, path)] == []


@pytest.mark.parametrize("arm_type", [one for one in TYPES if one in LEAST])
def test_what_is_stored_comes_back_and_what_is_not_kept_does_not(prepared, arm_type):
    path, body = least(arm_type)
    prepared.erase(path)
    said = declared(behaviour_of(arm_type))
    kept = [one for one in stored(arm_type) if one not in ("location", "tags")]
    for field in (*kept, *said.unkept):
        set_at(body, field, value_of(shape_of(arm_type, field)))
    version = existing_version(path, "2024-10-01")
    answer = prepared.put(path, body, version=version)
    assert answer.status in (200, 201, 202), answer.text
    shown = prepared.get(path, version=version).body
    lost = [field for field in kept if not contains(value_at(shown, field), value_at(body, field))]
    assert lost == [], f"{arm_type} does not store what the page says it does"
    assert [field for field in said.unkept if value_at(shown, field) == value_at(body, field)] == []


def test_every_type_that_a_client_makes_is_looked_at():
    assert [one for one in TYPES if one not in LEAST and not one.endswith(NOT_MADE_HERE)] == []


@pytest.mark.parametrize("arm_type", TYPES)
def test_operations_match_the_page(prepared, arm_type):
    told = claims.operations(SHAPES[arm_type])
    if arm_type in LEAST:
        path, body = least(arm_type)
        prepared.erase(path)
        assert prepared.put(path, body).status in (200, 201, 202)
    else:
        segments = arm_type.partition("/")[2].split("/")
        path = f"{PROVIDERS}/{arm_type.partition('/')[0]}" + "".join(f"/{one}/x" for one in segments)
    if arm_type.endswith("/deployments") and "Resources" in arm_type:
        told = {**told, "PUT": "-"}  # an empty template is one that is not understood
    answers = {method: prepared.request(method, path, {}).status for method in ("PUT", "DELETE")}
    prepared.settle()
    assert {method: status == 501 for method, status in answers.items()} == {
        method: told[method] == "-" for method in answers
    }


@pytest.mark.parametrize("arm_type", list(LEAST))
def test_a_patch_takes_the_fields_that_the_page_names(prepared, arm_type):
    told = claims.operations(SHAPES[arm_type])["PATCH"].split(", ")
    path, body = least(arm_type)
    prepared.erase(path)
    prepared.put(path, body)
    for field, value in {"tags": {"a": "b"}, "properties": {}, "plan": {}, "sku": {}, "identity": None}.items():
        answer = prepared.request("PATCH", path, {field: value})
        prepared.settle()
        assert (answer.status == 501) is (field not in told), (field, answer.text)


def test_every_claim_has_a_proof_and_every_proof_a_claim():
    found = [proof for proof in claims.proofs() if proof.claim != "drives"]
    proven = {(proof.arm_type, proof.claim, proof.field) for proof in found}
    assert sorted(claims.claims() - proven) == [], "mark the tests that prove these with @pytest.mark.proves"
    assert sorted(proven - claims.claims()) == [], "these are proven and nowhere declared"


def test_only_what_is_emulated_is_driven():
    operations = {arm_type: claims.emulated(shape) for arm_type, shape in SHAPES.items()}
    driven = [proof for proof in claims.proofs() if proof.claim == "drives"]
    assert [proof for proof in driven if proof.field not in operations[proof.arm_type]] == []


def test_a_group_of_types_is_driven_at_once(tmp_path):
    marker = '@pytest.mark.proves("both", drives=["get"])'
    (tmp_path / "test_x.py").write_text(f"import pytest\n\n\n{marker}\ndef test_it():\n    pass\n")
    found = collect(tmp_path, ["a", "b", "c"], {"both": ["a", "b"]})
    assert [(proof.arm_type, proof.claim, proof.field) for proof in found] == [
        ("a", "drives", "get"),
        ("b", "drives", "get"),
    ]


@pytest.mark.parametrize(
    ("marker", "said"),
    [
        ('"nothing", honours=["x"]', "is the end of 0 types"),
        ('"workspaces", honours=["x"]', "is the end of 2 types"),
        ('"onlineEndpoints", honours=["x"], client="MLClient"', "drives 'MLClient'"),
        ('"onlineEndpoints"', "one or more of honours, refuses, drives"),
        ('"onlineEndpoints", honours=FIELDS', "literal"),
    ],
)
def test_a_marker_without_content_is_an_error(tmp_path, marker, said):
    source = f"import pytest\n\n\n@pytest.mark.proves({marker})\ndef test_it():\n    pass\n"
    (tmp_path / "test_x.py").write_text(source)
    with pytest.raises(ProofError, match=re.escape(said)):
        collect(tmp_path, TYPES)


def test_a_proof_is_read_from_the_source(tmp_path):
    marker = '@pytest.mark.proves("onlineEndpoints", refuses=["name"], client="HTTP")'
    (tmp_path / "test_x.py").write_text(f"import requests\n\n\n{marker}\ndef test_it():\n    pass\n")
    endpoints = "Microsoft.MachineLearningServices/workspaces/onlineEndpoints"
    assert collect(tmp_path, TYPES) == [Proof(endpoints, "refuses", "name", "HTTP", "test_x.py::test_it")]


def test_the_page_matches_the_code():
    written = Path(page.__file__).parents[1] / "COVERAGE.md"
    assert written.read_text() == page.render(), "run: python -m localazure.coverage > localazure/COVERAGE.md"


@pytest.mark.parametrize("arm_type", list(LEAST))
def test_a_field_with_an_effect_that_refuses_wrong_values_is_listed_as_such(prepared, arm_type):
    """Texts, numbers and objects of the right form that mean nothing: who refuses them has to declare it."""
    said = declared(behaviour_of(arm_type))
    refused = {*said.refused, "identity", "location", "tags"}
    silent = []
    for field in said.honoured:
        if "/" in field or field == "name":
            continue
        path, body = least(arm_type)
        prepared.erase(path)
        set_at(body, field, value_of(shape_of(arm_type, field)))
        answer = prepared.put(path, body)
        told = any(one == field or one.startswith(f"{field}.") or field.startswith(f"{one}.") for one in refused)
        if answer.status >= 400 and not told:
            silent.append((field, answer.text[:200]))
    assert silent == []
