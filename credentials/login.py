"""The one place that makes a credential of azure-identity for the `sluice` command."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from credentials.workload import workload_of

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential


def azure_credential(environment: Mapping[str, str] | None = None) -> TokenCredential:
    """Return the caller's credential: the pipeline's identity where there is one, else azure-identity's default chain.

    In a pipeline it asks for a new ID token whenever it needs a new access token, so it works for as long as the job.
    No request is sent here. Raises UsageError if a pipeline's environment is incomplete.
    """
    from azure.identity import ClientAssertionCredential, DefaultAzureCredential

    environment = os.environ if environment is None else environment
    workload = workload_of(environment)
    if workload is None:
        return DefaultAzureCredential()
    # The variable by which azure-native, too, is told that a cloud's login host is not one of Microsoft's.
    undiscovered = environment.get("ARM_DISABLE_INSTANCE_DISCOVERY", "").lower() in ("1", "true")
    return ClientAssertionCredential(
        workload.tenant_id, workload.client_id, workload.id_tokens.fetch, disable_instance_discovery=undiscovered
    )


def login_fix(environment: Mapping[str, str], said: str) -> str:
    """Return what to do about a refused login, given what Entra or the library said."""
    if workload_of(environment) is None:
        return "Run `az login`, or set AZURE_CLIENT_ID, AZURE_TENANT_ID and AZURE_CLIENT_SECRET."
    fixes = {
        "AADSTS700024": "The ID token had ended: check the clock of the runner.",
        "AADSTS700016": "Check AZURE_CLIENT_ID and AZURE_TENANT_ID.",
        "AADSTS70021": "Give the identity AZURE_CLIENT_ID a federated credential with exactly this issuer, subject and "
        "audience, capital letters too.",
    }
    known = next((fix for code, fix in fixes.items() if code in said), "")
    return known or "Check AZURE_CLIENT_ID, AZURE_TENANT_ID and the identity's federated credentials (docs/state.md)."
