"""What the coverage page says of the data plane and the monitor; metrics are listed from the definitions."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping

from localazure.monitor.definitions import DEPLOYMENTS, ENDPOINTS, NOT_SERVED, definitions

DATA_PLANE: Mapping[str, str] = {
    "score": "POST, GET and OPTIONS reach the model as they were sent, the key left out; streamed and large bodies too",
    "swagger": "`/swagger.json` is the model's",
    "azureml-model-deployment": "chooses a deployment, whatever its weight; every answer names the one that gave it",
    "x-request-id": "is passed on and given back; a strange one is replaced",
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

_DATA_PLANE = """
## Data plane

`/endpoints/NAME/score`, on the same address as everything else.

| what | in words | proof |
|---|---|---|
"""
_TEXT = """
Stored without effect: `maxQueueWait` (deprecated in Azure; a request waits for a place until its timeout) and
`startupProbe`. There are no throughput limits of an endpoint. An instance is probed at once when it starts, not after
`initialDelay`: it is ready as soon as its server is. `--compute simulated` answers without processes: no environment,
code or model is looked at.

## Metrics, autoscale, logs

Metrics (ARM route and batch route; PT1M to P1D, and PT1S as a local extension that reaches back five minutes). They
reach back twelve hours and can be read as soon as a minute is over (docs/adr/0012). Requests and latencies survive a
restart, except at PT1S; what is read off once a second (instances, processor time, connections) begins anew:

{metrics}

Autoscale acts: rules, cool-downs, bounds, default count, fixed dates, weekly recurrences. Not emulated:
ServiceAllowedNextValue, recurrences other than weekly, resources other than online deployments, metrics not listed
above. Stored only: predictive autoscale, notifications. `--autoscale-speed` shortens windows and cool-downs.

Logs: AmlOnlineEndpointTrafficLog is written to a file per endpoint where its diagnostic setting asks (`sluice local
logs --traffic ENDPOINT`), not to Log Analytics; of its durations only the total is measured. The console log is read
with getLogs, whatever a setting says; AmlOnlineEndpointEventLog and exported metrics are not written. Log Analytics
queries, metric alerts and activity logs are not emulated.
"""


def monitor_text(proof_of: Callable[[str], str]) -> str:
    """As Markdown; `proof_of` says which test proves a line of `DATA_PLANE`."""
    lines = "".join(f"| {what} | {words} | {proof_of(what)} |\n" for what, words in DATA_PLANE.items())
    rows = []
    for kind, title in ((ENDPOINTS, "Endpoints"), (DEPLOYMENTS, "Deployments")):
        served = ", ".join(sorted(one.name for one in definitions(kind).values()))
        missing = ", ".join(sorted(NOT_SERVED[kind]))
        rows.append(f"- {title}: {served}. Not served: {missing}.")
    wrapped = "\n".join("\n".join(textwrap.wrap(row, 120, subsequent_indent="  ")) for row in rows)
    return _DATA_PLANE + lines + _TEXT.replace("{metrics}", wrapped)
