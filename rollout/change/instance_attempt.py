"""The parts that every change of instances goes through: push, file, preview, up, a reading of Azure, the record.

After a kill the record says what was begun, and each part finds out by itself whether it was done (ADR 36).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from command_errors import CommandError, UnavailableError, UsageError
from exit_codes import ExitCode
from rollout.change.expected_changes import Expected, others
from rollout.change.neighbours import unexplained
from rollout.change.tools import Tools, urn_of
from rollout.decision.order import Changed, Ending
from rollout.errors import EngineError, EngineRefused, Overtaken
from rollout.events import Preview
from rollout.instances import DeploymentEdit
from rollout.ports import Message, Record
from rollout.record.chain import record_folder
from rollout.record.state import RolloutState

VERIFY_SECONDS = 120
VERIFY_PAUSE = 2.0


@dataclass(frozen=True, kw_only=True)
class Target:
    """What an update is to change: which changes of a preview belong to it, and when Azure has them.

    `type` and `name` are the end of the engine's type and the name of the one resource; None: the whole stack.
    """

    type: str | None = None
    name: str | None = None
    expected: Expected
    is_there: Callable[[], bool]


class InstanceAttempt:
    """One attempt at a change of instances."""

    def __init__(self, tools: Tools, record: Record) -> None:
        self.tools = tools
        self.record = record

    @property
    def state(self) -> RolloutState:
        """The fold of the record."""
        return self.record.state

    def made(self, edit: DeploymentEdit, target: Target, what: str, *, whole: bool, refresh: bool) -> Changed | None:
        """Push, file, preview, up, a reading; None if Azure has it.

        `whole`: nothing else of the stack may be pending. `refresh`: the engine's state may be behind Azure.
        """
        tools, state = self.tools, self.state
        try:
            tools.repository.publish(self._message(what), edit=edit)
            tools.stack_file.apply(edit)
        except Overtaken as error:
            return Changed(ending=Ending.OVERTAKEN, reason=str(error), exit_code=ExitCode.WAITING)
        except UsageError as error:
            return refused(str(error))
        except CommandError as error:
            return failed(str(error), error.exit_code)
        engine, limited = tools.engine, target.type is not None and target.name is not None
        if target.type is not None and target.name is not None:
            engine = engine.limited_to(urn_of(state.project, state.stack, target.type, target.name))
        try:
            preview = engine.preview(only_target=not whole)
            pending = self._others(preview, target)
            if pending:
                return Changed(
                    ending=Ending.WITHDRAWN,
                    reason=f"the preview shows changes that are not this one: {'; '.join(pending)}. Apply them with "
                    f"`pulumi up --stack {state.stack}`, or take them out of the stack file.",
                    exit_code=ExitCode.USAGE,
                    pending=pending,
                )
            if not (preview.is_empty and target.is_there()):
                if limited:
                    engine.up(refresh=refresh or preview.is_empty)
                else:
                    engine.up_all()
        except EngineRefused as error:
            return refused(str(error))
        except (EngineError, UnavailableError) as error:
            return failed(str(error), ExitCode.UNAVAILABLE)
        if not self._is_verified(target):
            return failed("the update ended, but Azure does not have what it declares.", ExitCode.UNAVAILABLE)
        return None

    def _others(self, preview: Preview, target: Target) -> tuple[str, ...]:
        """What the preview shows beside the expected changes, and beside what other endpoints have begun."""
        found = others(preview, target.expected)
        if not found:
            return ()
        state, tools = self.state, self.tools
        folder = record_folder(tools.stack_file.path.parent, state.stack, state.endpoint)
        return others(Preview(changes=unexplained(preview.changes, folder, tools.clock)), target.expected)

    def _is_verified(self, target: Target) -> bool:
        deadline = self.tools.clock.now() + VERIFY_SECONDS
        while True:
            try:
                if target.is_there():
                    return True
            except UnavailableError as error:
                self.tools.say(str(error))
            if self.tools.clock.now() >= deadline:
                return False
            self.tools.clock.sleep(VERIFY_PAUSE)

    def published(self, told: str) -> Changed:
        """Push what was just appended. Azure has the change, so nothing that fails here undoes it."""
        try:
            self.tools.repository.publish(self._message(told))
        except Overtaken as error:
            return Changed(ending=Ending.OVERTAKEN, reason=str(error), exit_code=ExitCode.WAITING)
        except CommandError as error:
            told = f"{told} (not pushed: {error})"
        return Changed(ending=Ending.APPLIED, reason=told)

    def _message(self, what: str) -> Message:
        actor, state = self.tools.actor, self.state
        return Message(
            subject=f"rollout({state.endpoint}): {' '.join(what.split())}",
            trailers={"Rollout": state.id, "Actor": actor.name, "Run": actor.run or ""},
        )


def refused(reason: str, exit_code: ExitCode = ExitCode.USAGE) -> Changed:
    """Nothing was changed, and trying again is useless until a person has done something."""
    return Changed(ending=Ending.REFUSED, reason=reason, exit_code=exit_code)


def failed(reason: str, exit_code: ExitCode) -> Changed:
    """It was begun and is not finished; a later attempt goes on."""
    return Changed(ending=Ending.OPEN, reason=reason, exit_code=exit_code)
