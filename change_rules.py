"""The rules for a change of an endpoint: each yields what it refuses, with the fix.

Pure. `transitions.py` collects what they yield into one error.
"""

from __future__ import annotations

from collections.abc import Iterator

from declared_change import DeclaredChange
from endpoint_state import DeclaredDeployment, LiveDeployment, LiveEndpoint
from problem import Problem
from proof_rule import proof_problems
from weights import DeclaredWeights, show

UNFINISHED = frozenset({"creating", "deleting"})
"""States in which Azure refuses other operations on the resource, and the program cannot know what it will become."""


def problems_of(change: DeclaredChange) -> Iterator[Problem]:
    """Everything that is wrong with a change."""
    yield from _declaration_problems(change)
    yield from _endpoint_problems(change)
    yield from _deployment_problems(change)
    yield from _weight_problems(change)
    yield from _version_problems(change)
    yield from proof_problems(change)


def _declaration_problems(change: DeclaredChange) -> Iterator[Problem]:
    """Rules that do not depend on the live state."""
    declared = change.declared
    yield from DeclaredWeights(
        stack=declared.stack,
        key=declared.key,
        traffic=declared.traffic,
        mirror=declared.mirror,
        deployments=declared.deployments.keys(),
        stable=change.stable,
        max_mirror=change.limits.max_mirror,
    ).problems()
    for name in declared.deployments:
        if name != name.lower():
            yield Problem(change.deployment_key(name), "must be in lower case", change.fix)
    if declared.kubernetes and change.wanted_mirror:
        yield Problem(
            f"{change.rollout_key}.mirror",
            f"must be empty, got {show(change.wanted_mirror)}: Kubernetes endpoints cannot mirror",
            change.fix,
        )


def _endpoint_problems(change: DeclaredChange) -> Iterator[Problem]:
    """Rules about the endpoint itself."""
    endpoint, key = change.endpoint, f"sluice:endpoints.{change.declared.key}"
    if endpoint is None:
        return
    if endpoint.state in UNFINISHED:
        yield Problem(
            key,
            f'is still {endpoint.provisioning_state} in Azure ("{endpoint.name}") and cannot be changed until that '
            "finishes",
            f"Wait, then run {change.up} again.",
        )
    if endpoint.state == "failed" and not (change.live_weights or change.live_mirror or change.existing):
        yield Problem(
            key,
            f'could not be created in Azure ("{endpoint.name}" is Failed), and Azure accepts no deployments on a '
            "failed endpoint. It has no deployments and serves nothing",
            f"Delete it (az ml online-endpoint delete --name {endpoint.name}), then run {change.refresh}.",
        )
    if change.live_weights or change.live_mirror:
        yield from _serving_endpoint_problems(change, endpoint, key)


def _serving_endpoint_problems(change: DeclaredChange, endpoint: LiveEndpoint, key: str) -> Iterator[Problem]:
    serving = f"while it serves ({show(change.live_weights or change.live_mirror)})"
    zero = f"set its weights to 0 and run {change.up} first; the next update then replaces the endpoint"
    file = f"models/{change.declared.key}/endpoint.yml"
    if change.changes_auth_mode:
        yield Problem(
            key,
            f"must not change its auth mode from {endpoint.auth_mode} to {change.declared.auth_mode} {serving}: "
            "Azure ignores the change",
            f"Restore auth_mode in {file}, or {zero}.",
        )
    if change.changes_identity:
        was = ", ".join(sorted(endpoint.identity_ids)) or "a system-assigned identity"
        becomes = ", ".join(sorted(change.declared.identity_ids)) or "a system-assigned identity"
        yield Problem(
            key,
            f"must not change its identity from {was} to {becomes} {serving}: Azure sets an identity only "
            "when it creates the endpoint",
            f"Restore identity in {file}, or {zero}.",
        )


def _deployment_problems(change: DeclaredChange) -> Iterator[Problem]:
    """Rules about each deployment, whatever its declared weight."""
    for name, live in change.existing.items():
        declared = change.declared.deployments.get(name)
        if declared is None:
            # A deployment without a release tag is not this program's: leaving it out does not remove it.
            if change.carries(name) and live.release is not None:
                yield Problem(
                    change.deployment_key(name),
                    f"must stay declared while it gets {change.carried(name)}: a deployment can be removed only at "
                    "0 percent",
                    f"Declare it again in Pulumi.{change.declared.stack}.yaml, set its weight to 0, run {change.up}, "
                    "then remove it.",
                )
            continue
        if name in change.replaced and not change.live.network_is_ready:
            yield Problem(
                change.deployment_key(name),
                f"must keep its release while the workspace's managed network is {change.live.network_status} in "
                "Azure, not Active: another release replaces the deployment, and Azure cannot create one now",
                f"Run {change.recover}, which provisions the network, then run {change.up} again.",
            )
        if live.state == "deleting":
            yield Problem(
                change.deployment_key(name),
                "is being deleted in Azure",
                f"Wait until it is gone, then run {change.up} again.",
            )
        if change.carries(name) and live.release != declared.release and not declared.allow_live_change:
            yield _live_change(change, name, live, declared)


def _live_change(change: DeclaredChange, name: str, live: LiveDeployment, declared: DeclaredDeployment) -> Problem:
    key, stack = change.declared.key, change.declared.stack
    if live.release is None:
        found, pin = "but it has no sluice:release tag that says which release it runs", ""
    else:
        found = f"got {declared.release[:12]} in place of {live.release[:12]}"
        pin = (
            f"If it is to stay what it is, run sluice release pin {key} {name} --stack {stack}: it is then that "
            f"release, whatever the files in models/{key} say. For a new release, "
        )
    other = "add a deployment under another name" if pin else "Add a deployment under another name"
    return Problem(
        change.deployment_key(name),
        f"must keep its release while it gets {change.carried(name)}, {found}",
        f"{pin}{other}, or set its weight to 0 and run {change.up} first. If you accept changing it under live "
        f"traffic, set allow_live_change: true for it in Pulumi.{stack}.yaml.",
    )


