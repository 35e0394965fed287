"""One change of weights: what is asked for (`Order`), its place in the record (`Intent`), how it ended (`Changed`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from exit_codes import ExitCode
from rollout.split import Split


class Direction(StrEnum):
    """Why weights change."""

    FORWARD = "forward"
    """To the next step of the plan, or, at the end, from the last step to its `stable`."""
    BACK = "back"
    """To the weights from before the rollout."""
    RESTORE = "restore"
    """To the weights of the record, after drift."""
    ADOPT = "adopt"
    """To the weights that Azure has, after drift; they are those of a step."""


class Outcome(StrEnum):
    """How a rollout ends."""

    DONE = "done"
    ROLLED_BACK = "rolled_back"
    ABORTED = "aborted"
    """Rolled back, and the release may not be started again without `--again`."""
    SUPERSEDED = "superseded"
    """Rolled back, because another rollout was started in its place."""


@dataclass(frozen=True, kw_only=True)
class Order:
    """One change of weights that a decision asks for."""

    start: Split
    """What Azure had when it was decided."""
    to: Split
    direction: Direction
    step: int
    """Index of the step that `to` belongs to; -1 for the baseline."""
    why: str
    outcome: Outcome | None = None
    """How the rollout ends with this change; None: it goes on."""
    stable: str | None = None
    """The colour that `stable` names from this write on; None: it stays."""
    evidence: str | None = None
    """SHA-256 of the results that the decision rests on, as `sha256:<hex>`."""
    verdicts: Mapping[str, str] | None = None
    """Verdict of each gate, for the message of the commit."""

    def as_values(self) -> dict[str, Any]:
        """The order as the data of an `intent`."""
        return {
            "from": self.start.as_values(),
            "to": self.to.as_values(),
            "direction": self.direction.value,
            "step": self.step,
            "why": self.why,
            "outcome": self.outcome.value if self.outcome else None,
            "stable": self.stable,
            "evidence": self.evidence,
            "verdicts": dict(self.verdicts) if self.verdicts else {},
        }

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Order:
        """The order that `as_values` wrote."""
        outcome = values.get("outcome")
        return cls(
            start=Split.from_values(values["from"]),
            to=Split.from_values(values["to"]),
            direction=Direction(values["direction"]),
            step=values["step"],
            why=values["why"],
            outcome=Outcome(outcome) if outcome else None,
            stable=values.get("stable"),
            evidence=values.get("evidence"),
            verdicts=values.get("verdicts") or None,
        )


@dataclass(frozen=True, kw_only=True)
class Intent:
    """An order in the record that neither `applied` nor `withdrawn` has closed."""

    seq: int
    at: int
    order: Order
    attempts: int = 0
    """How often the engine or Azure did not finish it."""

    @property
    def is_back(self) -> bool:
        """Whether it leads to the weights from before the rollout."""
        return self.order.direction is Direction.BACK


class Ending(StrEnum):
    """How one call of `ports.Change` ended."""

    APPLIED = "applied"
    """Azure said `to` twice; `applied` (and `ended`, if the order has an outcome) is in the record."""
    WITHDRAWN = "withdrawn"
    """Nothing was changed in Azure, the file is as before, `withdrawn` is in the record."""
    OPEN = "open"
    """Not finished: the intent stays open, and a later tick finishes it. `attempt` is in the record."""
    OVERTAKEN = "overtaken"
    """Another runner pushed first: nothing was changed, file and record are those of the remote."""
    REFUSED = "refused"
    """The remote or the engine refused it, and trying again is useless: nothing was changed, as for WITHDRAWN."""


@dataclass(frozen=True, kw_only=True)
class Changed:
    """How one call of `ports.Change` ended, and why it did not end as asked."""

    ending: Ending
    reason: str = ""
    exit_code: ExitCode = ExitCode.DONE
    pending: tuple[str, ...] = ()
    """Other changes of the stack that its preview shows, and because of which the order was withdrawn."""
    needs_break_glass: bool = False
    """A way back that the engine cannot take: its backend is locked or cannot be reached, or it failed three times."""
    seconds: Mapping[str, float] | None = None
    """Time of each part: write, publish, preview, up, verify."""
