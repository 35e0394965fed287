"""What the coverage page says of requests to models (see `localazure.coverage.page`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

DATA_PLANE: Mapping[str, str] = {
    "score": "POST, GET and OPTIONS reach the model as they were sent, the key left out; streamed and large bodies too",
    "swagger": "`/swagger.json` is the model's",
    "azureml-model-deployment": "chooses a deployment, whatever its weight; every answer names the one that gave it",
    "x-request-id": "a GUID is passed on and given back, anything else replaced; a client's own id is cleaned and cut",
    "401": "neither of the two keys, no valid token",
    "404": "no such endpoint, deployment or path; no deployment with a positive weight",
    "405": "another method",
    "408": "longer than the request timeout, waiting for a place included; a body that never ends",
    "413": "more than 64 MiB",
    "424": "the model answered other than 200; its status and headers come along",
    "429": "more than 2 x max_concurrent_requests_per_instance x instances",
    "502": "the model's server broke off; it is not asked twice",
    "503": "no instance is ready",
    "weights": "are effective for the next request; changing them under load loses none",
    "mirroring": "copies on the side, answers dropped, none of requests that name a deployment",
    "drain": "what is scaled in, replaced, removed or at weight 0 finishes its requests",
    "repair": "an instance that ends comes back; after kill -9 of the server none is left without owner",
}
"""What the data plane does, each with a test that proves it."""

_HEAD = """
## Data plane

`/endpoints/NAME/score`, on the same address as everything else.

| what | in words | proof |
|---|---|---|
"""
_FOOT = """
Stored without effect: `maxQueueWait` (deprecated in Azure; a request waits for a place until its timeout) and
`startupProbe`. There are no throughput limits of an endpoint. An instance is probed at once when it starts, not after
`initialDelay`: it is ready as soon as its server is. `--compute simulated` answers without processes: no environment,
code or model is looked at.
"""


def data_plane_text(proof_of: Callable[[str], str]) -> str:
    """As Markdown; `proof_of` says which test proves a line of `DATA_PLANE`."""
    lines = (f"| {what} | {words} | {proof_of(what)} |\n" for what, words in DATA_PLANE.items())
    return _HEAD + "".join(lines) + _FOOT
