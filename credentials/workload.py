"""Which identity in Azure this job is: client id, tenant, and where its ID tokens come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from command_errors import UsageError
from credentials.id_tokens import IdTokens, id_tokens_of

OTHER_LOGINS = ("AZURE_CLIENT_SECRET", "AZURE_CLIENT_CERTIFICATE_PATH", "AZURE_FEDERATED_TOKEN_FILE")
"""If one of these is set, the environment has a login of its own, which is used."""


@dataclass(frozen=True)
class Workload:
    """An identity, and the ID tokens that Azure exchanges for its access tokens."""

    client_id: str
    tenant_id: str
    id_tokens: IdTokens


def workload_of(environment: Mapping[str, str]) -> Workload | None:
    """Return the identity of a pipeline's job; None where the login is another one (a laptop, a managed identity).

    The names are AZURE_CLIENT_ID and AZURE_TENANT_ID, or those that Azure Pipelines sets for a service connection
    (AZURESUBSCRIPTION_CLIENT_ID, ..._TENANT_ID). Raises UsageError if only a part of them is set.
    """
    if any(environment.get(name) for name in OTHER_LOGINS):
        return None
    id_tokens = id_tokens_of(environment)
    if id_tokens is None:
        return None
    found = {name: environment.get(f"AZURE_{name}") or environment.get(f"AZURESUBSCRIPTION_{name}") for name in _NAMES}
    client_id, tenant_id = (found[name] for name in _NAMES)
    if client_id and tenant_id:
        return Workload(client_id, tenant_id, id_tokens)
    if not client_id and not tenant_id:
        return None
    missing = next(name for name in _NAMES if not found[name])
    raise UsageError(
        f"AZURE_{missing} is not set, but the rest of this job's login is. Set AZURE_CLIENT_ID to the client id of the "
        "pipeline's identity and AZURE_TENANT_ID to its tenant; neither is secret."
    )


_NAMES = ("CLIENT_ID", "TENANT_ID")
