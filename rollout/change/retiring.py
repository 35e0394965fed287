"""The colour that had the weight before, after the rollback window: scaled down, or removed from the stack."""

from __future__ import annotations

from collections.abc import Callable

from command_errors import CommandError
from rollout.change.expected_changes import DEPLOYMENT_TYPE, count_update, removal
from rollout.change.floor_change import autoscale_target
from rollout.change.instance_attempt import InstanceAttempt, Target, failed, refused
from rollout.change.retirement import kept_because
from rollout.change.tools import deployment_name
from rollout.decision.order import Changed
from rollout.errors import EngineError
from rollout.instances import FEWEST, INSTANCES, Numbers, NumbersEdit, Removal, profiles_of, scaled_down
from rollout.record.event import Kind


def retire(attempt: InstanceAttempt, deployment: str, how: str) -> Changed:
    """Retire it, or go on with it; a colour that is needed again, or is another one now, is kept."""
    tools, state = attempt.tools, attempt.state
    try:
        live, declared = tools.azure.endpoint(), tools.stack_file.read()
    except CommandError as error:
        return refused(str(error), error.exit_code)
    if live is not None and deployment not in {*live.deployments, *declared.deployments} and not state.retiring:
        return _retired(attempt, deployment, "removed", "before the rollback window was over")
    kept = kept_because(live, declared, state, deployment)
    if kept is not None:
        return _retired(attempt, deployment, "kept", kept)
    if how == "remove":
        return _remove(attempt, deployment)
    return _scale_down(attempt, deployment, declared.deployments[deployment])


def _scale_down(attempt: InstanceAttempt, deployment: str, declared: Numbers) -> Changed:
    tools, state = attempt.tools, attempt.state
    scaled = bool(list(profiles_of(declared)))
    try:
        if not scaled and tools.autoscale.numbers(deployment) is not None:
            return refused(
                f"{deployment} is not scaled down: its autoscale comes from its az ml file. Declare autoscale for it "
                f"in {tools.stack_file.path.name} and run `pulumi up --stack {state.stack}`."
            )
        counts = declared if scaled or INSTANCES in declared else _written_or_live(attempt, declared, deployment)
        edit = scaled_down(deployment, counts)
        if edit is not None and not scaled and INSTANCES not in declared:
            edit = NumbersEdit(deployment=deployment, start={INSTANCES: None}, to=edit.to)
        if edit is not None:
            tools.stack_file.with_edit(tools.stack_file.text(), edit)
    except CommandError as error:
        return refused(str(error), error.exit_code)
    if edit is not None or state.retiring is not None:
        stopped = _begun(attempt, deployment, "scale_down", lambda: tools.engine.preview().is_empty)
        if stopped is not None:
            return stopped
        wanted = {**counts, **(edit.to if edit is not None else {})}
        target = autoscale_target(attempt, deployment, wanted) if scaled else _count_target(attempt, deployment)
        edit = edit or NumbersEdit(deployment=deployment, start={}, to={})
        begun = state.retiring is not None
        what = f"{deployment} scaled down in {state.stack}"
        changed = attempt.made(edit, target, what, whole=True, refresh=begun)
        if changed is not None:
            return changed
    return _retired(attempt, deployment, "scaled_down")


def _written_or_live(attempt: InstanceAttempt, declared: Numbers, deployment: str) -> Numbers:
    """Where the stack file has no count, the az ml file says it, and Azure has it."""
    live = _live_count(attempt, deployment)
    return declared if live is None else {INSTANCES: live}


def _remove(attempt: InstanceAttempt, deployment: str) -> Changed:
    tools, state = attempt.tools, attempt.state
    edit = Removal(deployment=deployment)
    try:
        tools.stack_file.with_edit(tools.stack_file.text(), edit)
    except CommandError as error:
        return refused(str(error), error.exit_code)
    # An update without changes drops the protection that the colour has from its time with weight.
    stopped = _begun(attempt, deployment, "remove", tools.engine.up_without_changes)
    if stopped is not None:
        return stopped
    expected = removal(state.endpoint, deployment)
    target = Target(expected=expected, is_there=lambda: _is_gone(attempt, deployment))
    changed = attempt.made(edit, target, f"{deployment} removed in {state.stack}", whole=True, refresh=False)
    return changed or _retired(attempt, deployment, "removed")


def _begun(attempt: InstanceAttempt, deployment: str, how: str, is_clear: Callable[[], bool]) -> Changed | None:
    """Say in the record what is about to be done, once nothing else of the stack is pending."""
    if attempt.state.retiring is not None:
        return None
    try:
        clear = is_clear()
    except EngineError as error:
        return failed(str(error), error.exit_code)
    if not clear:
        return refused(
            f"{deployment} is not retired yet: other changes of the stack are pending. Apply them with `pulumi up "
            f"--stack {attempt.state.stack}`; the next tick goes on."
        )
    attempt.record.append(Kind.RETIRING, {"how": how, "deployment": deployment})
    return None


def _retired(attempt: InstanceAttempt, deployment: str, what: str, reason: str | None = None) -> Changed:
    attempt.record.append(Kind.RETIRED, {"what": what, "deployment": deployment, "reason": reason})
    told = f"{deployment} is {what.replace('_', ' ')}"
    return attempt.published(f"{told}: {reason}" if reason else told)


def _count_target(attempt: InstanceAttempt, deployment: str) -> Target:
    state = attempt.state
    return Target(
        type=DEPLOYMENT_TYPE,
        name=deployment_name(state.endpoint, deployment),
        expected=count_update(state.endpoint, deployment),
        is_there=lambda: _live_count(attempt, deployment) == FEWEST,
    )


def _live_count(attempt: InstanceAttempt, deployment: str) -> int | None:
    endpoint = attempt.tools.azure.endpoint()
    live = endpoint.deployments.get(deployment) if endpoint is not None else None
    return live.instances if live is not None and live.state == "succeeded" else None


def _is_gone(attempt: InstanceAttempt, deployment: str) -> bool:
    endpoint = attempt.tools.azure.endpoint()
    return endpoint is not None and deployment not in endpoint.deployments
