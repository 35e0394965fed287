"""The comment on a pull request: its first sentence, the order of its parts, what it hides, and how long it gets."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery.pull_request.comment import LIMIT, comment
from delivery.pull_request.preview_report import ColourProof, PreviewReport, refusals_in
from models.proof import Proof
from rollout.events import ENDPOINT_TYPE, Change, Preview
from tests.delivery.recorded_previews import FOLDER, MODEL, report, settings

PROOF = Proof(
    stack="dev",
    endpoint=MODEL,
    rollout="20261128T081500Z-green",
    head="a" * 64,
    content="c" * 64,
    deployment="d" * 16,
    requests=1234,
    errors=2,
    synthetic=True,
    skipped_gates=("latency_p95",),
    approvers=("bo",),
)


def plain(text: str) -> str:
    """The text as people see it: without tags, with entities replaced."""
    without = re.sub(r"<[^>]*>", "", text)
    return re.sub(r"&#(\d+);", lambda found: chr(int(found[1])), without)


def first_sentence(text: str) -> str:
    return plain(text).split("\n")[2]


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("green", "green enters fraud-detection in dev at 0 %; nothing else changes."),
        ("gone", "green leaves fraud-detection in dev; nothing else changes."),
        ("sku", "green of fraud-detection in dev is replaced; nothing else changes."),
        (
            "weights",
            "fraud-detection in dev goes from blue 100 % to blue 80 %, green 20 %; nothing else changes.",
        ),
        ("refused", "The preview of dev failed, so a delivery would change nothing: 2 reasons are below."),
    ],
)
def test_the_first_sentence_says_what_a_merge_does(name: str, sentence: str) -> None:
    assert first_sentence(comment(report(name))) == sentence


def test_what_scales_a_colour_is_part_of_it() -> None:
    shown = report("green")
    assert shown.preview is not None
    component = "urn:pulumi:dev::sluice::sluice:index:OnlineEndpoint$sluice:index:OnlineDeployment"
    scales = Change(
        op="create",
        urn=f"{component}$sluice:index:Autoscale$azure-native:monitor:AutoscaleSetting::{MODEL}-green-autoscale-setting",
        type="azure-native:monitor:AutoscaleSetting",
        name=f"{MODEL}-green-autoscale-setting",
        parent=f"{component}$sluice:index:Autoscale::{MODEL}-green-autoscale",
    )
    preview = replace(shown.preview, changes=(*shown.preview.changes, scales))
    assert "green enters fraud-detection in dev at 0 %; nothing else changes." in plain(
        comment(replace(shown, preview=preview))
    )
    other = replace(scales, parent=scales.parent.replace("green", "green-2"))
    preview = replace(shown.preview, changes=(*shown.preview.changes, other))
    assert "at 0 %; 1 other resource changes." in plain(comment(replace(shown, preview=preview)))


def test_files_that_are_published_first_are_named() -> None:
    sentence = first_sentence(comment(report("green", publishes=(MODEL,))))
    assert sentence.endswith("nothing else changes. The files of fraud-detection are published first.")


def test_an_empty_preview_says_so() -> None:
    text = comment(replace(report("green"), preview=Preview()))
    assert first_sentence(text) == "Nothing changes in dev."
    assert "| fraud-detection | blue 100 % | blue 100 % |" in plain(text)
    assert "How to go back" not in text


def test_other_resources_are_counted_and_a_network_is_a_risk() -> None:
    shown = report("green")
    assert shown.preview is not None
    vault = Change(
        op="update",
        urn="urn:pulumi:dev::sluice::azure-native:keyvault:Vault::vault",
        type="azure-native:keyvault:Vault",
        name="vault",
        diffs=("properties.publicNetworkAccess",),
        protected=True,
    )
    text = plain(comment(replace(shown, preview=Preview(changes=(*shown.preview.changes, vault)))))
    assert "green enters fraud-detection in dev at 0 %; 1 other resource changes." in text
    assert "Network: vault changes." in text
    gone = Preview(changes=(*shown.preview.changes, replace(vault, op="delete", diffs=())))
    assert "Protected: the engine refuses to delete vault" in plain(comment(replace(shown, preview=gone)))


def test_the_parts_are_in_the_order_that_a_reviewer_reads() -> None:
    shown = replace(
        report("sku"),
        failures=("fix it",),
        proofs=(ColourProof(endpoint=MODEL, colour="green", content="c" * 16, proof=PROOF, verified="main at abc"),),
        notes=("who knows",),
    )
    text = comment(shown)
    parts = ["is replaced", "| weights", "**Proof**", "**Cost**", "**Risks**", "**Refused**", "**How to go back**"]
    places = [text.index(part) for part in [*parts, "**Not known**", "<details>"]]
    assert places == sorted(places)


def test_a_proof_says_what_was_proven_where_and_what_was_skipped() -> None:
    known = ColourProof(endpoint=MODEL, colour="green", content="c" * 16, proof=PROOF, verified="main at 1a2b")
    text = plain(comment(replace(report("green"), proofs=(known,))))
    assert (
        f"- green of fraud-detection, content {'c' * 16}: proven in dev by rollout 20261128T081500Z-green, 1234 "
        "requests of synthetic traffic, 2 failed, skipped gates: latency_p95, approved by bo; verified on main at 1a2b"
    ) in text.replace("**", "")
    unchecked = replace(known, verified=None, problem="the branch cannot be read")
    assert "not verified: the branch cannot be read" in plain(
        comment(replace(report("green"), proofs=(unchecked,)))
    ).replace("**", "")
    missing = replace(known, proof=None, problem="dev has not proven it")
    assert "no rollout has proven it. dev has not proven it" in plain(
        comment(replace(report("green"), proofs=(missing,)))
    )


def test_the_cost_names_size_cores_and_quota_before_and_after() -> None:
    text = plain(comment(report("sku")))
    assert (
        "green of fraud-detection: 1 × Standard_DS4_v2, 16 cores of the quota standardDSv2Family with Azure's reserve "
        "for upgrades (before: 1 × Standard_DS3_v2, 8 cores of the quota standardDSv2Family with Azure's reserve for "
        "upgrades)"
    ) in text
    scaled = settings(autoscale={"min": 1, "max": 4, "default": 1})
    assert "; autoscale up to 4, " in plain(comment(replace(report("green"), after=scaled)))


def test_a_replacement_of_a_live_colour_is_a_risk() -> None:
    shown = report("sku")
    assert "Live change" not in comment(shown)
    served = settings().model_copy(deep=True)
    served.rollout[MODEL].traffic.update(blue=80, green=20)
    text = plain(comment(replace(shown, after=served)))
    assert "Live change: green of fraud-detection changes while it gets 20 % of the live requests." in text
    assert "because of properties.instanceType, tags.sluice:release." in text


def test_stable_by_hand_an_override_and_a_missing_proof_are_risks_and_no_value_is_shown() -> None:
    chosen = settings(
        environment_variables={"DB_URL": "postgres://secret-host"}, allow_unproven="INC-4711 needs it now"
    )
    after = chosen.model_copy(update={"rollout": {MODEL: chosen.rollout[MODEL].model_copy(update={"stable": "green"})}})
    text = plain(comment(replace(report("green"), after=after)))
    assert "By hand: stable of fraud-detection changes from blue to green" in text
    assert "Override: green of fraud-detection has other values than its release for DB_URL." in text
    assert "Unproven: green of fraud-detection may get weight without proof: INC-4711 needs it now" in text
    assert "secret-host" not in text


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.jsonl")), ids=lambda path: path.stem)
def test_no_value_of_a_resource_is_shown(path: Any) -> None:
    shown = {"blue", "green", MODEL, "Standard_DS3_v2", "Standard_DS4_v2", "Default", "main"}
    text = plain(comment(report(path.stem)))
    for line in path.read_text().splitlines():
        state = json.loads(line).get("resourcePreEvent", {}).get("metadata", {})
        for side in ("old", "new"):
            for value in strings((state.get(side) or {}).get("inputs")):
                is_name = value in shown or value in state["urn"]
                assert is_name or len(value) < 4 or value not in text, value


def strings(value: Any) -> list[str]:
    """Every string in JSON values, without keys."""
    if isinstance(value, dict):
        return [one for each in value.values() for one in strings(each)]
    if isinstance(value, list):
        return [one for each in value for one in strings(each)]
    return [value] if isinstance(value, str) else []


def many(count: int) -> PreviewReport:
    changes = tuple(
        Change(op="create", urn=f"urn:{n}", type="azure-native:storage:StorageAccount", name=f"account-{n}" * 3)
        for n in range(count)
    )
    return replace(report("green"), preview=Preview(changes=changes))


def test_a_long_comment_is_cut_at_its_end_and_says_where_the_rest_is() -> None:
    text = comment(many(3000))
    assert len(text) <= LIMIT
    assert len(text) > LIMIT - 500
    found = re.search(r"- … (\d+) more are in the summary of the job", text)
    assert found is not None
    assert text.count("- created: ") + int(found[1]) == 3000
    assert text.count("<details>") == text.count("</details>") == 1
    assert "3000 resources" in text
    assert comment(many(3000), limit=900_000).count("- created: ") == 3000


def test_many_refusals_leave_the_first_sentence() -> None:
    failures = tuple(f"sluice:endpoints.e{n} is wrong. Fix it." for n in range(4000))
    text = comment(replace(report("refused"), failures=failures))
    assert len(text) <= LIMIT
    assert first_sentence(text).startswith("The preview of dev failed")
    assert "How to go back" in text


nasty = st.text(alphabet="ab@#`*_<>[]()!|\\\"'&\n -~$", min_size=1, max_size=30)


@given(nasty)
def test_a_name_is_shown_as_it_is_and_means_nothing(name: str) -> None:
    change = Change(op="replace", urn=f"urn::{name}", type=f"x:{name}", name=name, diffs=(name,))
    endpoint = Change(
        op="update",
        urn="urn",
        type=ENDPOINT_TYPE,
        name="e",
        parent=f"urn::{name}",
        old_inputs={"properties": {"traffic": {name: 100}}},
        inputs={"properties": {"traffic": {}}},
    )
    text = comment(replace(report("refused", failures=(name,)), preview=Preview(changes=(change, endpoint))))
    markup = re.sub(r"</?(code|sub|details|summary)>|<!-- -->|&#\d+;", "", text)
    body = "\n".join(line for line in markup.splitlines() if not line.startswith(("|", "**", "### ")))
    assert not set(body) & set("@`*_<>[]!\\\"'&~$")
    assert " ".join(name.split()) in " ".join(plain(text).split())


def test_the_marker_is_the_projects_and_the_stacks() -> None:
    assert report("green").marker == "<!-- sluice:preview:sluice/dev -->"


def test_an_error_that_lists_nothing_is_one_refusal() -> None:
    assert refusals_in("no such\n  host. Try again.") == ("no such host. Try again.",)
    assert refusals_in("The change of stack dev has 1 problem; nothing was changed:\n  a. b.") == ("a. b.",)
    assert refusals_in("") == ()
