"""The counted requests straight to the new colour."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from command_errors import CommandError, UnavailableError, UsageError
from rollout.decision.settling import settle_of
from rollout.sources.samples import requests_of, traffic_of
from rollout.sources.verify import PROBES, probe


class Endpoint:
    """Two colours that answer."""

    def __init__(self, **answers: bytes | Exception) -> None:
        self.answers = answers
        self.sent: list[tuple[str, bytes]] = []

    def __call__(self, body: bytes, deployment: str) -> bytes:
        self.sent.append((deployment, body))
        answer = self.answers[deployment]
        if isinstance(answer, Exception):
            raise answer
        return answer


def test_exactly_twenty_requests_go_to_the_new_colour_and_each_sample_once_to_the_stable_one():
    endpoint = Endpoint(green=b'{"fraud": false}', blue=b'{"fraud":false}')
    probed = probe(endpoint, [b"1", b"2", b"3"], "green", "blue", lambda: 7)
    assert (probed.sent, probed.start, probed.disagreement, probed.problem) == (20, 7, 0.0, None)
    assert [body for colour, body in endpoint.sent if colour == "green"] == ([b"1", b"2", b"3"] * 7)[:PROBES]
    assert [body for colour, body in endpoint.sent if colour == "blue"] == [b"1", b"2", b"3"]


def test_other_outputs_are_a_disagreement_and_no_problem():
    endpoint = Endpoint(green=b"[1]", blue=b"[2]")
    assert probe(endpoint, [b"1", b"2"], "green", "blue", lambda: 7).disagreement == 1.0


def test_an_answer_other_than_200_is_the_colours_problem_and_ends_the_probes():
    endpoint = Endpoint(green=CommandError("424: model green answered 500: boom. See the log."))
    probed = probe(endpoint, [b"1"], "green", "blue", lambda: 7)
    assert probed.sent == 1
    assert probed.problem == "sample request 1: 424: model green answered 500: boom. See the log."


def test_an_endpoint_that_cannot_be_reached_is_unavailable_and_no_problem_of_the_colour():
    with pytest.raises(UnavailableError):
        probe(Endpoint(green=UnavailableError("no answer")), [b"1"], "green", "blue", lambda: 7)


def test_a_failing_stable_colour_leaves_nothing_to_compare():
    endpoint = Endpoint(green=b"[1]", blue=CommandError("503"))
    probed = probe(endpoint, [b"1"], "green", "blue", lambda: 7)
    assert (probed.problem, probed.disagreement) == (None, None)
    assert probe(endpoint, [b"1"], "green", None, lambda: 7).disagreement is None


@pytest.mark.parametrize(
    ("lag", "grain", "settle"), [(0, 60, 120), (125, 60, 180), (180, 60, 180), (600, 60, 300), (1, 1, 2), (3, 1, 3)]
)
def test_settle_is_the_lag_in_whole_intervals_within_its_bounds(lag, grain, settle):
    assert settle_of(lag, grain) == settle


@given(st.integers(0, 1000), st.sampled_from([1, 60, 300]))
def test_settle_is_at_least_two_intervals_and_at_most_five_minutes_where_these_agree(lag, grain):
    settle = settle_of(lag, grain)
    assert settle >= 2 * grain
    assert settle <= max(300, 2 * grain)


def test_samples_come_from_the_models_folder(tmp_path: Path):
    with pytest.raises(UsageError, match=r"no sample request to send.*verify: false"):
        requests_of(tmp_path)
    (tmp_path / "sample-traffic.jsonl").write_text('{"a": 1}\n\n{"a": 2}\n')
    assert requests_of(tmp_path) == traffic_of(tmp_path) == [b'{"a": 1}', b'{"a": 2}']
    (tmp_path / "sample-request.json").write_text("[1]")
    (tmp_path / "sample-request-2.json").write_text("[2]")
    assert sorted(requests_of(tmp_path)) == [b"[1]", b"[2]"]
    assert traffic_of(tmp_path) == [b'{"a": 1}', b'{"a": 2}']
    (tmp_path / "sample-traffic.jsonl").unlink()
    assert sorted(traffic_of(tmp_path)) == [b"[1]", b"[2]"]
