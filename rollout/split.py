"""How live and mirrored requests are split between the colours of an endpoint, and the split that a step means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from weights import nonzero


class Step(Protocol):
    """What a split needs to know about a step of a plan: one of the two is None."""

    @property
    def mirror(self) -> int | None:
        """Percent of live requests copied to the new colour."""

    @property
    def weight(self) -> int | None:
        """Live weight of the new colour in percent."""


@dataclass(frozen=True, kw_only=True)
class Split:
    """Live and mirrored weights in whole percents, by colour; without zeros, which Azure takes for absent."""

    traffic: Mapping[str, int] = field(default_factory=dict)
    mirror: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "traffic", dict(sorted(nonzero(self.traffic).items())))
        object.__setattr__(self, "mirror", dict(sorted(nonzero(self.mirror).items())))

    def __hash__(self) -> int:
        return hash((tuple(self.traffic.items()), tuple(self.mirror.items())))

    def describe(self) -> str:
        """`blue 90 %, green 10 %`, or `blue 100 %, mirrored to green 20 %`."""
        live = ", ".join(f"{name} {percent} %" for name, percent in self.traffic.items()) or "no live weights"
        copies = "".join(f", mirrored to {name} {percent} %" for name, percent in self.mirror.items())
        return live + copies

    def percent_of(self, colour: str) -> int:
        """Live weight of a colour in percent."""
        return self.traffic.get(colour, 0)

    def carries(self, colour: str) -> bool:
        """Whether a colour gets live or mirrored requests."""
        return colour in self.traffic or colour in self.mirror

    def as_values(self) -> dict[str, dict[str, int]]:
        """The split as JSON values: `{"mirror": {}, "traffic": {"blue": 100}}`."""
        return {"traffic": dict(self.traffic), "mirror": dict(self.mirror)}

    @classmethod
    def from_values(cls, values: Mapping[str, Mapping[str, int]]) -> Split:
        """The split that `as_values` wrote."""
        return cls(traffic=values.get("traffic", {}), mirror=values.get("mirror", {}))


def split_at(baseline: Split, colour: str, step: Step) -> Split:
    """The split that a step means for `colour`.

    A mirror step leaves the live weights of the baseline. A weight step gives `colour` its percent; the other colours
    share the rest in proportion to the baseline, in whole percents (largest remainder first, then the larger weight,
    then the name). Raises ValueError if the baseline gives no other colour live weight, so that nothing can be shared.
    """
    if step.weight is None:
        return Split(traffic=baseline.traffic, mirror={colour: step.mirror or 0})
    others = {name: percent for name, percent in baseline.traffic.items() if name != colour}
    if not others and step.weight < 100:
        raise ValueError(
            f"{colour} is to get {step.weight} %, and the weights from before the rollout "
            f"({baseline.describe()}) give no other colour a share of the rest"
        )
    mirror = {name: percent for name, percent in baseline.mirror.items() if name != colour}
    return Split(traffic={colour: step.weight, **_shares(100 - step.weight, others)}, mirror=mirror)


def _shares(whole: int, weights: Mapping[str, int]) -> dict[str, int]:
    """`whole` percent in proportion to `weights`, in whole percents."""
    total = sum(weights.values())
    shares = {name: whole * weight // total for name, weight in weights.items()}
    remainders = {name: whole * weight % total for name, weight in weights.items()}
    by_remainder = sorted(weights, key=lambda name: (-remainders[name], -weights[name], name))
    for name in by_remainder[: whole - sum(shares.values())]:
        shares[name] += 1
    return shares
