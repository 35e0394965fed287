"""The rules for declared weights alone: whole percents, known colours, sums, and those of the mirror.

Pure, and strict about types: 33.5, "90" and true are not weights. Which *change* of weights is allowed is decided in
`transitions.py`.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from config_values import MAX_MIRROR_PERCENT
from problem import Problem


@dataclass(frozen=True, kw_only=True)
class DeclaredWeights:
    """The weights and the `stable` colour in the stack file of `stack`, under `sluice:rollout.<key>`."""

    stack: str
    key: str
    traffic: Mapping[str, object]
    mirror: Mapping[str, object]
    deployments: Collection[str]
    stable: object = None
    max_mirror: int = MAX_MIRROR_PERCENT

    @property
    def path(self) -> str:
        """The key that the weights stand under."""
        return f"sluice:rollout.{self.key}"

    @property
    def fix(self) -> str:
        """Where to repair everything that is wrong with them."""
        return f"Fix it in Pulumi.{self.stack}.yaml."

    def problems(self) -> list[Problem]:
        """Everything that is wrong with them."""
        return [
            *self._stable(),
            *self._values("traffic", self.traffic),
            *self._values("mirror", self.mirror),
            *self._sum(),
            *self._mirror(),
            *self._both(),
        ]

    def _stable(self) -> Iterator[Problem]:
        """A value that is not a string is reported by the models of the stack file."""
        if isinstance(self.stable, str) and self.stable not in self.deployments:
            declared = ", ".join(sorted(self.deployments)) or "none"
            yield Problem(
                f"{self.path}.stable",
                f'must be a deployment of sluice:endpoints.{self.key}.deployments ({declared}), got "{self.stable}"',
                self.fix,
            )

    def _values(self, section: str, weights: Mapping[str, object]) -> Iterator[Problem]:
        for name, weight in weights.items():
            if not is_whole_percent(weight):
                yield Problem(
                    f"{self.path}.{section}.{name}",
                    f"must be a whole number of percent from 0 to 100, got {json.dumps(weight, ensure_ascii=False)}",
                    self.fix,
                )
            if name not in self.deployments:
                yield self._unknown(section, name)

    def _unknown(self, section: str, name: str) -> Problem:
        from difflib import get_close_matches  # only when there is an error to explain

        declared = ", ".join(sorted(self.deployments)) or "none"
        close = get_close_matches(name.lower(), self.deployments, n=1)
        hint = f"Did you mean {close[0]}? " if close else ""
        if name != name.lower():
            hint += "Names are lower-case. "
        return Problem(
            f"{self.path}.{section}.{name}",
            f"names a deployment that sluice:endpoints.{self.key}.deployments does not declare (declared: {declared})",
            f"{hint}{self.fix}",
        )

    def _sum(self) -> Iterator[Problem]:
        if not all(is_whole_percent(weight) for weight in self.traffic.values()):
            return
        total = sum(whole_percents(self.traffic).values())
        if total not in (0, 100):
            yield Problem(
                f"{self.path}.traffic",
                f"must sum to 0 or 100 percent, got {total} ({show(whole_percents(self.traffic))})",
                self.fix,
            )

    def _mirror(self) -> Iterator[Problem]:
        mirror = nonzero(whole_percents(self.mirror))
        if len(mirror) > 1:
            yield Problem(
                f"{self.path}.mirror",
                f"must name exactly one deployment, got {len(mirror)} ({show(mirror)})",
                self.fix,
            )
        limit = min(self.max_mirror, MAX_MIRROR_PERCENT)
        reason = "Azure's limit" if limit == MAX_MIRROR_PERCENT else "sluice:limits.max_mirror"
        for name, weight in mirror.items():
            if weight > limit:
                yield Problem(
                    f"{self.path}.mirror.{name}",
                    f"must be at most {limit} percent ({reason}), got {weight}",
                    self.fix,
                )
        if mirror and not any(self.traffic.values()):
            yield Problem(
                f"{self.path}.mirror",
                f"must be empty while no deployment has live weight, got {show(mirror)}: it copies live requests, and "
                "there are none",
                self.fix,
            )

    def _both(self) -> Iterator[Problem]:
        live, mirror = nonzero(whole_percents(self.traffic)), nonzero(whole_percents(self.mirror))
        for name in live.keys() & mirror.keys():
            yield Problem(
                f"{self.path}.mirror.{name}",
                f"must be 0 while {name} has live weight, got {mirror[name]} (live {live[name]}): a deployment gets "
                "live or mirrored requests, not both",
                self.fix,
            )


def is_whole_percent(weight: object) -> bool:
    """True for an integer from 0 to 100; a bool does not count."""
    return isinstance(weight, int) and not isinstance(weight, bool) and 0 <= weight <= 100


def whole_percents(weights: Mapping[str, object]) -> dict[str, int]:
    """The entries whose values are whole percents."""
    return {name: weight for name, weight in weights.items() if isinstance(weight, int) and is_whole_percent(weight)}


def nonzero(weights: Mapping[str, int]) -> dict[str, int]:
    """Without the zeros: to Azure, 0 and absent are the same."""
    return {name: int(weight) for name, weight in weights.items() if weight}


def show(weights: Mapping[str, int]) -> str:
    """`blue=90, green=5`"""
    return ", ".join(f"{name}={weight}" for name, weight in weights.items()) or "none"
