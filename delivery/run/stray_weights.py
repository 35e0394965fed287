"""Live weights that neither the stack file nor Pulumi's state explains: somebody set them by hand. Pure.

An update in such a state would overwrite them, or do nothing and hide them; a person has to decide.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rollout.split import Split


@dataclass(frozen=True, kw_only=True)
class Sides:
    """The weights of one endpoint; `live` None: it does not exist, `state` None: Pulumi's state does not have it."""

    endpoint: str
    """Key in the stack file."""
    live: Split | None
    declared: Split
    state: Split | None
    recorded: Split | None = None
    """What the record of its rollout says, while one is under way and no change of weights is open."""


def problems_of(sides: Sides, stack: str) -> Iterator[str]:
    """Return why no update may run now, each with its way out."""
    key = sides.endpoint
    if sides.recorded is not None and sides.declared != sides.recorded:
        yield (
            f"Pulumi.{stack}.yaml gives {key} {sides.declared.describe()} while a rollout of it is under way at "
            f"{sides.recorded.describe()}. Take the change of the file back, or end the rollout first: `sluice rollout "
            f"rollback {key} --stack {stack}`."
        )
    if sides.live is None or sides.live == sides.declared or sides.live == sides.state:
        return
    known = sides.state.describe() if sides.state is not None else "no such endpoint"
    yield (
        f"{key} has {sides.live.describe()} in Azure, but Pulumi.{stack}.yaml says {sides.declared.describe()} and "
        f"Pulumi's state {known}: the weights were changed by hand. A person decides: `pulumi up --refresh --stack "
        f"{stack}` sets the declared weights; for a rollout under way, `sluice rollout resume {key} --stack {stack} "
        f"--restore` or `sluice rollout rollback {key} --stack {stack}`."
    )
