"""`ports.InstanceChange`: the stable colour's floor, and the old colour at its end."""

from __future__ import annotations

from rollout.change import floor_change
from rollout.change.instance_attempt import InstanceAttempt
from rollout.change.retiring import retire
from rollout.change.stack_turn import alone
from rollout.change.tools import Tools
from rollout.decision.order import Changed
from rollout.instances import Floor
from rollout.ports import Record


class InstanceChange:
    """Changes the instance counts of one endpoint's colours."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    def raise_floor(self, record: Record, floor: Floor, *, restore: bool = False) -> Changed:
        """Raise the floor, or go on with it."""
        attempt = InstanceAttempt(self._tools, record)
        return alone(self._tools, record, lambda: floor_change.raise_floor(attempt, floor, restore=restore))

    def give_back(self, record: Record, floor: Floor) -> Changed:
        """Give the floor back, except what was edited since."""
        attempt = InstanceAttempt(self._tools, record)
        return alone(self._tools, record, lambda: floor_change.give_back(attempt, floor))

    def retire(self, record: Record, deployment: str, how: str) -> Changed:
        """`scale_down` or `remove` a colour that has no weight."""
        attempt = InstanceAttempt(self._tools, record)
        return alone(self._tools, record, lambda: retire(attempt, deployment, how))

    def problem(self, floor: Floor) -> str | None:
        """Why Azure does not hold the floor any more; None if it does. Raises UnavailableError."""
        return floor_change.problem(self._tools, floor)
