"""Faults on deployments and weights, with a data plane and an exchange of the test's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from localazure.faults.fault import Fault, Kind
from localazure.faults.registry import Faults
from localazure.faults.scoring import FaultyReply, FaultyScoring, exchange_with_faults
from localazure.scoring import upstream
from localazure.scoring.calls import Call, Target
from localazure.scoring.dispatch import Backend, Dispatcher
from localazure.scoring.replies import Refusal, caller_headers, caller_status
from localazure.scoring.specification import DeploymentFailed, DeploymentSpec, EndpointRouting
from tests.virtual_time import run

SPEC = DeploymentSpec(endpoint="fraud", deployment="blue")


async def send(faults: Faults, deployment: str = "blue", seconds: float = 5.0) -> tuple[Any, Dispatcher]:
    """One request through a router's exchange whose model answers 200 at once."""
    dispatcher = Dispatcher(1, 1)
    dispatcher.add(Backend("nowhere"))
    deadline = asyncio.get_running_loop().time() + seconds

    async def answer(target: Target, call: Call, deadline: float) -> tuple[Backend, upstream.ModelReply]:
        reply = FaultyReply(200, 0)  # any reply without a connection
        return await dispatcher.acquire(deadline), reply

    exchange = exchange_with_faults(faults, answer)
    call = Call("POST", "/score", (), b"", "id", False, 0.0, 0.0)
    try:
        backend, reply = await exchange(Target("fraud", deployment, dispatcher, 5.0), call, deadline)
    except Refusal as refusal:
        return refusal, dispatcher
    dispatcher.release(backend)
    return reply, dispatcher


def test_without_faults_the_answer_is_the_models() -> None:
    reply, dispatcher = run(send(Faults()))
    assert (reply.status, dispatcher.in_flight) == (200, 0)


def test_injected_errors_come_from_the_model_and_are_marked_as_injected() -> None:
    faults = Faults()
    faults.add(Fault(kind=Kind.ERRORS, status=503, name="fraud/blue"))
    reply, dispatcher = run(send(faults))
    assert (reply.status, caller_status(reply), dispatcher.in_flight) == (503, 424, 0)
    headers = dict(caller_headers(reply, "blue", "id"))
    assert headers["ms-azureml-model-error-statuscode"] == "503"
    assert headers["x-local-fault"] == "1"
    assert b"Fault 1 on command" in reply.whole_body
    assert run(send(faults, "green"))[0].status == 200


def test_an_unhealthy_deployment_has_no_instance() -> None:
    faults = Faults()
    faults.add(Fault(kind=Kind.UNHEALTHY, type="deployments"))
    refusal, dispatcher = run(send(faults))
    assert (refusal.status, refusal.reason, dispatcher.in_flight) == (503, "model_not_ready", 0)
    assert refusal.response("id", "blue").headers["x-local-fault"] == "1"


async def seconds_of(sending: Coroutine[Any, Any, tuple[Any, Dispatcher]]) -> tuple[int, float]:
    """The status and how long it took, on the loop's own clock."""
    loop = asyncio.get_running_loop()
    started = loop.time()
    answer, dispatcher = await sending
    assert dispatcher.in_flight == 0
    return answer.status, loop.time() - started


def test_a_slow_deployment_answers_late_or_not_in_time() -> None:
    faults = Faults()
    faults.add(Fault(kind=Kind.SLOW, by_seconds=3))
    assert run(seconds_of(send(faults, seconds=5))) == (200, pytest.approx(3))
    assert run(seconds_of(send(faults, seconds=2))) == (408, pytest.approx(2))


@pytest.mark.parametrize(
    ("fault", "status", "reason"),
    [
        (Fault(kind=Kind.ERROR, type="score", status=502), 502, None),
        (Fault(kind=Kind.CONFLICT, type="score"), 409, None),
        (Fault(kind=Kind.THROTTLE, type="score", retry_after_seconds=9), 429, "too_many_pending_request"),
    ],
)
def test_a_request_to_a_model_is_refused_before_an_instance_has_it(fault: Fault, status: int, reason: str) -> None:
    faults = Faults()
    faults.add(fault)
    refusal, dispatcher = run(send(faults))
    assert (refusal.status, refusal.reason, dispatcher.in_flight) == (status, reason, 0)
    headers = refusal.response("id", "blue").headers
    assert headers["x-local-fault"] == "1"
    assert headers.get("Retry-After") == ("9" if status == 429 else None)


@pytest.mark.parametrize("kind", [Kind.DROP, Kind.LOSE_RESPONSE])
def test_a_connection_breaks_when_its_answer_would_be_sent(kind: Kind) -> None:
    from unittest import mock

    from aiohttp.test_utils import make_mocked_request

    async def story() -> None:
        faults = Faults()
        faults.add(Fault(kind=kind, type="score", name="fraud"))
        refusal, dispatcher = await send(faults)
        assert (refusal.status, dispatcher.in_flight) == (499, 0)
        request = make_mocked_request("POST", "/endpoints/fraud/score", transport=mock.Mock())
        await refusal.response("id", "blue").prepare(request)
        request.transport.abort.assert_called_once_with()  # type: ignore[union-attr]  # the mock

    run(story())


def test_an_answer_that_the_model_refused_is_not_lost() -> None:
    faults = Faults()
    faults.add(Fault(kind=Kind.LOSE_RESPONSE, type="score"))
    faults.add(Fault(kind=Kind.ERRORS, count=1))
    assert run(send(faults))[0].status == 500
    assert run(send(faults))[0].status == 499


