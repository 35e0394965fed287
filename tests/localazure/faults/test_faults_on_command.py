"""Faults through the one door, as clients of a running local Azure see them; no model processes."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import pytest
import requests

from localazure.store import Store
from tests.localazure.platform_bodies import GROUP, HERE, MANAGED, PLATFORM, WORKSPACE
from tests.waiting import HANGS

pytestmark = pytest.mark.integration

ENDPOINT = f"{WORKSPACE}/onlineEndpoints/fraud-dev"
BLUE = f"{ENDPOINT}/deployments/blue"


class Client:
    """A running local Azure with a workspace and an endpoint, and its control address."""

    def __init__(self, azure: Any) -> None:
        self.azure = azure
        self.token = (azure.home / "control.token").read_text()

    def control(self, method: str, body: Any = None, token: str | None = None, query: str = "") -> requests.Response:
        headers = {"X-Local-Token": self.token if token is None else token}
        return requests.request(
            method, f"{self.azure.http}/_local/faults{query}", json=body, headers=headers, timeout=HANGS
        )

    def add(self, kind: str, **scope: Any) -> int:
        answer = self.control("POST", {"kind": kind, **scope})
        assert answer.status_code == 201, answer.text
        return int(answer.json()["number"])

    def held(self, number: int) -> dict[str, Any]:
        """The fault, as soon as it holds something."""
        answer = self.control("GET", query=f"/held?number={number}&seconds=60")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def put(self, path: str, body: dict[str, Any]) -> requests.Response:
        return self.azure.request("PUT", path, body)

    def put_endpoint(self, **properties: Any) -> requests.Response:
        return self.put(ENDPOINT, HERE | {"properties": {"authMode": "Key"} | properties})

    def put_blue(self) -> requests.Response:
        return self.put(BLUE, HERE | {"properties": MANAGED, "sku": {"name": "Default", "capacity": 1}})

    def poll(self, answer: requests.Response) -> requests.Response:
        """One look at the operation that an answer began."""
        path = answer.headers["Azure-AsyncOperation"].removeprefix(self.azure.https).partition("?")[0]
        return cast(requests.Response, self.azure.request("GET", path))

    def wait(self, answer: requests.Response) -> dict[str, Any]:
        assert answer.status_code in (200, 201, 202), answer.text
        deadline = time.monotonic() + HANGS
        while time.monotonic() < deadline:
            body = self.poll(answer).json()
            if body["status"] in ("Succeeded", "Failed"):
                return dict(body)
            time.sleep(0.02)
        raise AssertionError(f"the operation does not end: {body}")

    def state(self, path: str) -> str:
        return str(self.azure.request("GET", path).json()["properties"]["provisioningState"])


@pytest.fixture
def client(start_local_azure: Any) -> Client:
    local = Client(start_local_azure())
    for path, body in PLATFORM:
        answer = local.put(path, body)
        assert answer.ok, answer.text
    local.wait(answer)
    local.wait(local.put_endpoint())
    return local


def test_requests_are_refused_delayed_and_broken_as_told(client: Client) -> None:
    get = client.azure.request
    client.add("429", type="onlineEndpoints", count=1, retry_after_seconds=7)
    client.add("500", type="onlineEndpoints", name="fraud-dev", method="GET", count=1)
    client.add("409", type="onlineEndpoints", count=1)
    assert get("GET", WORKSPACE).status_code == 200
    throttled, failed, refused = (get("GET", ENDPOINT) for _ in range(3))
    assert (throttled.status_code, throttled.headers["Retry-After"]) == (429, "7")
    assert failed.json()["error"]["code"] == "ServiceError"
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "Conflict")
    assert {answer.headers["x-local-fault"] for answer in (throttled, failed, refused)} == {"1", "2", "3"}
    assert get("GET", ENDPOINT).status_code == 200

    client.add("delay", by_seconds=0.3, count=1)
    started = time.monotonic()
    assert get("GET", ENDPOINT).status_code == 200
    assert time.monotonic() - started >= 0.3

    client.add("drop", method="PUT", count=1)
    with pytest.raises(requests.ConnectionError):
        client.put(f"{GROUP}2", HERE)
    assert get("GET", f"{GROUP}2").status_code == 404, "a dropped request has no effect"

    client.add("lose-response", type="resourceGroups", method="PUT", count=1)
    with pytest.raises(requests.ConnectionError):
        client.put(f"{GROUP}2", HERE)
    assert get("GET", f"{GROUP}2").status_code == 200, "a lost response is one of a request that succeeded"
    assert client.control("GET").json() == {"value": []}

    client.add("500", type="blobs", count=1)
    assert requests.get(f"{client.azure.http}/stacc1/box/a", timeout=HANGS).status_code == 500
    log = (client.azure.home / "logs" / "server.log").read_text() if (client.azure.home / "logs").exists() else ""
    assert "Traceback" not in log


def test_operations_fail_or_never_end_until_the_fault_is_cleared(client: Client) -> None:
    client.add("operation-fails", type="deployments", name="fraud-dev/blue", count=1)
    failed = client.wait(client.put_blue())
    assert (failed["status"], failed["error"]["code"]) == ("Failed", "InternalServerError")
    assert client.state(BLUE) == "Failed"
    assert client.wait(client.azure.request("DELETE", BLUE))["status"] == "Succeeded"

    number = client.add("operation-never-ends", type="deployments", count=1)
    answer = client.put_blue()
    assert client.held(number)["held"] == 1
    assert client.state(BLUE) == "Creating"
    conflict = client.put_endpoint(traffic={})
    assert conflict.status_code == 409, "one operation at a time"
    assert client.control("DELETE", query=f"?number={number}").json() == {"cleared": 1}
    assert client.wait(answer)["status"] == "Succeeded"

    client.add("crash-at-start", name="fraud-dev/green", count=1)
    green = BLUE.replace("blue", "green")
    crashed = client.wait(client.put(green, HERE | {"properties": MANAGED}))
    assert crashed["error"]["code"] == "ResourceNotReady"
    assert "crash at start" in client.azure.request("POST", f"{green}/getLogs", {}).json()["content"]


def test_a_held_request_takes_effect_though_its_caller_has_gone(client: Client) -> None:
    number = client.add("hold", type="resourceGroups", method="PUT", count=1)
    body = json.dumps(HERE)
    head = f"PUT {GROUP}-gone?api-version=2024-03-01 HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer x\r\n"
    port = int(client.azure.http.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port)) as caller:
        caller.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())
        assert client.held(number)["held"] == 1
    assert client.azure.request("GET", f"{GROUP}-gone").status_code == 404
    assert client.control("POST", query=f"/release?number={number}").json() == {"released": 1}
    assert client.azure.request("GET", f"{GROUP}-gone").status_code == 200, "released is done"


def test_steps_of_an_operation_are_taken_one_by_one(client: Client) -> None:
    """Without a count a hold goes on: each release lets one poll pass."""
    number = client.add("hold", type="polls")
    answer = client.put_endpoint(tags={})
    with ThreadPoolExecutor() as caller:
        for _ in range(3):
            poll = caller.submit(client.poll, answer)
            assert client.held(number)["held"] == 1
            assert not poll.done()
            client.control("POST", query=f"/release?number={number}")
            assert poll.result(HANGS).status_code == 200
    assert client.control("DELETE").json() == {"cleared": 1}


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_stop_ends_what_is_held_at_once_and_what_has_not_begun_never_begins(client: Client, when: str) -> None:
    number = client.add("hold", type="resourceGroups", method="PUT", when=when)
    waiting = client.add("hold", type="storageAccounts")
    with ThreadPoolExecutor() as caller:
        held = caller.submit(client.put, f"{GROUP}-stopped", HERE)
        watched = caller.submit(client.held, waiting)
        assert client.held(number)["held"] == 1
        client.azure.close()
        with pytest.raises(requests.ConnectionError):
            held.result(HANGS)
        with contextlib.suppress(requests.ConnectionError, AssertionError):
            watched.result(HANGS)
    with contextlib.closing(Store(client.azure.home / "azure.db")) as store:
        made = store.get(f"{GROUP}-stopped") is not None
    assert made is (when == "after")


def test_an_operation_that_is_held_at_the_stop_is_still_to_be_done(client: Client) -> None:
    number = client.add("operation-never-ends", type="deployments")
    client.put_blue()
    assert client.held(number)["held"] == 1
    client.azure.close()
    with contextlib.closing(Store(client.azure.home / "azure.db")) as store:
        assert [one["status"] for one in store.running_operations(BLUE)] == ["Running"]


def test_weights_are_accepted_and_effective_later(client: Client) -> None:
    client.wait(client.put_blue())
    number = client.add("late-traffic", name="fraud-dev", by_seconds=3600)
    assert client.wait(client.put_endpoint(traffic={"blue": 100}))["status"] == "Succeeded"
    shown = client.azure.request("GET", ENDPOINT).json()["properties"]["traffic"]
    routing = client.azure.plane.routing
    assert (shown, routing["fraud-dev"].traffic) == ({"blue": 100}, {})
    assert client.control("POST", query=f"/release?number={number}").json() == {"released": 1}
    assert routing["fraud-dev"].traffic == {"blue": 100}


def test_the_door_is_for_those_who_can_read_the_home(client: Client) -> None:
    for method in ("GET", "POST", "DELETE"):
        for token in ("", "x", "\xff", client.token + "x"):
            assert client.control(method, {"kind": "500"}, token=token).status_code == 403
    refused = client.control("POST", {"kind": "slow", "colour": 1})
    assert (refused.status_code, len(refused.json()["error"]["problems"])) == (400, 2)
    assert client.control("DELETE", query="?number=x").status_code == 400
    assert client.control("DELETE", query="?number=7").status_code == 404
    assert client.control("GET", query="/held?number=7").status_code == 404
    assert client.control("POST", query="/release?number=7").status_code == 404
    assert client.control("GET", query="/held", token="x").status_code == 403
    assert client.control("POST", query="/release", token="x").status_code == 403
    asked = client.control("GET", query="/held?count=-1&seconds=1.5")
    assert (asked.status_code, len(asked.json()["error"]["problems"])) == (400, 3)
    client.add("slow", by_seconds=1, name="a/b")
    status = requests.get(f"{client.azure.http}/_local/status", timeout=HANGS).json()
    assert status["faults"][0]["kind"] == "slow"
    assert client.control("DELETE").json() == {"cleared": 1}
