"""Whether the colour that had the weight before may be retired. Pure."""

from __future__ import annotations

from endpoint_state import LiveEndpoint
from rollout.ports import Declared
from rollout.record.state import RolloutState
from rollout.split import Split


def kept_because(live: LiveEndpoint | None, declared: Declared, state: RolloutState, deployment: str) -> str | None:
    """Why a colour is not retired after all: it is needed again, or it is not the one that the rollout replaced.

    None: it may be retired.
    """
    if live is None:
        return "the endpoint is gone from Azure"
    actual = Split(traffic=live.traffic, mirror=live.mirror)
    if actual.carries(deployment):
        return f"it has weight again ({actual.describe()})"
    if declared.split.carries(deployment) or declared.stable == deployment:
        return "the stack file gives it weight or names it as stable"
    there = live.deployments.get(deployment)
    if there is not None and there.release != state.releases.get(deployment):
        return "it has another release now, which this rollout did not replace"
    if deployment not in declared.deployments and state.retiring != "remove":
        return "the stack file does not declare it any more"
    return None
