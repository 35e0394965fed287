"""No key, token or connection string of Azure is in the state, the outputs, the events or Azure's logs.

Deployments are simulated; both committed stacks come up.
"""

from __future__ import annotations

import json
import re
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.integration.rehearsal import MODEL, Azure, Stack

pytestmark = pytest.mark.integration

TOKEN = re.compile(r"eyJ[\w-]{10,}\.eyJ[\w-]{10,}")
SIGNATURE = re.compile(r"[?&]sig=[\w%+/=-]{20,}")
SECRET_NAMES = re.compile(r"key\d?$|primary|secondary|token$|connectionstring|instrumentationkey|password|value$", re.I)
ACTIONS = {
    "microsoft.machinelearningservices/workspaces": ("listKeys",),
    "microsoft.machinelearningservices/workspaces/onlineendpoints": ("listKeys", "token"),
    "microsoft.storage/storageaccounts": ("listKeys",),
    "microsoft.operationalinsights/workspaces": ("sharedKeys",),
    "microsoft.containerregistry/registries": ("listCredentials",),
}


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azure]:
    azure = Azure.started(tmp_path_factory.mktemp("secrets"), "--compute", "simulated")
    yield azure
    azure.stop()


def handed_out(stack: Stack) -> dict[str, str]:
    """Every secret that Azure returns for the stack's resources, by its origin."""
    found: dict[str, str] = {}
    for resource in stack.engine.export()["deployment"]["resources"]:
        resource_id = str(resource.get("id") or "")
        if not resource_id.startswith("/subscriptions/"):
            continue
        kind = type_of(resource_id)
        if kind == "microsoft.insights/components":
            found |= secrets_in(stack.azure.get(resource_id)["properties"], resource_id)
        for action in ACTIONS.get(kind, ()):
            status, answer = stack.azure.request("POST", f"{resource_id}/{action}", {})
            if status == 200:
                found |= secrets_in(answer, f"{resource_id}/{action}")
    return found


def type_of(resource_id: str) -> str:
    parts = resource_id.partition("/providers/")[2].split("/")
    return "/".join([parts[0], *parts[1::2]]).lower()


def secrets_in(document: Any, where: str) -> dict[str, str]:
    if isinstance(document, Mapping):
        found = {}
        for name, value in document.items():
            if isinstance(value, str) and SECRET_NAMES.search(name) and len(value) >= 16:
                found[f"{where}: {name}"] = value
            found |= secrets_in(value, f"{where}: {name}")
        return found
    if isinstance(document, list):
        return {key: one for item in document for key, one in secrets_in(item, where).items()}
    return {}


def login_token(stack: Stack) -> str:
    """What a client of the rehearsal gets from the identity endpoint."""
    address = f"{stack.environment['IDENTITY_ENDPOINT']}?api-version=2019-08-01&resource={stack.azure.url}/"
    request = urllib.request.Request(address, headers={"X-IDENTITY-HEADER": stack.environment["IDENTITY_HEADER"]})
    with urllib.request.urlopen(request) as answer:
        return str(json.load(answer)["access_token"])


def texts(folder: Path) -> dict[str, str]:
    return {str(file): file.read_text(errors="replace") for file in folder.rglob("*") if file.is_file()}


@pytest.mark.parametrize("name", ["dev", "prod"])
def test_what_azure_hands_out_stays_with_those_who_asked(simulated: Azure, name: str) -> None:
    stack = Stack(simulated, name, like=name)
    events: list[Mapping[str, Any]] = []
    stack.engine.up(on_event=events.append)
    stack.publish()
    for _ in range(2):
        stack.engine.up(on_event=events.append)
    stack.engine.preview(refresh=True, on_event=events.append)
    assert stack.engine.outputs()["endpoints"][MODEL]["settled"]

    secrets = handed_out(stack) | {"login": login_token(stack)}
    sources = {where.partition(": ")[0].rpartition("/")[2] for where in secrets}
    assert sources >= {stack.names.application_insights, "listKeys", "login"}, sources
    assert TOKEN.search(secrets["login"])
    places = {
        "exported state": json.dumps(stack.engine.export()),
        "outputs": json.dumps(stack.engine.outputs()),
        "event log": json.dumps(events),
        **texts(simulated.home.path / "logs"),
        **texts(simulated.folder / "state"),
    }
    for place, text in places.items():
        leaked = [where for where, secret in secrets.items() if secret in text]
        assert not leaked, f"{place} holds {leaked}"
        assert not TOKEN.search(text), f"{place} holds a token"
        assert not SIGNATURE.search(text), f"{place} holds a signed address"
