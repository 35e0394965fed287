"""The switches of the server, each in one place: for its own command line, `sluice local start` and the coverage page.

What a value may be is checked in `command_line.py`. This imports nothing of the server, so that help stays fast.
"""

from __future__ import annotations

from dataclasses import dataclass

DEFAULT_PORT = 18443
MAX_SPEED = 60


@dataclass(frozen=True)
class Switch:
    """One thing that a rehearsal can choose."""

    name: str
    meaning: str
    value: str = ""
    """How help shows its value; empty for a switch without one."""
    repeatable: bool = False


REHEARSAL_SWITCHES = (
    Switch("--outside-network", "the caller is outside of private networks: closed storage answers 403"),
    Switch("--caller-without-data-roles", "the caller needs a role assignment to use blobs"),
    Switch(
        "--keep-omitted-traffic",
        "an endpoint PUT without traffic keeps the weights (default: it resets them, as documented)",
    ),
    Switch(
        "--timing",
        "real: operations take as long as recorded for the service, and no Retry-After is sent (default: fast)",
        "fast|real",
    ),
    Switch(
        "--service",
        "version of Machine Learning to imitate: that of 2022, that of 2024, or (default) the one that the "
        "api-version suggests",
        "{by-version,2022,2024}",
    ),
    Switch(
        "--compute",
        "simulated: deployments answer without processes, so that hundreds fit on one machine",
        "processes|simulated",
    ),
    Switch(
        "--autoscale-speed",
        f"run autoscale's turns, windows and cool-downs 1 to {MAX_SPEED} times as fast; schedules stay",
        "TIMES",
    ),
    Switch(
        "--quota",
        "limit the cores of a family of VM sizes, for example DSv2=24; may be repeated",
        "FAMILY=CORES",
        repeatable=True,
    ),
    Switch(
        "--vm-size",
        "also accept this VM size for deployments (unknown sizes are refused); may be repeated",
        "SIZE",
        repeatable=True,
    ),
    Switch(
        "--taken-endpoint-name",
        "pretend that another customer in the region has an endpoint with this name; may be repeated",
        "NAME",
        repeatable=True,
    ),
    Switch(
        "--metric-grain",
        "the finest grain of metrics: a second, which only this Azure has (default), or a minute as in Azure",
        "PT1S|PT1M",
    ),
    Switch(
        "--mirrored-copies",
        "whether metrics count the copies of mirrored requests (default: counted; what Azure does is not verified)",
        "counted|left-out",
    ),
    Switch(
        "--name-last-writer",
        "endpoints and deployments name who changed them last, in systemData (recorded ones do not)",
    ),
    Switch(
        "--oidc-issuer",
        "accept ID tokens of this issuer, signed with the RSA key whose public half is in a PEM file, from managed "
        "identities with a federated credential of it; may be repeated",
        "URL=KEYFILE",
        repeatable=True,
    ),
    Switch(
        "--role-delay",
        "a role assignment takes effect only this many seconds after it is created; in Azure it takes minutes",
        "SECONDS",
    ),
)
PORT = Switch("--port", "HTTPS; plain HTTP is the next one; 0 = any free pair", "PORT")
"""Of the server's own command line; `sluice local start` chooses a port by itself."""
SERVER_SWITCHES = (PORT, *REHEARSAL_SWITCHES)
