"""The result of a preflight: whether the quota suffices, what is short, and where to ask for more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from command_errors import CommandError
from exit_codes import ExitCode
from preflight.demand import Demand
from preflight.verdict import UNLIMITED, Row

PORTALS = {
    "public": "https://portal.azure.com",
    "usgovernment": "https://portal.azure.us",
    "china": "https://portal.azure.cn",
}
"""By the cloud's name, as azure-native spells it."""
REQUEST = "#view/Microsoft_Azure_Capacity/QuotaMenuBlade/~/myQuotas"
"""The portal's page on quotas, where more can be requested (users' reports)."""


class QuotaShort(CommandError):
    """The declared plan does not fit into the quota."""


@dataclass(frozen=True, kw_only=True)
class Preflight:
    """The limits that a stack touches in its region, and what it needs of them."""

    stack: str
    location: str
    cloud: str
    rows: Sequence[Row]
    worst: Demand

    @property
    def exit_code(self) -> ExitCode:
        """FAILED if something is short; WAITING if nothing is, but something cannot be judged."""
        if any(row.short for row in self.rows):
            return ExitCode.FAILED
        return ExitCode.WAITING if self.unjudged else ExitCode.DONE

    @property
    def request_link(self) -> str:
        """Where to request quota."""
        return f"{PORTALS[self.cloud]}/{REQUEST}"

    @property
    def unjudged(self) -> tuple[str, ...]:
        """What Azure or the table of sizes says nothing about."""
        unlisted = [f"Azure lists no limit for {row.what} in {self.location}" for row in self.rows if row.limit is None]
        unknown = [f"the quota of {one.size} ({one.what}) is not known here" for one in self.worst.unknown]
        return (*unlisted, *unknown)

    def require(self) -> None:
        """Raise QuotaShort if something is short; what cannot be judged is no reason."""
        if not any(row.short for row in self.rows):
            return
        missing = [f"{row.what}: {row.short} more than the limit of {row.limit}" for row in self.rows if row.short]
        raise QuotaShort(
            f"the quota in {self.location} does not suffice for what stack {self.stack} declares: "
            f"{'; '.join(missing)}. Request more: {self.request_link}. "
            f"`sluice preflight --stack {self.stack}` shows the whole plan."
        )

    def as_values(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "stack": self.stack,
            "location": self.location,
            "limits": [{**asdict(row), "short": row.short} for row in self.rows],
            "machines": [{**asdict(one), "family": one.family, "cores": one.cores} for one in self.worst.machines],
            "not_judged": list(self.unjudged),
            "request": self.request_link,
        }

    def lines(self) -> list[str]:
        """For people: a table, what is short with its parts, and the next step."""
        table = [("", "others use", "needed", "limit", "")]
        table += [(row.what, str(row.others), str(row.needed), _limit(row), _verdict(row)) for row in self.rows]
        widths = [max(len(line[column]) for line in table) for column in range(4)]
        lines = [
            f"{name:<{widths[0]}}  {others:>{widths[1]}}  {needed:>{widths[2]}}  {limit:>{widths[3]}}  {text}".rstrip()
            for name, others, needed, limit, text in table
        ]
        for row in self.rows:
            if row.short:
                lines += ["", f"{row.what} is short by {row.short}:"]
                lines += [f"  {one}" for one in self._parts(row)]
        lines += [f"not judged: {text}" for text in self.unjudged]
        if any(row.short for row in self.rows):
            lines += ["", f"Request quota: {self.request_link}"]
        return lines

    def _parts(self, row: Row) -> list[str]:
        machines = [str(one) for one in self.worst.machines if one.family == row.what]
        return machines or [f"{name}: {count} deployments" for name, count in sorted(self.worst.deployments.items())]


def _limit(row: Row) -> str:
    if row.limit is None:
        return "?"
    return "none" if row.limit == UNLIMITED else str(row.limit)


def _verdict(row: Row) -> str:
    if row.short:
        return f"short by {row.short}"
    return "not judged" if row.limit is None else "ok"
