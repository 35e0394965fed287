"""The floor of the stable colour: raised before the first weight, given back at the end."""

from __future__ import annotations

from command_errors import CommandError
from rollout.change.expected_changes import AUTOSCALE_TYPE, autoscale_update, has_numbers
from rollout.change.instance_attempt import InstanceAttempt, Target, refused
from rollout.change.tools import Tools, autoscale_name
from rollout.decision.order import Changed
from rollout.instances import Floor, Numbers, NumbersEdit
from rollout.record.event import Kind


def raise_floor(attempt: InstanceAttempt, floor: Floor, *, restore: bool) -> Changed:
    """Raise it, or go on with it; with `restore`, over what somebody else has written.

    Nothing is written if the stack file cannot take it.
    """
    tools, state = attempt.tools, attempt.state
    edit = floor.raising
    try:
        if restore:
            declared = tools.stack_file.numbers(floor.deployment) or {}
            edit = NumbersEdit(
                deployment=floor.deployment, start={path: declared.get(path) for path in edit.to}, to=edit.to
            )
        tools.stack_file.with_edit(tools.stack_file.text(), edit)
    except CommandError as error:
        return refused(str(error), error.exit_code)
    begun = state.reserved is not None
    if not begun:
        attempt.record.append(Kind.RESERVING, floor.as_values())
    target = autoscale_target(attempt, floor.deployment, floor.now)
    what = f"{floor.deployment} keeps at least {floor.minimum} instances in {state.stack}"
    changed = attempt.made(edit, target, what, whole=True, refresh=begun)
    if changed is not None:
        return changed
    attempt.record.append(Kind.RESERVED, floor.as_values())
    return attempt.published(f"{what}: done")


def give_back(attempt: InstanceAttempt, floor: Floor) -> Changed:
    """Give it back, except what was edited since; other changes of the stack do not go along."""
    tools, state = attempt.tools, attempt.state
    try:
        declared = tools.stack_file.numbers(floor.deployment)
    except CommandError as error:
        return refused(str(error), error.exit_code)
    kept = floor.kept(declared)
    left = floor.left(declared)
    given = {} if kept is None else kept.was
    if kept is not None:
        target = autoscale_target(attempt, floor.deployment, kept.was)
        what = f"floor of {floor.deployment} given back in {state.stack}"
        changed = attempt.made(kept.giving_back, target, what, whole=False, refresh=True)
        if changed is not None:
            return changed
    attempt.record.append(Kind.RETURNED, {"deployment": floor.deployment, "values": dict(given), "left": left})
    told = f"the floor of {floor.deployment} is given back ({', '.join(f'{p} {n}' for p, n in given.items())})"
    if left:
        edited = f"not given back, because somebody else has edited it: {'; '.join(left)}"
        told = f"{told}; {edited}" if given else edited
    return attempt.published(told)


def autoscale_target(attempt: InstanceAttempt, deployment: str, wanted: Numbers) -> Target:
    """The autoscale setting of a colour with these numbers."""
    key, tools = attempt.state.endpoint, attempt.tools
    return Target(
        type=AUTOSCALE_TYPE,
        name=autoscale_name(key, deployment),
        expected=autoscale_update(key, deployment, wanted),
        is_there=lambda: has_numbers(tools.autoscale.numbers(deployment) or {}, wanted),
    )


def problem(tools: Tools, floor: Floor) -> str | None:
    """Why Azure does not hold the floor any more. Raises UnavailableError."""
    found = tools.autoscale.numbers(floor.deployment)
    if found is None:
        return f"the autoscale setting of {floor.deployment} is gone from Azure; `pulumi up --refresh` restores it"
    lost = [
        f"{path} is {found.get(path)}, the rollout raised it to {number}"
        for path, number in floor.now.items()
        if path.endswith(".min") and found.get(path, 0) < number
    ]
    if not lost:
        return None
    return (
        f"the autoscale setting of {floor.deployment} was changed in Azure: {'; '.join(lost)}. `pulumi up --refresh` "
        "restores it"
    )
