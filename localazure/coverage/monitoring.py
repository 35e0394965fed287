"""The coverage page's section on metrics, autoscale and logs; it lists metrics from the definitions."""

from __future__ import annotations

import textwrap

from localazure.monitor.definitions import DEPLOYMENTS, ENDPOINTS, NOT_SERVED, definitions

_TEXT = """
## Metrics, autoscale, logs

Metrics (ARM route and batch route; PT1M to P1D, and PT1S as a local extension, which metricDefinitions name and which
reaches back five minutes; `--metric-grain PT1M` switches it off) reach back twelve hours and can be read as soon as a
minute has ended (docs/adr/0012). Azure is later: `metrics-late`, `metrics-zero` and `metrics-partial` imitate that.
Mirrored copies count, except with `--mirrored-copies left-out`; what Azure does is not verified. Requests and latencies
survive a restart, except at PT1S; values sampled once a second (instances, processor time, connections) do not:

{metrics}

Autoscale acts: rules, cool-downs, bounds, default count, fixed dates, weekly recurrences. Not emulated:
ServiceAllowedNextValue, recurrences other than weekly, resources other than online deployments, metrics not listed
above. Stored only: predictive autoscale, notifications. `--autoscale-speed` shortens windows and cool-downs.

Logs: AmlOnlineEndpointTrafficLog is written to a file per endpoint if its diagnostic setting enables it (`sluice local
logs --traffic ENDPOINT`), not to Log Analytics; only the total duration is measured. getLogs reads the console log,
regardless of settings; AmlOnlineEndpointEventLog and exported metrics are not written. Log Analytics queries, metric
alerts and activity logs are not emulated.
"""


def monitor_text() -> str:
    """The section as Markdown."""
    rows = []
    for kind, title in ((ENDPOINTS, "Endpoints"), (DEPLOYMENTS, "Deployments")):
        served = ", ".join(sorted(one.name for one in definitions(kind).values()))
        missing = ", ".join(sorted(NOT_SERVED[kind]))
        rows.append(f"- {title}: {served}. Not served: {missing}.")
    wrapped = "\n".join("\n".join(textwrap.wrap(row, 120, subsequent_indent="  ")) for row in rows)
    return _TEXT.replace("{metrics}", wrapped)
