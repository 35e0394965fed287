"""A change that evidence asks for, or a person after drift: pushed before it is made, and alone in its preview."""

from __future__ import annotations

from dataclasses import replace

from command_errors import CommandError, UsageError
from exit_codes import ExitCode
from rollout.change.attempt import Attempt
from rollout.change.neighbours import unexplained
from rollout.decision.order import Changed, Ending
from rollout.errors import EngineError, EngineRefused, Overtaken, PushUnanswered
from rollout.events import Preview
from rollout.record.chain import record_folder


def go_forward(attempt: Attempt, *, refresh: bool) -> Changed:
    """File, commit and push, preview, up, two readings. `refresh`: the engine's state may be behind Azure."""
    stopped = _declared(attempt)
    if stopped is not None:
        return stopped
    try:
        with attempt.timed("preview"):
            preview = _without_neighbours(attempt, attempt.tools.engine.preview())
    except EngineRefused as error:
        return attempt.withdrawn(str(error), ExitCode.USAGE, ending=Ending.REFUSED)
    except (EngineError, CommandError) as error:
        return attempt.left_open(str(error))
    other = _other_changes(attempt, preview)
    if other:
        return attempt.withdrawn(
            f"the preview shows changes that are not this step: {'; '.join(other)}. Apply them with `pulumi up --stack "
            f"{attempt.record.state.stack}`, or take them out of the stack file; then resume.",
            ExitCode.USAGE,
            pending=other,
        )
    return _applied(attempt, refresh=refresh or preview.is_empty, may_be_there=preview.is_empty)


def _declared(attempt: Attempt) -> Changed | None:
    """Write the file, commit and push; None if that worked."""
    try:
        attempt.write()
    except UsageError as error:
        return attempt.withdrawn(str(error), ExitCode.USAGE, ending=Ending.REFUSED, publishes=False)
    except CommandError as error:
        return attempt.withdrawn(str(error), error.exit_code, publishes=False)
    try:
        attempt.publish()
    except Overtaken as error:
        return attempt.overtaken(str(error))
    except PushUnanswered as error:
        return attempt.left_open(str(error))
    except UsageError as error:  # PushRefused, and what git says before a push
        return attempt.withdrawn(str(error), ExitCode.USAGE, ending=Ending.REFUSED, publishes=False)
    except CommandError as error:
        return attempt.withdrawn(str(error), error.exit_code, publishes=False)
    return None


def _without_neighbours(attempt: Attempt, preview: Preview) -> Preview:
    """The preview without the open changes of other endpoints, which the update here does not take along."""
    if preview.is_empty or preview.is_weights_update(attempt.tools.endpoint_name, attempt.order.to):
        return preview
    state, tools = attempt.record.state, attempt.tools
    folder = record_folder(tools.stack_file.path.parent, state.stack, state.endpoint)
    left = unexplained(preview.changes, folder, tools.clock)
    if len(left) < len(preview.changes):
        tools.say("the preview also shows an open change of another endpoint's rollout; this step goes on without it")
    return replace(preview, changes=left)


def _other_changes(attempt: Attempt, preview: Preview) -> tuple[str, ...]:
    """Return what the preview shows beside the one update of the weights that was asked for."""
    name = attempt.tools.endpoint_name
    if preview.is_empty or preview.is_weights_update(name, attempt.order.to):
        return ()
    if preview.is_one_traffic_update(name):
        return (f"other weights than {attempt.order.to.describe()}",)
    own = [change for change in preview.changes if Preview(changes=(change,)).is_one_traffic_update(name)]
    return tuple(str(change) for change in preview.changes if change not in own)


def _applied(attempt: Attempt, *, refresh: bool, may_be_there: bool) -> Changed:
    """Run the update, unless Azure has the weights already and no state has to follow."""
    try:
        found = may_be_there and attempt.azure_has(attempt.order.to)
        if not found:
            with attempt.timed("up"):
                attempt.tools.engine.up(refresh=refresh)
    except EngineRefused as error:
        return attempt.withdrawn(str(error), ExitCode.USAGE, ending=Ending.REFUSED)
    except (EngineError, CommandError) as error:
        return attempt.left_open(str(error))
    if not attempt.is_verified():
        return attempt.left_open(f"the update ended, but Azure does not have {attempt.order.to.describe()}.")
    return attempt.finished(found=found)
