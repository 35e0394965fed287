"""The login of the engine, its backend and its plugins: variables that they read when they start."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from credentials.token_file import fresh_token_file
from credentials.workload import workload_of


@contextmanager
def engine_environment(environment: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Yield the environment for one process of the Pulumi CLI, with a login that lasts as long as the process.

    Outside of a pipeline it is the environment as given. In a pipeline the backend (azblob://, azurekeyvault://) and
    azure-native log in from a token file with azidentity's `WorkloadIdentityCredential`; `ARM_USE_OIDC` would read the
    token once only (read in azure-native 3.29). Raises UsageError, and UnavailableError without an ID token.
    """
    workload = workload_of(environment)
    if workload is None:
        yield dict(environment)
        return
    with fresh_token_file(workload.id_tokens) as path:
        yield {
            **environment,
            "AZURE_CLIENT_ID": workload.client_id,
            "AZURE_TENANT_ID": workload.tenant_id,
            "AZURE_FEDERATED_TOKEN_FILE": str(path),
            "AZURE_TOKEN_CREDENTIALS": "WorkloadIdentityCredential",
            "ARM_USE_DEFAULT_AZURE_CREDENTIAL": "true",
        }
