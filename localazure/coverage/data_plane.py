"""The coverage page's section on requests to models (see `localazure.coverage.page`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

DATA_PLANE: Mapping[str, str] = {
    "score": "POST, GET and OPTIONS reach the model as sent, but without the key; streamed and large bodies too",
    "swagger": "`/swagger.json` comes from the model",
    "azureml-model-deployment": "chooses a deployment regardless of its weight; every answer names its deployment",
    "x-request-id": "a GUID is forwarded and returned, anything else is replaced; a client's own id is cleaned and cut",
    "401": "neither of the two keys, no valid token",
    "404": "no such endpoint, deployment or path; no deployment with a positive weight",
    "405": "another method",
    "408": "longer than the request timeout, including the wait for a slot; a body that never ends",
    "413": "more than 64 MiB",
    "424": "the model did not answer 200; the answer includes its status and headers",
    "429": "more than 2 x max_concurrent_requests_per_instance x instances",
    "502": "the model's server closed the connection; the request is not repeated",
    "503": "no instance is ready",
    "weights": "take effect with the next request; a change under load loses no request",
    "mirroring": "copies are sent separately and their answers dropped; requests that name a deployment are not copied",
    "drain": "an instance that is scaled in, replaced, removed or at weight 0 finishes its requests",
    "repair": "an instance that ends is restarted; after kill -9 of the server, no orphan is left",
}
"""The features of the data plane, each with a test that proves it."""

_HEAD = """
## Data plane

`/endpoints/NAME/score`, on the same address as everything else.

| feature | description | proof |
|---|---|---|
"""
_FOOT = """
Stored without effect: `maxQueueWait` (deprecated in Azure; a request waits for a slot until its timeout) and
`startupProbe`. An endpoint has no throughput limits. An instance is probed as soon as it starts, not after
`initialDelay`: it is ready as soon as its server is. `--compute simulated` answers without processes: it ignores
environment, code and model.
"""


def data_plane_text(proof_of: Callable[[str], str]) -> str:
    """The section as Markdown; `proof_of` returns the test that proves a line of `DATA_PLANE`."""
    lines = (f"| {what} | {words} | {proof_of(what)} |\n" for what, words in DATA_PLANE.items())
    return _HEAD + "".join(lines) + _FOOT
