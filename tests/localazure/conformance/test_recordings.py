"""Every recording of the real service, replayed: what differs is in the list of deviations, and the list is true."""

from __future__ import annotations

import pytest

from localazure.coverage.deviations import DEVIATIONS
from tests.localazure.conformance.compare import Alphabet, Difference, compare
from tests.localazure.conformance.conftest import recordings_of

BASE = "https://localhost:1"


def is_listed(step, difference):
    return any(deviation.covers(step.what, step.status, difference.where) for deviation in DEVIATIONS)


@pytest.mark.integration
def test_the_local_azure_answers_as_recorded_but_for_the_listed_deviations(recording, recordings):
    steps = recordings.replay(recording)
    unlisted = [
        f"{step.number} {step.what}: {difference}"
        for step in steps
        for difference in step.differences
        if not is_listed(step, difference)
    ]
    assert not unlisted, "\n".join(unlisted)
    print(f"{recording.stem}: {len(steps)} requests, {sum(len(step.differences) for step in steps)} listed deviations")


@pytest.mark.integration
def test_every_listed_deviation_still_occurs(deviation, recordings, request):
    files = {file.stem: file for file in recordings_of(request.config)}
    for file in [files[name] for name in deviation.seen_in if name in files]:
        found = any(
            deviation.covers(step.what, step.status, difference.where)
            for step in recordings.replay(file)
            for difference in step.differences
        )
        assert found, f"{deviation.name} no longer occurs in {file.stem}: take it off the list"


def differences(recorded, status=200, headers=None, body=None):
    alphabet = Alphabet({"{ws}": "ws1"}, BASE)
    whole = {"status": 200, "headers": {}, "body": None} | recorded
    return [difference.where for difference in compare(alphabet, whole, status, headers or {}, body)]


def test_what_only_names_the_installation_is_no_difference():
    recorded = {
        "headers": {"Location": "https://management.azure.com/x/oe:00000000-0000-4000-8000-000000000002?a=1"},
        "body": {
            "name": "{ws}",
            "createdAt": "2022-05-12T00:25:05.8940659Z",
            "createdBy": "Example User",
            "key": "***",
        },
    }
    headers = {"location": f"{BASE}/x/oe:11111111-2222-4333-8444-555555555555?a=1"}
    body = {"name": "ws1", "createdAt": "2026-01-01T00:00:00+00:00", "createdBy": "Local User", "key": "secret"}
    assert differences(recorded, headers=headers, body=body) == []


@pytest.mark.parametrize(
    ("recorded", "answered", "where"),
    [
        ({"a": 1}, {"a": 2}, ["body.a"]),
        ({"a": 1}, {"a": 1.0}, ["body.a"]),
        ({"a": None}, {"a": {}}, ["body.a"]),
        ({"a": {"b": [1, {"c": "x"}]}}, {"a": {"b": [1, {"c": "y"}]}}, ["body.a.b[1].c"]),
        ({"a": 1}, {}, ["body.a"]),
        ({}, {"a": 1}, ["body.a"]),
        ([1], [1, 2], ["body.length"]),
        ({"createdBy": "Example User"}, {"createdBy": None}, ["body.createdBy"]),
        ({"key": "***"}, {"key": ""}, ["body.key"]),
    ],
)
def test_every_other_difference_is_found(recorded, answered, where):
    assert differences({"body": recorded}, body=answered) == where


def test_status_and_headers_are_compared():
    recorded = {"status": 202, "headers": {"Location": "https://management.azure.com/a"}}
    headers = {"Location": f"{BASE}/b", "Azure-AsyncOperation": "c"}
    assert differences(recorded, headers=headers) == ["status", "header Azure-AsyncOperation", "header Location"]


def test_a_deviation_covers_only_what_it_names():
    step, status = "GET {workspace}/onlineEndpoints/ep1", 404
    [found] = [deviation for deviation in DEVIATIONS if deviation.covers(step, status, "body.error.code")]
    assert found.name == "404 after a deletion"
    assert not any(deviation.covers(step, 200, "body.properties.traffic") for deviation in DEVIATIONS)
    assert not any(deviation.covers(step, status, "status") for deviation in DEVIATIONS)
    assert str(Difference("status", 201, 200)) == "status: recorded 201, answered 200"
