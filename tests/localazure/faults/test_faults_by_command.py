"""Every kind of fault as a user adds it with `sluice local fault add`, and its effect on unmodified Azure clients.

Compute is simulated. One server for all tests of this file; each leaves no fault behind.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests

from localazure import identity
from tests.localazure.existing_versions import existing_version
from tests.localazure.platform_bodies import OWN_SERVER
from tests.waiting import HANGS

pytestmark = pytest.mark.integration

PROVIDERS = f"/subscriptions/{identity.SUBSCRIPTION_ID}/resourceGroups/rg1/providers"
STORAGE = f"{PROVIDERS}/Microsoft.Storage/storageAccounts/stacc1"
VAULT = f"{PROVIDERS}/Microsoft.KeyVault/vaults/kv1"
HERE = {"location": "westeurope"}
PLACE = ("rg1", "ws1")
SLOW = 0.4


class Credential:
    """Any token opens the local Azure."""

    def get_token(self, *scopes: str, **more: Any) -> Any:
        from azure.core.credentials import AccessToken

        return AccessToken("x", int(time.time()) + 3600)


class Local:
    """A local Azure that the command started, with an endpoint, and the clients of Azure for it."""

    def __init__(self, home: Path) -> None:
        from azure.mgmt.machinelearningservices import MachineLearningServicesMgmtClient
        from azure.mgmt.resource.resources import ResourceManagementClient

        self.home = home
        served = json.loads(self.command("start", "--compute", "simulated", "--json"))
        self.http = served["http"]
        arguments = (Credential(), identity.SUBSCRIPTION_ID)
        where = {"base_url": served["https"], "connection_verify": str(home / "bundle.pem")}
        self.groups = ResourceManagementClient(*arguments, **where).resource_groups
        self.ml = MachineLearningServicesMgmtClient(*arguments, **where)
        self._make()
        self.key = self.ml.online_endpoints.list_keys(*PLACE, "fraud-dev").primary_key

    def command(self, *arguments: str, expect: int = 0) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "cli.main", "local", *arguments],
            env=os.environ | {"SLUICE_LOCAL_HOME": str(self.home)},
            capture_output=True,
            text=True,
            timeout=HANGS,
            check=False,
        )
        assert done.returncode == expect, done.stdout + done.stderr
        return done.stdout + done.stderr if expect else done.stdout

    def fault(self, *arguments: str) -> None:
        self.command("fault", "add", *arguments)

    def hold(self, *arguments: str) -> str:
        """The number of a fault that holds."""
        return str(json.loads(self.command("fault", "add", "hold", *arguments, "--json"))["number"])

    def faults(self) -> list[dict[str, Any]]:
        return list(json.loads(self.command("fault", "list", "--json")))

    def _make(self) -> None:
        self.groups.create_or_update("rg1", HERE)
        vault = HERE | {"properties": {"tenantId": identity.TENANT_ID, "sku": {"family": "A", "name": "standard"}}}
        for path, body in ((STORAGE, HERE | {"sku": {"name": "Standard_LRS"}}), (VAULT, vault)):
            url = f"{self.http}{path}?api-version={existing_version(path)}"
            assert requests.put(url, json=body, headers={"Authorization": "Bearer x"}, timeout=HANGS).ok
        references = {"storageAccount": STORAGE, "keyVault": VAULT}
        body = HERE | {"identity": {"type": "SystemAssigned"}, "properties": references}
        self.ml.workspaces.begin_create_or_update(*PLACE, body).result()
        self.put_endpoint().result()
        for colour in ("blue", "green"):
            self.deploy(colour).result()
        self.put_endpoint(traffic={"blue": 100}).result()

    def put_endpoint(self, **properties: Any) -> Any:
        body = HERE | {"identity": {"type": "SystemAssigned"}, "properties": {"authMode": "Key"} | properties}
        return self.ml.online_endpoints.begin_create_or_update(*PLACE, "fraud-dev", body)

    def deploy(self, name: str) -> Any:
        properties = {  # as the client spells them
            "endpoint_compute_type": "Managed",
            "instance_type": "Standard_DS3_v2",
            "environment_id": OWN_SERVER,
        }
        body = HERE | {"properties": properties, "sku": {"name": "Default", "capacity": 1}}
        return self.ml.online_deployments.begin_create_or_update(*PLACE, "fraud-dev", name, body)

    def state(self, name: str) -> str:
        return str(self.ml.online_deployments.get(*PLACE, "fraud-dev", name).properties.provisioning_state)

    def remove(self, name: str) -> None:
        self.ml.online_deployments.begin_delete(*PLACE, "fraud-dev", name).result()

    def score(self) -> requests.Response:
        url = f"{self.http}/endpoints/fraud-dev/score"
        return requests.post(url, data=b"{}", headers={"Authorization": f"Bearer {self.key}"}, timeout=HANGS)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Local]:
    home = tmp_path_factory.mktemp("faults") / "home"
    try:
        yield Local(home)
    finally:
        command = [sys.executable, "-m", "cli.main", "local", "stop", "--home", str(home)]
        subprocess.run(command, capture_output=True, timeout=HANGS, check=True)


@pytest.fixture
def local(running: Local) -> Iterator[Local]:
    yield running
    assert running.faults() == [], "a fault that has acted as often as it should is gone"


@pytest.mark.proves("faults", honours=["delay"], client="azure-mgmt")
def test_a_delay_holds_a_client_up(local: Local) -> None:
    local.fault("delay", "--by", "400ms", "--type", "resourceGroups", "--count", "1")
    started = time.monotonic()
    assert local.groups.get("rg1").name == "rg1"
    assert time.monotonic() - started >= SLOW


@pytest.mark.proves("faults", honours=["429", "500"], client="azure-mgmt")
@pytest.mark.parametrize(
    "fault", [("429", "--retry-after", "1"), ("500",), ("500", "--status", "503"), ("drop",), ("lose-response",)]
)
def test_what_clients_of_azure_try_again_they_try_again(local: Local, fault: tuple[str, ...]) -> None:
    local.fault(*fault, "--type", "resourceGroups", "--name", "rg1", "--method", "PUT", "--count", "1")
    started = time.monotonic()
    assert local.groups.create_or_update("rg1", HERE).name == "rg1"
    if fault[0] == "429":
        assert time.monotonic() - started >= 1, "it waited as long as Retry-After says"


@pytest.mark.proves("faults", honours=["409"], client="azure-mgmt")
def test_a_conflict_reaches_the_caller(local: Local) -> None:
    from azure.core.exceptions import ResourceExistsError

    local.fault("409", "--type", "onlineEndpoints", "--name", "fraud-dev", "--count", "1")
    with pytest.raises(ResourceExistsError, match="on command"):
        local.ml.online_endpoints.get(*PLACE, "fraud-dev")


@pytest.mark.proves("faults", honours=["drop", "lose-response"], client="azure-mgmt")
@pytest.mark.parametrize(("kind", "made"), [("drop", False), ("lose-response", True)])
def test_a_broken_connection_leaves_nothing_or_everything_done(local: Local, kind: str, made: bool) -> None:
    from azure.core.exceptions import ServiceResponseError

    local.fault(kind, "--type", "resourceGroups", "--method", "PUT", "--count", "1")
    with pytest.raises(ServiceResponseError):
        local.groups.create_or_update(kind, HERE, retry_total=0)
    assert local.groups.check_existence(kind) is made


@pytest.mark.proves("faults", honours=["operation-fails", "crash-at-start"], client="azure-mgmt")
@pytest.mark.parametrize("kind", ["operation-fails", "crash-at-start"])
def test_a_deployment_fails_with_a_reason(local: Local, kind: str) -> None:
    from azure.core.exceptions import HttpResponseError

    local.fault(kind, "--name", "fraud-dev/failing", "--count", "1")
    with pytest.raises(HttpResponseError, match="on command"):
        local.deploy("failing").result()
    assert local.state("failing") == "Failed"
    if kind == "crash-at-start":
        log = local.ml.online_deployments.get_logs(*PLACE, "fraud-dev", "failing", {"tail": 10})
        assert "crash at start" in log.content
    local.remove("failing")


@pytest.mark.proves("faults", honours=["operation-never-ends"], client="azure-mgmt")
def test_an_operation_runs_until_its_fault_is_cleared(local: Local) -> None:
    local.fault("operation-never-ends", "--type", "onlineEndpoints/deployments", "--count", "1")
    poller = local.deploy("waiting")
    (fault,) = local.faults()
    local.command("fault", "wait", str(fault["number"]))
    assert not poller.done()
    assert local.state("waiting") == "Creating"
    assert "cleared: 1" in local.command("fault", "clear", str(fault["number"]))
    poller.result()
    assert local.state("waiting") == "Succeeded"
    local.remove("waiting")


@pytest.mark.proves("faults", honours=["hold"], client="azure-mgmt")
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_request_stands_still_until_it_is_released(local: Local, when: str) -> None:
    number = local.hold("--when", when, "--type", "resourceGroups", "--method", "PUT", "--count", "1")
    with ThreadPoolExecutor() as caller:
        making = caller.submit(local.groups.create_or_update, f"held-{when}", HERE)
        assert "holds 1 now" in local.command("fault", "wait", number)
        assert local.groups.check_existence(f"held-{when}") is (when == "after")
        assert not making.done()
        assert "released: 1" in local.command("fault", "release", number)
        assert making.result(HANGS).name == f"held-{when}"


def test_the_end_of_an_operation_is_held_at_its_poll(local: Local) -> None:
    number = local.hold("--type", "polls", "--count", "1")
    with ThreadPoolExecutor() as caller:
        updating = caller.submit(lambda: local.put_endpoint(traffic={"blue": 100}).result())
        local.command("fault", "wait", number)
        assert not updating.done()
        local.command("fault", "clear", number)
        assert updating.result(HANGS).properties.traffic == {"blue": 100}


def test_a_request_to_a_model_is_held_before_and_after_the_model(local: Local) -> None:
    for when in ("before", "after"):
        number = local.hold("--type", "score", "--name", "fraud-dev", "--when", when, "--count", "1")
        with ThreadPoolExecutor() as caller:
            scoring = caller.submit(local.score)
            local.command("fault", "wait", number)
            assert not scoring.done()
            local.command("fault", "release", number)
            assert scoring.result(HANGS).status_code == 200


def test_waiting_for_what_is_never_held_is_refused(local: Local) -> None:
    number = local.hold("--type", "storageAccounts")
    assert "it holds 0, not 1" in local.command("fault", "wait", number, "--timeout", "0s", expect=1)
    local.command("fault", "clear", number)
    assert "There is no fault" in local.command("fault", "release", number, expect=2)
    local.fault("500", "--type", "storageAccounts")
    (fault,) = local.faults()
    assert "this kind holds nothing" in local.command("fault", "wait", str(fault["number"]), expect=2)
    local.command("fault", "clear")


@pytest.mark.proves("faults", honours=["late-traffic"], client="azure-mgmt")
def test_weights_are_shown_before_they_are_effective(local: Local) -> None:
    local.fault("late-traffic", "--by", "1h", "--name", "fraud-dev", "--count", "1")
    shown = local.put_endpoint(traffic={"green": 100}).result()
    assert shown.properties.traffic == {"green": 100}
    assert local.score().headers["azureml-model-deployment"] == "blue"
    (fault,) = local.faults()
    local.command("fault", "release", str(fault["number"]))
    assert local.score().headers["azureml-model-deployment"] == "green"
    local.put_endpoint(traffic={"blue": 100}).result()


@pytest.mark.proves("faults", honours=["unhealthy", "slow", "errors"], client="HTTP")
def test_a_deployment_is_unhealthy_slow_or_wrong_for_a_share_of_requests(local: Local) -> None:
    local.fault("unhealthy", "--name", "fraud-dev/blue", "--count", "2")
    assert [local.score().status_code for _ in range(3)] == [503, 503, 200]

    local.fault("slow", "--by", "400ms", "--name", "blue", "--count", "1")
    started = time.monotonic()
    assert local.score().status_code == 200
    assert time.monotonic() - started >= SLOW

    local.fault("errors", "--status", "502", "--name", "blue", "--share", "50")
    answers = [local.score() for _ in range(60)]
    assert {answer.status_code for answer in answers} == {200, 424}
    wrong = next(answer for answer in answers if answer.status_code == 424)
    assert wrong.headers["ms-azureml-model-error-statuscode"] == "502"
    (fault,) = local.faults()
    assert fault["seen"] == 60
    assert fault["hits"] == sum(answer.status_code == 424 for answer in answers)
    local.command("fault", "clear")


@pytest.mark.proves("faults", honours=["delay", "409", "429", "500", "drop", "lose-response"], client="HTTP")
def test_requests_to_models_meet_faults_when_they_are_asked_for(local: Local) -> None:
    def scoring(*fault: str) -> None:
        local.fault(*fault, "--type", "score", "--name", "fraud-dev", "--method", "POST", "--count", "1")

    local.fault("drop", "--count", "1")
    assert local.score().status_code == 200, "without --type score, models are spared"
    local.command("fault", "clear")
    scoring("429", "--retry-after", "7")
    throttled = local.score()
    assert (throttled.status_code, throttled.headers["Retry-After"]) == (429, "7")
    for fault, status in ((("500",), 500), (("500", "--status", "502"), 502), (("409",), 409)):
        scoring(*fault)
        answer = local.score()
        assert (answer.status_code, answer.headers["azureml-model-deployment"]) == (status, "blue")
        assert answer.headers["x-local-fault"]
    scoring("delay", "--by", "400ms")
    started = time.monotonic()
    assert local.score().status_code == 200
    assert time.monotonic() - started >= SLOW
    for kind in ("drop", "lose-response"):
        scoring(kind)
        with pytest.raises(requests.ConnectionError):
            local.score()
    assert local.score().status_code == 200


def test_polls_can_be_refused_alone(local: Local) -> None:
    local.fault("500", "--type", "polls", "--count", "1")
    assert local.groups.get("rg1").name == "rg1"
    local.put_endpoint(traffic={"blue": 100}).result()


def test_after_and_for_and_the_list_show_how_long(local: Local) -> None:
    said = local.command("fault", "add", "500", "--type", "resourceGroups", "--after", "1", "--for", "10m")
    assert "on resourceGroups, after the first 1, ends in 600 s is set" in said
    local.groups.get("rg1", retry_total=0)
    (fault,) = local.faults()
    assert (fault["seen"], fault["hits"]) == (1, 0)
    assert 0 < fault["ends_in_seconds"] <= 600
    assert "has hit 0 of 1" in local.command("status")
    local.command("fault", "clear")


def test_the_help_is_enough_and_mistakes_are_named(local: Local) -> None:
    from localazure.faults.fault import MEANINGS

    shown = local.command("fault", "--help") + local.command("fault", "add", "--help")
    assert all(shown.count(f"  {kind} ") >= 2 for kind in MEANINGS)
    assert "--type score" in shown
    mistakes = {
        ("nonsense",): "the kinds are delay",
        ("delay",): "--by",
        ("operation-fails", "--type", "score"): "stands for requests",
        ("500", "--type", "onlineEndpoint"): "Did you mean 'onlineendpoints'",
        ("500", "--status", "404"): "from 500 to 599",
        ("drop", "--by", "1s"): "does not take by_seconds",
        ("drop", "--when", "after"): "does not take when",
    }
    for arguments, said in mistakes.items():
        assert said in local.command("fault", "add", *arguments, expect=2)
