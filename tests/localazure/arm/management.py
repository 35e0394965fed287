"""The management clients of Azure, unmodified, against one running server: only their `base_url` is set.

`Management` makes them; `live_through` leads a resource of any type through its life, the way the clients name it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.identity import DefaultAzureCredential

from localazure import identity

GROUP = "rg1"
TAGS = {"patched": "yes"}
LOCATION = "westeurope"
SUBSCRIPTION = f"/subscriptions/{identity.SUBSCRIPTION_ID}"
PROVIDERS = f"{SUBSCRIPTION}/resourceGroups/{GROUP}/providers"


class Management:
    """Clients of one local Azure, with the credential that its environment gives."""

    def __init__(self, azure: Any) -> None:
        self.azure = azure
        self._credential = DefaultAzureCredential()
        self._clients: dict[type[Any], Any] = {}
        assert azure.request("PUT", f"{SUBSCRIPTION}/resourceGroups/{GROUP}", {"location": LOCATION}).ok

    def client(self, kind: type[Any], *arguments: str) -> Any:
        """The one client of a class; `arguments` are those between credential and base_url."""
        if kind not in self._clients:
            given = arguments or (identity.SUBSCRIPTION_ID,)
            self._clients[kind] = kind(self._credential, *given, base_url=self.azure.https)
        return self._clients[kind]

    def token(self, scope: str) -> str:
        return self._credential.get_token(scope).token

    def close(self) -> None:
        for client in self._clients.values():
            client.close()
        self._credential.close()


def done(answer: Any) -> Any:
    """The outcome of a method, long-running or not."""
    return answer.result() if hasattr(answer, "result") else answer


def ids(listed: Any) -> list[str]:
    return [item.id for item in listed]


def live_through(
    *,
    create: Callable[..., Any],
    get: Callable[[], Any],
    delete: Callable[[], Any],
    lists: list[Callable[[], Any]],
    body: Any,
    update: Callable[[], Any] | None = None,
    keeps_tags: bool = False,
    asset: bool = False,
) -> Any:
    """Missing, created, read, listed, changed by PATCH and by PUT, deleted, deleted again. Returns what was created.

    `update`: a PATCH that sets `TAGS`.
    `keeps_tags`: this type's PUT merges tags (recorded of Machine Learning), or they are looked at elsewhere.
    `asset`: the service itself answers for a missing one, and the list goes with the last version.
    """
    with pytest.raises(ResourceNotFoundError) as missing:
        get()
    assert missing.value.error is not None
    assert missing.value.error.code == ("UserError" if asset else "ResourceNotFound")

    created = done(create(body))
    assert created.id.startswith(SUBSCRIPTION)
    assert created.id.endswith(f"/{created.name}")
    assert get().id == created.id
    for listed in lists:
        assert created.id in ids(listed())
    if update is not None:
        assert done(update()).tags == TAGS
        assert get().tags == TAGS
    again = done(create(body))
    assert again.id == created.id
    assert keeps_tags or not getattr(again, "tags", None) or again.tags == body["tags"]

    done(delete())
    with pytest.raises(ResourceNotFoundError):
        get()
    for listed in lists:
        try:
            assert created.id not in ids(listed())
        except ResourceNotFoundError:
            assert asset
    done(delete())
    return created


def machine_learning(management: Management, workspace: str) -> Any:
    """The client of Machine Learning, with a workspace of this name."""
    from azure.mgmt.machinelearningservices import MachineLearningServicesMgmtClient

    client = management.client(MachineLearningServicesMgmtClient)
    make_ml_workspace(client, management.azure, workspace)
    return client


def make_ml_workspace(client: Any, azure: Any, name: str) -> Any:
    """A Machine Learning workspace, made by its own client, and what it needs, made by plain HTTP."""
    from azure.mgmt.machinelearningservices import models

    vault = {"tenantId": identity.TENANT_ID, "sku": {"family": "A", "name": "standard"}}
    needs = {
        f"{PROVIDERS}/Microsoft.Storage/storageAccounts/{name}": {"sku": {"name": "Standard_LRS"}, "kind": "StorageV2"},
        f"{PROVIDERS}/Microsoft.KeyVault/vaults/{name}": {"properties": vault},
        f"{PROVIDERS}/Microsoft.Insights/components/{name}": {"kind": "web", "properties": {}},
    }
    for path, body in needs.items():
        assert azure.request("PUT", path, {"location": LOCATION} | body).ok
    storage_account, key_vault, insights = needs
    workspace = models.Workspace(
        location=LOCATION,
        identity=models.ManagedServiceIdentity(type="SystemAssigned"),
        description="of a test",
        storage_account=storage_account,
        key_vault=key_vault,
        application_insights=insights,
    )
    return client.workspaces.begin_create_or_update(GROUP, name, workspace).result()


def refused(call: Callable[[], Any]) -> tuple[int | None, str]:
    """Status and code of what a call is refused with; a list is read, a long-running operation awaited."""
    with pytest.raises(HttpResponseError) as caught:
        _read(call)
    # An answer to HEAD has no body to read a code from.
    return caught.value.status_code, str(caught.value.error.code if caught.value.error else "")


def _read(call: Callable[[], Any]) -> None:
    list(done(call()))


NOT_EMULATED = (501, "NotEmulated")
