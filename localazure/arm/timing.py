"""Clock and pace: how times are written, how long operations take, how often clients are told to poll.

`FAST` is the pace of rehearsals: operations take only as long as their work, and clients poll at short intervals.
`REAL` is the pace of the recorded service: its durations, and no Retry-After.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

Clock = Callable[[], float]
"""Seconds since the epoch."""


def time_text(seconds: float) -> str:
    """A time in the service's format: up to 7 decimals without trailing zeros, +00:00."""
    moment = datetime.fromtimestamp(seconds, UTC)
    fraction = f"{moment.microsecond:06d}".rstrip("0")
    return moment.strftime("%Y-%m-%dT%H:%M:%S") + (f".{fraction}" if fraction else "") + "+00:00"


@dataclass(frozen=True)
class Timing:
    """Pace of long-running operations.

    The real service never sends Retry-After (recorded), and clients then wait 5 to 30 seconds. The header is a
    deliberate deviation of the fast pace.
    """

    poll_seconds: str = "0.1"
    """Retry-After where clients parse a number with fractions: online PUTs and all status polls. Empty: not sent."""
    integer_poll_seconds: str = "1"
    """Retry-After where the clients of Azure parse an integer: first answers to DELETE, PATCH, POST, batch and compute
    PUT."""
    durations: Mapping[str, float] = field(default_factory=dict)
    """Minimum seconds by the end of an operation's kind, such as `workspaces/onlineEndpoints.put`; a PUT of an existing
    resource is an `update`."""
    job_seconds: tuple[float, float] = (0.0, 0.0)
    """The earliest times at which a batch job is Running and has ended; its work may take longer."""

    def seconds(self, kind: str, *, update: bool) -> float:
        """The minimum duration of an operation; its work may take longer."""
        kind = f"{kind.removesuffix('.put')}.update" if update else kind
        return next((seconds for end, seconds in self.durations.items() if kind.endswith(f"/{end}")), 0.0)

    def retry_after(self, *, whole: bool = False) -> dict[str, str]:
        """The header, if this pace sends it."""
        value = self.integer_poll_seconds if whole else self.poll_seconds
        return {"Retry-After": value} if value else {}

    def retry_soon(self) -> dict[str, str]:
        """The same as milliseconds, for first answers of which management clients read Retry-After as an integer:
        azure-core (Python and Go) waits as long as this header says where Retry-After is absent.
        """
        return {"x-ms-retry-after-ms": f"{float(self.poll_seconds) * 1000:.0f}"} if self.poll_seconds else {}


FAST = Timing(durations={"federatedIdentityCredentials.put": 0.05})
# Medians of the recordings, or the only recorded case.
REAL = Timing(
    poll_seconds="",
    integer_poll_seconds="",
    durations={
        "federatedIdentityCredentials.put": 2.0,  # not recorded
        "onlineEndpoints.put": 22.0,
        "onlineEndpoints.update": 15.0,
        "onlineEndpoints.delete": 12.0,
        "onlineEndpoints.regenerateKeys": 10.0,  # not recorded
        "batchEndpoints.put": 11.0,
        "batchEndpoints.update": 20.0,
        "batchEndpoints.delete": 10.0,
        "workspaces.put": 57.0,
        "workspaces.update": 20.0,  # not recorded
        "workspaces.provisionNetwork": 240.0,
        "onlineEndpoints/deployments.put": 306.0,
        "onlineEndpoints/deployments.update": 306.0,
        "onlineEndpoints/deployments.delete": 331.0,
        "batchEndpoints/deployments.put": 11.0,
        "batchEndpoints/deployments.update": 11.0,
    },
    job_seconds=(30.0, 240.0),
)
PACES: Mapping[str, Timing] = {"fast": FAST, "real": REAL}
