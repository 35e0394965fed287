"""What the engine's event log means: changes, failures, and when a preview is one update of weights."""

import json
from typing import Any

import pytest

from rollout.events import ENDPOINT_TYPE, Change, Preview, outcome_of, read_events
from rollout.split import Split

URN = f"urn:pulumi:dev::sluice::sluice:index:Endpoint${ENDPOINT_TYPE}::fraud-detection"


def step(op: str, urn: str = URN, diffs: dict[str, Any] | None = None, **inputs: Any) -> dict[str, Any]:
    state = {"inputs": {"endpointName": "fraud-detection-dev", **inputs}, "custom": True, "parent": "urn:parent"}
    return {"op": op, "urn": urn, "type": ENDPOINT_TYPE, "new": state, "old": state, "detailedDiff": diffs or {}}


def weights(*paths: str) -> dict[str, Any]:
    return {path: {"diffKind": "update", "inputDiff": True} for path in paths}


def previewed(*changes: Change) -> Preview:
    return Preview(changes=changes)


def change(op: str = "update", diffs: tuple[str, ...] = ("properties.traffic.blue",), **other: Any) -> Change:
    given = {"type": ENDPOINT_TYPE, "inputs": {"endpointName": "fraud-detection-dev"}, **other}
    return Change(op=op, urn=URN, name="fraud-detection", diffs=diffs, **given)


def test_a_weight_change_is_one_traffic_update() -> None:
    events = [
        {"preludeEvent": {}},
        {"resourcePreEvent": {"metadata": step("same", urn="urn:other")}},
        {"resourcePreEvent": {"metadata": step("update", diffs=weights("properties.traffic.blue"))}},
        {"summaryEvent": {"resourceChanges": {"same": 1, "update": 1}}},
    ]
    outcome = outcome_of(events)
    assert [str(item) for item in outcome.changes] == [
        f"update {ENDPOINT_TYPE} fraud-detection [properties.traffic.blue]"
    ]
    assert Preview(**vars(outcome)).is_one_traffic_update("fraud-detection-dev")


@pytest.mark.parametrize(
    "paths",
    [
        ("properties.traffic.blue", "properties.traffic.green"),
        ("properties.traffic",),
        ("properties.mirrorTraffic.green",),
        ('properties.traffic["green"]',),
    ],
)
def test_every_shape_of_a_weights_diff_counts(paths: tuple[str, ...]) -> None:
    assert previewed(change(diffs=paths)).is_one_traffic_update("fraud-detection-dev")


@pytest.mark.parametrize(
    "changes",
    [
        (),
        (change(), change()),
        (change(op="replace"),),
        (change(diffs=("properties.traffic.blue", "properties.authMode")),),
        (change(diffs=("properties.trafficking",)),),
        (change(diffs=()),),
        (change(type="azure-native:machinelearningservices:OnlineDeployment"),),
        (change(inputs={"endpointName": "other"}),),
    ],
)
def test_anything_else_is_not_one_traffic_update(changes: tuple[Change, ...]) -> None:
    assert not previewed(*changes).is_one_traffic_update("fraud-detection-dev")


def test_an_update_to_other_weights_is_not_the_one_that_was_asked_for() -> None:
    properties = {"traffic": {"blue": 90, "green": 10, "amber": 0}, "mirrorTraffic": {}}
    preview = previewed(change(inputs={"endpointName": "fraud-detection-dev", "properties": properties}))
    assert preview.is_weights_update("fraud-detection-dev", Split(traffic={"blue": 90, "green": 10}))
    assert not preview.is_weights_update("fraud-detection-dev", Split(traffic={"blue": 100}))
    assert not preview.is_weights_update("churn-dev", Split(traffic={"blue": 90, "green": 10}))


def test_the_update_counts_and_not_the_preview_before_it() -> None:
    metadata = step("create")
    events = [
        {"preludeEvent": {}},
        {"resourcePreEvent": {"metadata": metadata, "planning": True}},
        {"resOutputsEvent": {"metadata": metadata, "planning": True}},
        {"preludeEvent": {}},
        {"resourcePreEvent": {"metadata": metadata}},
        {"resOpFailedEvent": {"metadata": metadata}},
    ]
    outcome = outcome_of(events)
    assert (len(outcome.changes), len(outcome.done), len(outcome.failed)) == (1, 0, 1)


def test_a_replacement_is_one_change() -> None:
    events = [
        {"resourcePreEvent": {"metadata": step(op)}} for op in ("delete-replaced", "replace", "create-replacement")
    ]
    assert [item.op for item in outcome_of(events).changes] == ["replace"]


def test_a_refresh_lists_only_what_drifted() -> None:
    events = [
        {"resOutputsEvent": {"metadata": step("refresh", diffs=weights("properties.traffic.blue"))}},
        {"resOutputsEvent": {"metadata": step("refresh", urn="urn:other")}},
    ]
    assert [item.diffs for item in outcome_of(events).changes] == [("properties.traffic.blue",)]


def test_error_messages_lose_colour_repetition_and_the_news_that_the_program_ended() -> None:
    def message(text: str, severity: str = "error") -> dict[str, Any]:
        return {"diagnosticEvent": {"message": text, "severity": severity, "color": "raw"}}

    ended = "an unhandled error occurred: program exited with non-zero exit code: 1"
    reason = "<{%fg 1%}>weights sum to 95<{%reset%}>\n"
    events = [
        message(reason),
        message(reason),
        message("noise", "debug"),
        message(ended),
        message("old SKU", "warning"),
    ]
    assert outcome_of(events).errors == ("weights sum to 95",)
    assert outcome_of([message(ended)]).errors == (ended,)


def test_a_line_cut_short_by_a_kill_is_left_out() -> None:
    assert read_events([json.dumps({"sequence": 1}) + "\n", "\n", '{"seque']) == [{"sequence": 1}]


def test_a_provider_that_changes_nothing_in_azure_is_no_change() -> None:
    """A bad region once made a refusal look like a failed update: the region is an input of the default provider."""
    name = "urn:pulumi:dev::sluice::pulumi:providers:azure-native::default_3_29_0"
    own = {**step("update", urn=name), "type": "pulumi:providers:azure-native"}
    named = {**own, "urn": "urn:pulumi:dev::sluice::pulumi:providers:azure-native::second"}
    reader = {**own, "urn": "urn:pulumi:dev::sluice::pulumi:providers:azure-native::subscription-0000"}
    for metadata, expected in ((own, 0), (reader, 0), (named, 1)):
        events = [{"resourcePreEvent": {"metadata": metadata}}, {"resOutputsEvent": {"metadata": metadata}}]
        outcome = outcome_of(events)
        assert (len(outcome.changes), len(outcome.done)) == (expected, expected)