def test_a_delay_on_the_way_is_none_of_the_models_time() -> None:
    faults = Faults()
    faults.add(Fault(kind=Kind.DELAY, type="score", by_seconds=3))
    assert run(seconds_of(send(faults, seconds=2))) == (200, pytest.approx(3))


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_held_request_waits_for_its_release_and_its_time_does_not_run(when: str) -> None:
    async def story() -> None:
        faults = Faults()
        active = faults.add(Fault(kind=Kind.HOLD, type="score", when=when, count=1))
        sending = asyncio.create_task(seconds_of(send(faults, seconds=2)))
        await asyncio.sleep(60)
        assert (active.held, sending.done()) == (1, False)
        faults.release(active.number)
        status, seconds = await sending
        assert (status, seconds >= 60) == (200, True)
        assert not faults

    run(story())


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_server_that_stops_breaks_what_is_held(when: str) -> None:
    async def story() -> None:
        faults = Faults()
        faults.add(Fault(kind=Kind.HOLD, type="score", when=when))
        sending = asyncio.create_task(seconds_of(send(faults)))
        await asyncio.sleep(1)
        faults.close()
        assert (await sending)[0] == 499

    run(story())


def test_models_are_spared_unless_they_are_asked_for() -> None:
    faults = Faults()
    faults.add(Fault(kind=Kind.ERROR))
    faults.add(Fault(kind=Kind.ERROR, type="onlineEndpoints"))
    faults.add(Fault(kind=Kind.ERROR, name="fraud"))
    faults.add(Fault(kind=Kind.ERROR, type="score", name="other"))
    assert run(send(faults))[0].status == 200


def faulty(make_plane: Callable[[], Any], *faults: Fault) -> tuple[FaultyScoring, Any]:
    plane, registry = make_plane(), Faults()
    for fault in faults:
        registry.add(fault)
    return FaultyScoring(plane, registry), plane


def test_a_crash_at_start_fails_the_deployment_and_stands_in_its_log(make_plane: Callable[[], Any]) -> None:
    scoring, plane = faulty(make_plane, Fault(kind=Kind.CRASH_AT_START, name="fraud/blue", count=1))
    with pytest.raises(DeploymentFailed, match="exit code 3") as caught:
        run(scoring.deploy(SPEC))
    assert caught.value.code == "ResourceNotReady"
    assert plane.deployed == {}
    assert "crash at start" in run(scoring.logs("fraud", "blue", "InferenceServer", 10))
    assert "crash at start" not in run(scoring.logs("fraud", "blue", "StorageInitializer", 10))
    run(scoring.deploy(SPEC))
    assert list(plane.deployed) == [("fraud", "blue")]
    assert run(scoring.logs("fraud", "blue", "InferenceServer", 10)) == "InferenceServer of fraud/blue, last 10"


def routing(key: str = "k1", **traffic: int) -> EndpointRouting:
    return EndpointRouting(endpoint="fraud", traffic=traffic, primary_key=key)


def test_late_weights_are_effective_later_while_keys_change_at_once(make_plane: Callable[[], Any]) -> None:
    async def story() -> None:
        scoring, plane = faulty(make_plane, Fault(kind=Kind.LATE_TRAFFIC, by_seconds=30, count=1))
        scoring.route(routing(blue=100))
        scoring.route(routing("k2", blue=90, green=10))
        await asyncio.sleep(29)
        assert (plane.routing["fraud"].traffic, plane.routing["fraud"].primary_key) == ({"blue": 100}, "k2")
        await asyncio.sleep(2)
        assert plane.routing["fraud"].traffic == {"blue": 90, "green": 10}

    run(story())


def test_late_weights_are_effective_when_they_are_released(make_plane: Callable[[], Any]) -> None:
    async def story() -> None:
        plane, faults = make_plane(), Faults()
        scoring = FaultyScoring(plane, faults)
        active = faults.add(Fault(kind=Kind.LATE_TRAFFIC, by_seconds=3600, count=1))
        scoring.route(routing(blue=100))
        scoring.route(routing(green=100))
        await asyncio.sleep(1)
        assert (active.held, plane.routing["fraud"].traffic) == (1, {"blue": 100})
        faults.release(active.number)
        await asyncio.sleep(1)
        assert plane.routing["fraud"].traffic == {"green": 100}

    run(story())


def test_newer_weights_win_over_late_ones(make_plane: Callable[[], Any]) -> None:
    async def story() -> None:
        plane, faults = make_plane(), Faults()
        scoring = FaultyScoring(plane, faults)
        faults.add(Fault(kind=Kind.LATE_TRAFFIC, by_seconds=10, count=1))
        scoring.route(routing(blue=100))
        scoring.route(routing(green=100))
        await asyncio.sleep(1)
        scoring.route(routing(blue=50, green=50))
        await asyncio.sleep(60)
        assert plane.routing["fraud"].traffic == {"blue": 50, "green": 50}
        assert not faults, "it has acted as often as it should, and nothing waits for it"
        scoring.unroute("fraud")
        scoring.close()
        assert plane.routing == {}

    run(story())


def test_a_removed_endpoint_does_not_come_back_with_its_late_weights(make_plane: Callable[[], Any]) -> None:
    async def story() -> None:
        scoring, plane = faulty(make_plane, Fault(kind=Kind.LATE_TRAFFIC, by_seconds=10))
        scoring.route(routing(blue=100))
        scoring.route(routing(green=100))
        scoring.unroute("fraud")
        await asyncio.sleep(60)
        assert plane.routing == {}

    run(story())