def _weight_problems(change: DeclaredChange) -> Iterator[Problem]:
    """Rules about each increase; a decrease is always allowed."""
    for name, weight in change.wanted.items():
        declared = change.declared.deployments.get(name)
        if declared is None:
            continue
        rise = weight - change.live_weights.get(name, 0)
        if change.serves and rise > 0:
            yield from _increase_problems(change, "traffic", name, weight)
            if name != change.stable and rise > change.limits.max_step:
                yield Problem(
                    f"{change.rollout_key}.traffic.{name}",
                    f"must not rise by more than {change.limits.max_step} percent in one update "
                    f"(sluice:limits.max_step), got {change.live_weights.get(name, 0)} to {weight}",
                    f"Take a smaller step in Pulumi.{change.declared.stack}.yaml; only the stable deployment "
                    f"({change.stable or 'none is set'}) may take a larger one.",
                )
        yield from _capacity_problems(change, name, weight, rise, declared)
    for name, weight in change.wanted_mirror.items():
        if change.serves and name in change.declared.deployments and weight > change.live_mirror.get(name, 0):
            yield from _increase_problems(change, "mirror", name, weight)
    yield from _stop_problems(change)


def _increase_problems(change: DeclaredChange, section: str, name: str, weight: int) -> Iterator[Problem]:
    obstacle = change.obstacle(name)
    if obstacle is not None and section == "traffic" and change.too_few(name):
        idles = change.declared.deployments[name].idles
        yield Problem(
            f"{change.rollout_key}.{section}.{name}",
            f"must be 0 for now, got {weight}: {name} {obstacle}",
            f"Set it to 0{' and remove idle_instances' if idles else ''} in Pulumi.{change.declared.stack}.yaml, run "
            f"{change.up}, and raise the weight when Azure has started the instances.",
        )
    elif obstacle is not None:
        command, hint = change.up, ""
        if name not in change.existing:
            # It may be new, or deleted by hand: then the engine recreates it only after a refresh.
            command = change.refresh
            hint = " (without --refresh, Pulumi does not notice a deployment that was deleted by hand)"
        yield Problem(
            f"{change.rollout_key}.{section}.{name}",
            f"must be 0 for now, got {weight}: {name} {obstacle}",
            f"Set it to 0 in Pulumi.{change.declared.stack}.yaml, run {command}{hint}, and raise it in a later "
            "update, when the deployment is Succeeded.",
        )


def _capacity_problems(
    change: DeclaredChange, name: str, weight: int, rise: int, declared: DeclaredDeployment
) -> Iterator[Problem]:
    minimum, live = change.limits.min_live_instances, change.existing.get(name)
    shrinks = live is not None and live.instances is not None and declared.instances < live.instances
    if name != change.stable and declared.instances < minimum and (rise > 0 or shrinks):
        yield Problem(
            change.deployment_key(name),
            f"must have at least {minimum} instances (sluice:limits.min_live_instances) with {weight} percent of "
            f"the live requests, got {declared.instances}",
            f"Raise instances (autoscale.min) in Pulumi.{change.declared.stack}.yaml.",
        )


def _stop_problems(change: DeclaredChange) -> Iterator[Problem]:
    """To stop serving, the stack file must name each live colour with 0: a lost section must not stop it."""
    unnamed = {name: weight for name, weight in change.live_weights.items() if name not in change.declared.traffic}
    if unnamed and not any(change.declared.traffic.values()):
        zeros = ", ".join(f"{name}: 0" for name in unnamed)
        yield Problem(
            f"{change.rollout_key}.traffic",
            f"must name every deployment that has live weight; {show(unnamed)} is missing",
            f"Declare these weights, or {{{zeros}}} to stop serving, in Pulumi.{change.declared.stack}.yaml.",
        )


def _version_problems(change: DeclaredChange) -> Iterator[Problem]:
    """With `require_pinned`, what names no version of its image or of a package is not created and gets no more weight.

    A stable colour that exists may always get its weight back.
    """
    if not change.limits.require_pinned:
        return
    for name, declared in change.declared.deployments.items():
        made = name not in change.existing or name in change.replaced
        more = change.wanted.get(name, 0) > change.live_weights.get(name, 0)
        more = more or change.wanted_mirror.get(name, 0) > change.live_mirror.get(name, 0)
        way_back = name == change.stable and change.serves
        if not made and (way_back or not more):
            continue
        pin = declared.provenance.pin
        file = f"models/{change.declared.key}/{f'releases/{pin[:16]}.json' if pin else f'{name}.yml'}"
        if declared.unpinned_image is not None:
            yield Problem(
                change.deployment_key(name),
                f"must use an image with a version (sluice:limits.require_pinned), got "
                f'"{declared.unpinned_image}" in {file}',
                "Use a dated tag or a digest (<image>@sha256:...).",
            )
        if declared.unpinned_packages:
            lines = ", ".join(f'"{line}"' for line in declared.unpinned_packages)
            yield Problem(
                change.deployment_key(name),
                f"must name an exact version in every line of its conda file (sluice:limits.require_pinned), "
                f"got {lines} in the conda file of {file}",
                "Write name==1.2.3, in conda and in pip lines.",
            )
