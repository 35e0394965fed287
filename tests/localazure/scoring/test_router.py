"""The router's behaviour as a caller sees it, with model servers that the test controls."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
from collections import Counter
from typing import Any

import pytest
from aiohttp import web

from tests.waiting import HANGS, until

REQUEST_ID = "9c4d50ee-2d56-4cd3-8152-34347dc9f2b0"


def answering(text: str, **more: Any):
    async def handle(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(text=text, **more)

    return handle


async def echo(request: web.Request) -> web.Response:
    body = await request.read()
    return web.json_response(
        {
            "method": request.method,
            "path": request.path_qs,
            "body": body.decode(),
            "headers": {name.lower(): value for name, value in request.headers.items()},
        }
    )


def test_the_model_answers_and_the_front_door_names_the_deployment(with_rig):
    async def body(rig):
        await rig.add("blue", answering("[0.1]", content_type="application/json", headers={"x-ms-run-fn-exec-ms": "1"}))
        rig.route(blue=100)
        status, text, headers = await rig.score()
        assert (status, text) == (200, "[0.1]")
        assert headers["azureml-model-deployment"] == "blue"
        assert headers["x-ms-run-fn-exec-ms"] == "1"
        assert headers["content-type"].startswith("application/json")
        assert headers["server"] == "azureml-frontdoor"
        assert len(headers["x-request-id"]) == 36

    with_rig(body)


@pytest.mark.proves("data plane", honours=["score"])
def test_the_request_reaches_the_model_whole_but_without_the_key(with_rig):
    async def body(rig):
        await rig.add("blue", echo)
        rig.route(blue=100)
        rig.url += "?a=1&b=%20"
        _, text, headers = await rig.score(
            b'{"x": 1}', x_request_id=REQUEST_ID, content_type="application/json", x_own="y"
        )
        seen = json.loads(text)
        assert seen["body"] == '{"x": 1}'
        assert seen["path"] in ("/score?a=1&b=%20", "/score?a=1&b=+")
        assert seen["headers"]["x-own"] == "y"
        assert seen["headers"]["x-request-id"] == headers["x-request-id"] == REQUEST_ID
        assert "authorization" not in seen["headers"]

    with_rig(body)


@pytest.mark.parametrize("method", ["GET", "OPTIONS"])
@pytest.mark.proves("data plane", honours=["score"])
def test_the_methods_of_the_inference_server_are_passed_on(with_rig, method):
    async def body(rig):
        await rig.add("blue", echo)
        rig.route(blue=100)
        status, text, _ = await rig.score(b"", method=method)
        assert (status, json.loads(text)["method"]) == (200, method)

    with_rig(body)


@pytest.mark.proves("data plane", honours=["405"])
def test_other_methods_are_405(with_rig):
    async def body(rig):
        await rig.add("blue", echo)
        rig.route(blue=100)
        assert (await rig.score(method="PUT"))[0] == 405

    with_rig(body)


@pytest.mark.proves("data plane", honours=["404"])
def test_other_paths_of_an_endpoint_are_404(with_rig):
    async def body(rig):
        await rig.add("blue", echo)
        rig.route(blue=100)
        for path in ("/", "/score/", "/score/x", "/other"):
            rig.url = f"{rig.base}/endpoints/fraud{path}"
            assert (await rig.score())[0] == 404

    with_rig(body)


def test_a_compressed_request_reaches_the_model_as_it_is(with_rig):
    async def body(rig):
        seen = {}

        async def handle(request):
            seen["body"], seen["encoding"] = await request.read(), request.headers["Content-Encoding"]
            return web.Response(text="ok")

        await rig.add("blue", handle)
        rig.route(blue=100)
        packed = gzip.compress(b"[1]")
        assert (await rig.score(packed, content_encoding="gzip"))[0] == 200
        assert seen == {"body": packed, "encoding": "gzip"}

    with_rig(body)


@pytest.mark.proves("data plane", honours=["swagger"])
def test_swagger_comes_from_the_model(with_rig):
    async def body(rig):
        await rig.add("blue", echo)
        rig.route(blue=100)
        rig.url = f"{rig.base}/endpoints/fraud/swagger.json?version=3"
        status, text, _ = await rig.score(b"", method="GET")
        assert (status, json.loads(text)["path"]) == (200, "/swagger.json?version=3")

    with_rig(body)


@pytest.mark.parametrize("key", ["primary-key", "secondary-key"])
def test_both_keys_open_the_endpoint(with_rig, key):
    async def body(rig):
        await rig.add("blue", answering("ok"))
        rig.route(blue=100)
        assert (await rig.score(key=key))[0] == 200

    with_rig(body)


@pytest.mark.parametrize("key", [None, "", "wrong", "primary-ke", "primary-key2", "ключ"])
@pytest.mark.proves("data plane", honours=["401"])
def test_anything_else_is_401_and_does_not_reach_the_model(with_rig, key):
    async def body(rig):
        reached = []

        async def handle(request):
            reached.append(request)
            return web.Response(text="ok")

        await rig.add("blue", handle)
        rig.route(blue=100)
        status, text, headers = await rig.score(key=key)
        assert status == 401
        assert text.startswith("key_auth_")
        assert "x-request-id" in headers
        assert not reached

    with_rig(body)


def test_an_empty_key_of_the_endpoint_opens_nothing(with_rig):
    async def body(rig):
        from localazure.scoring.specification import EndpointRouting

        await rig.add("blue", answering("ok"))
        rig.router.route(EndpointRouting(endpoint="fraud", traffic={"blue": 100}))
        assert (await rig.score(key=""))[0] == 401
        assert (await rig.score(key="x"))[0] == 401

    with_rig(body)


def test_token_endpoints_are_not_emulated_without_a_verifier(with_rig):
    async def body(rig):
        await rig.add("blue", answering("ok"))
        rig.route(auth_mode="AADToken", blue=100)
        status, text, _ = await rig.score()
        assert status == 501
        assert text.startswith("NotEmulated")

    with_rig(body)


@pytest.mark.parametrize("traffic", [{}, {"blue": 0}])
@pytest.mark.proves("data plane", honours=["404"])
def test_no_weight_at_all_is_the_documented_404(with_rig, traffic):
    async def body(rig):
        await rig.add("blue", answering("ok"))
        rig.route(**traffic)
        status, text, _ = await rig.score()
        assert (status, text) == (404, "The endpoint doesn't have any valid deployment with positive weight.")

    with_rig(body)


@pytest.mark.proves("data plane", honours=["404"])
def test_an_unknown_endpoint_is_404(with_rig):
    async def body(rig):
        assert (await rig.score())[0] == 404

    with_rig(body)


@pytest.mark.proves("data plane", honours=["azureml-model-deployment"])
def test_the_header_reaches_a_deployment_at_0_percent_and_only_that_one(with_rig):
    async def body(rig):
        await rig.add("blue", answering("blue"))
        await rig.add("green", answering("green"))
        rig.route(blue=100, green=0)
        texts = {(await rig.score(azureml_model_deployment="green"))[1] for _ in range(20)}
        assert texts == {"green"}
        assert (await rig.score(azureml_model_deployment="GREEN"))[1] == "green"
        assert all(served.direct for served in rig.served)

    with_rig(body)


@pytest.mark.proves("data plane", honours=["404"])
def test_the_header_with_an_unknown_name_is_404(with_rig):
    async def body(rig):
        await rig.add("blue", answering("blue"))
        rig.route(blue=100)
        status, text, _ = await rig.score(azureml_model_deployment="puce")
        assert status == 404
        assert "'puce'" in text

    with_rig(body)


@pytest.mark.proves("onlineEndpoints", honours=["properties.traffic"])
@pytest.mark.parametrize(
    ("weights", "counts"),
    [
        ({"blue": 50, "green": 50}, {"blue": 110, "green": 90}),
        ({"blue": 70, "green": 20, "amber": 10}, {"blue": 430, "green": 110, "amber": 60}),
        ({"blue": 0, "green": 100}, {"green": 100}),
    ],
)
def test_requests_are_split_by_weight(with_rig, weights, counts):
    """The chance is seeded, and one number is drawn per request: the counts are exact, in whatever order they come."""

    async def body(rig):
        for name in weights:
            await rig.add(name, answering(name), max_concurrent=50)
        rig.route(**weights)
        answers: Counter[str] = Counter()
        for _ in range(sum(counts.values()) // 20):
            answers.update(text for _, text, _ in await asyncio.gather(*(rig.score() for _ in range(20))))
        assert answers == counts

    with_rig(body)


@pytest.mark.proves("data plane", honours=["weights"])
def test_changing_weights_under_load_loses_no_request(with_rig):
    async def body(rig):
        for name in ("blue", "green"):
            await rig.add(name, answering(name), max_concurrent=50)
        rig.route(blue=100)
        results: list[int] = []
        going = True

        async def client():
            while going:
                results.append((await rig.score())[0])

        clients = [asyncio.create_task(client()) for _ in range(8)]
        for step in range(40):
            rig.route(blue=100 - step % 2 * 50, green=step % 2 * 50)
            answered = len(results)
            await until(lambda answered=answered: len(results) > answered)
        going = False
        await asyncio.gather(*clients)
        assert set(results) == {200}

    with_rig(body)


@pytest.mark.parametrize("model_status", [500, 400, 404, 201, 204, 503])
@pytest.mark.proves("data plane", honours=["424"])
def test_a_model_answer_other_than_200_is_424_with_its_status(with_rig, model_status):
    async def body(rig):
        text = "" if model_status == 204 else "reason"
        await rig.add("blue", answering(text, status=model_status))
        rig.route(blue=100)
        status, seen, headers = await rig.score()
        assert (status, seen) == (424, text)
        assert headers["ms-azureml-model-error-statuscode"] == str(model_status)
        assert headers["ms-azureml-model-error-reason"] == "model_error"
        assert (rig.served[0].status, rig.served[0].model_status) == (424, model_status)

    with_rig(body)


@pytest.mark.proves("onlineEndpoints/deployments", honours=["properties.requestSettings.requestTimeout"])
@pytest.mark.proves("data plane", honours=["408"])
def test_a_model_that_takes_too_long_is_408(with_rig):
    async def body(rig):
        gate = asyncio.Event()

        async def slow(request):
            await gate.wait()
            return web.Response(text="late")

        await rig.add("blue", slow, timeout=0.1)
        rig.route(blue=100)
        status, text, headers = await rig.score()
        gate.set()
        assert (status, text) == (408, "upstream request timeout")
        assert headers["azureml-model-deployment"] == "blue"
        assert rig.dispatchers["blue"].in_flight == 0

    with_rig(body)


@pytest.mark.proves("data plane", honours=["408"])
def test_waiting_for_a_place_counts_into_the_timeout(with_rig):
    async def body(rig):
        calls = []

        async def model(request):
            calls.append(1)
            return web.Response(text="done")

        await rig.add("blue", model, max_concurrent=1, timeout=0.1)
        rig.route(blue=100)
        # The only place stays taken until the timeout has passed.
        taken = await rig.dispatchers["blue"].acquire(asyncio.get_running_loop().time() + HANGS)
        assert (await rig.score())[0] == 408
        assert not calls
        rig.dispatchers["blue"].release(taken)

    with_rig(body)


@pytest.mark.proves(
    "onlineEndpoints/deployments", honours=["properties.requestSettings.maxConcurrentRequestsPerInstance"]
)
@pytest.mark.proves("data plane", honours=["429"])
def test_above_twice_the_concurrency_requests_are_429(with_rig):
    async def body(rig):
        gate = asyncio.Event()

        async def held(request):
            await gate.wait()
            return web.Response(text="ok")

        await rig.add("blue", held, instances=2, max_concurrent=2)
        rig.route(blue=100)
        first = [asyncio.create_task(rig.score()) for _ in range(8)]
        await until(lambda: rig.dispatchers["blue"].in_flight == 8)
        status, _, headers = await rig.score()
        assert status == 429
        assert headers["ms-azureml-model-error-reason"] == "too_many_pending_request"
        gate.set()
        assert [status for status, _, _ in await asyncio.gather(*first)] == [200] * 8

    with_rig(body)


@pytest.mark.proves("data plane", honours=["503"])
def test_no_ready_instance_is_503(with_rig):
    async def body(rig):
        await rig.add("blue", answering("ok"))
        rig.dispatchers["blue"].retire(rig.backends["blue"][0])
        rig.route(blue=100)
        status, _, headers = await rig.score()
        assert status == 503
        assert headers["ms-azureml-model-error-reason"] == "model_not_ready"

    with_rig(body)


def test_a_weight_whose_deployment_is_not_back_yet_is_503(with_rig):
    async def body(rig):
        rig.route(blue=100)
        assert (await rig.score())[0] == 503

    with_rig(body)


def test_an_instance_that_cannot_be_reached_is_passed_over(with_rig):
    async def body(rig):
        from localazure.scoring.dispatch import Backend

        await rig.add("blue", answering("ok"))
        rig.dispatchers["blue"].add(Backend("/nonexistent/instance.sock"))
        rig.route(blue=100)
        assert {(await rig.score())[0] for _ in range(6)} == {200}

    with_rig(body)


@pytest.mark.proves("data plane", honours=["502"])
def test_a_model_that_breaks_off_is_502_and_not_asked_twice(with_rig):
    async def body(rig):
        calls = []

        async def dying(request):
            calls.append(1)
            request.transport.abort()
            return web.Response()

        await rig.add("blue", dying, instances=2)
        rig.route(blue=100)
        assert (await rig.score())[0] == 502
        assert len(calls) == 1

    with_rig(body)


@pytest.mark.proves("data plane", honours=["drain"])
def test_a_removed_deployment_finishes_its_requests(with_rig):
    async def body(rig):
        gate = asyncio.Event()

        async def held(request):
            await gate.wait()
            return web.Response(text="blue")

        await rig.add("blue", held)
        await rig.add("green", answering("green"))
        rig.route(blue=100)
        running = asyncio.create_task(rig.score())
        await until(lambda: rig.backends["blue"][0].active)
        rig.route(green=100)
        rig.router.detach("fraud", "blue")
        rig.dispatchers["blue"].retire(rig.backends["blue"][0])
        drained = asyncio.create_task(rig.backends["blue"][0].drained(HANGS))
        assert (await rig.score())[1] == "green"
        assert not drained.done()
        gate.set()
        assert (await running)[:2] == (200, "blue")
        assert await drained is True

    with_rig(body)


@pytest.mark.proves("data plane", honours=["score"])
def test_streamed_answers_arrive_piece_by_piece(with_rig):
    async def body(rig):
        gate = asyncio.Event()

        async def streaming(request):
            response = web.StreamResponse()
            await response.prepare(request)
            await response.write(b"first")
            await gate.wait()
            await response.write(b"second")
            return response

        await rig.add("blue", streaming)
        rig.route(blue=100)
        async with rig.session.post(rig.url, headers={"Authorization": "Bearer primary-key"}) as answer:
            assert await answer.content.readany() == b"first"
            gate.set()
            assert await answer.content.read() == b"second"

    with_rig(body)


def test_large_bodies_pass_both_ways(with_rig):
    async def body(rig):
        async def mirrored(request):
            return web.Response(body=io.BytesIO(bytes(reversed(await request.read()))))

        await rig.add("blue", mirrored)
        rig.route(blue=100)
        sent = bytes(range(256)) * 20_000
        async with rig.session.post(
            rig.url, data=io.BytesIO(sent), headers={"Authorization": "Bearer primary-key"}
        ) as answer:
            assert await answer.read() == bytes(reversed(sent))
        assert (rig.served[0].request_bytes, rig.served[0].response_bytes) == (len(sent), len(sent))

    with_rig(body)


@pytest.mark.proves("data plane", honours=["413"])
def test_too_large_bodies_are_413(with_rig, monkeypatch):
    monkeypatch.setattr("localazure.scoring.calls.MAX_REQUEST_BYTES", 1000)

    async def body(rig):
        await rig.add("blue", answering("ok"))
        rig.route(blue=100)
        assert (await rig.score(b"x" * 1001))[0] == 413

        async def pieces():
            for _ in range(5):
                yield b"y" * 300

        async with rig.session.post(rig.url, data=pieces(), headers={"Authorization": "Bearer primary-key"}) as answer:
            assert answer.status == 413
        assert (await rig.score(b"x" * 1000))[0] == 200

    with_rig(body)


def test_a_caller_that_never_finishes_its_body_does_not_occupy_a_model(with_rig, monkeypatch):
    monkeypatch.setattr("localazure.scoring.calls.BODY_READ_SECONDS", 0.1)

    async def body(rig):
        await rig.add("blue", answering("ok"))
        rig.route(blue=100)
        reader, writer = await asyncio.open_connection("127.0.0.1", int(rig.base.rpartition(":")[2]))
        head = "POST /endpoints/fraud/score HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer primary-key\r\n"
        writer.write(f"{head}Content-Length: 10\r\n\r\nabc".encode())
        assert (await reader.readline()).split()[1] == b"408"
        assert rig.dispatchers["blue"].in_flight == 0
        writer.close()

    with_rig(body)


@pytest.mark.proves("onlineEndpoints", honours=["properties.mirrorTraffic"])
@pytest.mark.proves("data plane", honours=["mirroring"])
def test_copies_go_to_the_shadow_and_their_answers_are_dropped(with_rig):
    async def body(rig):
        copied = []

        async def shadow(request):
            copied.append(await request.read())
            return web.Response(status=500)

        await rig.add("blue", answering("blue"))
        await rig.add("green", shadow)
        rig.route(mirror={"green": 50}, blue=100)
        for number in range(60):
            assert (await rig.score(str(number).encode()))[:2] == (200, "blue")
        await rig.copied()
        assert len(copied) == 32  # the chance is seeded
        assert sum(served.mirrored for served in rig.served) == len(copied)
        assert {served.status for served in rig.served if served.mirrored} == {424}

    with_rig(body)


@pytest.mark.proves("data plane", honours=["mirroring"])
def test_requests_by_header_are_not_mirrored(with_rig):
    async def body(rig):
        copied = []

        async def shadow(request):
            copied.append(1)
            return web.Response()

        await rig.add("blue", answering("blue"))
        await rig.add("green", shadow)
        rig.route(mirror={"green": 50}, blue=100)
        for _ in range(20):
            await rig.score(azureml_model_deployment="blue")
        assert not rig.router._copies
        assert not copied

    with_rig(body)


def test_a_slow_shadow_does_not_slow_the_caller(with_rig):
    async def body(rig):
        gate, copies = asyncio.Event(), []

        async def shadow(request):
            copies.append(1)
            await gate.wait()
            return web.Response()

        await rig.add("blue", answering("blue"))
        await rig.add("green", shadow)
        rig.route(mirror={"green": 50}, blue=100)
        for _ in range(10):
            assert (await rig.score())[0] == 200
        await until(lambda: copies)
        assert rig.router._copies, "the shadow answers none, and every caller has an answer"
        gate.set()

    with_rig(body)


@pytest.mark.parametrize("hostile", ["my-id", f"{REQUEST_ID}0", "ä" * 10, "x" * 500, "a\tb"])
@pytest.mark.proves("data plane", honours=["x-request-id"])
def test_a_request_id_that_is_no_guid_is_replaced(with_rig, hostile):
    async def body(rig):
        await rig.add("blue", echo)
        rig.route(blue=100)
        status, _, headers = await rig.score(x_request_id=hostile)
        assert status == 200
        assert len(headers["x-request-id"]) == 36

    with_rig(body)


def test_a_clients_own_request_id_is_cleaned_and_cut(with_rig):
    async def body(rig):
        await rig.add("blue", echo)
        rig.route(blue=100)
        _, text, _ = await rig.score(x_ms_client_request_id="order 7/ä_x-" + "y" * 60)
        assert json.loads(text)["headers"]["x-ms-client-request-id"] == "order7_x-" + "y" * 31

    with_rig(body)


def test_requests_that_no_deployment_saw_are_reported_without_one(with_rig):
    async def body(rig):
        await rig.add("blue", answering("ok"))
        rig.route(blue=100)
        assert (await rig.score(key="wrong"))[0] == 401
        assert (await rig.score(azureml_model_deployment="green"))[0] == 404
        rig.route(blue=0)
        assert (await rig.score())[0] == 404
        rig.url = f"{rig.base}/endpoints/unknown/score"
        assert (await rig.score())[0] == 404
        assert [(one.endpoint, one.deployment, one.status) for one in rig.served] == [
            ("fraud", "", 401),
            ("fraud", "", 404),
            ("fraud", "", 404),
        ]

    with_rig(body)


def test_connections_are_counted_while_they_are_open(with_rig):
    async def body(rig):
        await rig.add("blue", answering("ok"))
        rig.route(blue=100)
        assert rig.router.connections() == {}
        await asyncio.gather(*(rig.score() for _ in range(3)))
        assert rig.router.connections() == {"fraud": 3}
        rig.route(blue=100)  # a change of weights closes none
        assert rig.router.connections() == {"fraud": 3}
        await rig.session.close()
        await until(lambda: rig.router.connections() == {})

    with_rig(body)


def test_a_wrong_method_is_answered_with_the_allowed_ones_and_the_front_doors_headers(with_rig):
    async def body(rig):
        rig.route()
        status, _, headers = await rig.score(method="DELETE")
        assert (status, headers["allow"]) == (405, "POST, GET, OPTIONS")
        assert headers["server"] == "azureml-frontdoor"
        assert len(headers["x-request-id"]) == 36

    with_rig(body)


@pytest.mark.proves("data plane", honours=["drain"])
def test_a_deployment_at_weight_0_finishes_its_requests(with_rig):
    async def body(rig):
        begun, gate = asyncio.Event(), asyncio.Event()

        async def slow(request: web.Request) -> web.Response:
            begun.set()
            await gate.wait()
            return web.Response(text="blue")

        await rig.add("blue", slow)
        await rig.add("green", answering("green"))
        rig.route(blue=100)
        running = asyncio.create_task(rig.score())
        await begun.wait()
        rig.route(green=100, blue=0)
        assert (await rig.score())[1] == "green"
        gate.set()
        assert (await running)[:2] == (200, "blue")

    with_rig(body)
