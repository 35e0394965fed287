"""How many instances a colour may have, as the stack file declares it, and what a rollout changes about that. Pure.

`Numbers` are the counts that are written at one deployment, by path: `instances`, `autoscale.min`, `autoscale.max`,
`autoscale.default`, and the same three of each schedule as `autoscale.schedules.<name>.min`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Numbers = Mapping[str, int]
INSTANCES, AUTOSCALE, SCHEDULES = "instances", "autoscale", "autoscale.schedules."
FEWEST = 1
"""A managed online deployment cannot be scaled to zero (Microsoft, how-to-autoscale-endpoints)."""


@dataclass(frozen=True, kw_only=True)
class NumbersEdit:
    """Other counts of one deployment: each from the number that is expected there; None: nothing is written there."""

    deployment: str
    start: Mapping[str, int | None]
    to: Numbers


@dataclass(frozen=True, kw_only=True)
class Removal:
    """The deployment is not declared any more, nor is its weight of 0."""

    deployment: str


DeploymentEdit = NumbersEdit | Removal


@dataclass(frozen=True, kw_only=True)
class Floor:
    """A raised autoscale minimum: `minimum` is the count to keep, `was` and `now` are the numbers that differ.

    A profile's maximum is never raised, so a profile whose maximum is below the count keeps that many.
    """

    deployment: str
    minimum: int
    was: Numbers
    now: Numbers

    def as_values(self) -> dict[str, Any]:
        """The floor as the data of `reserving` and `reserved`."""
        return {
            "deployment": self.deployment,
            "minimum": self.minimum,
            "was": dict(self.was),
            "now": dict(self.now),
        }

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Floor:
        """The floor that `as_values` wrote."""
        return cls(
            deployment=values["deployment"], minimum=values["minimum"], was=dict(values["was"]), now=dict(values["now"])
        )

    @property
    def raising(self) -> NumbersEdit:
        """The edit that raises it."""
        return NumbersEdit(deployment=self.deployment, start=self.was, to=self.now)

    def kept(self, declared: Numbers | None) -> Floor | None:
        """What of it is still as the rollout wrote it; None: nothing.

        Where one number of a profile was edited, none of that profile is given back: its old numbers may not fit the
        new one. A deployment that is not declared any more has none.
        """
        found = declared or {}
        edited = {
            _profile_of(path) for path in self.now if found.get(path) not in (self.now[path], self.was[path])
        }  # absent counts as edited
        paths = [path for path in self.now if _profile_of(path) not in edited]
        if not paths:
            return None
        return Floor(
            deployment=self.deployment,
            minimum=self.minimum,
            was={path: self.was[path] for path in paths},
            now={path: self.now[path] for path in paths},
        )

    @property
    def giving_back(self) -> NumbersEdit:
        """The edit that gives it back."""
        return NumbersEdit(deployment=self.deployment, start=self.now, to=self.was)

    def describe(self) -> str:
        """Such as `autoscale.min 3 → 8, autoscale.default 3 → 8`."""
        return describe(self.was, self.now)

    def left(self, declared: Numbers | None) -> list[str]:
        """What is not given back, because somebody else has edited it or its profile."""
        found, kept = declared or {}, self.kept(declared)
        return [
            f"{path} of {self.deployment} {'is gone' if path not in found else f'stays {found[path]}'} (before the "
            f"rollout: {self.was[path]})"
            for path in self.now
            if (kept is None or path not in kept.now) and found.get(path) != self.was[path]
        ]

    def differences(self, declared: Numbers | None) -> Iterator[str]:
        """What the stack file declares otherwise, such as `autoscale.min is 5 and not 8 (before the rollout: 3)`."""
        for path, number in self.now.items():
            found = (declared or {}).get(path)
            if found != number:
                has = "is gone" if found is None else f"is {found}"
                yield f"{path} {has} and not {number} (before the rollout: {self.was[path]})"


def floor_of(deployment: str, declared: Numbers, count: int) -> Floor | None:
    """The floor that keeps `count` instances under every profile; None if autoscale cannot go below it anyway."""
    now: dict[str, int] = {}
    for profile in profiles_of(declared):
        least, most, default = (declared[f"{profile}.{name}"] for name in ("min", "max", "default"))
        kept = min(count, most)
        if least < kept:
            now[f"{profile}.min"] = kept
            if default < kept:
                now[f"{profile}.default"] = kept
    first = declared.get(INSTANCES)
    if first is not None and first < now.get(f"{AUTOSCALE}.min", 0):
        now[INSTANCES] = now[f"{AUTOSCALE}.min"]  # it must lie between minimum and maximum
    if not now:
        return None
    return Floor(deployment=deployment, minimum=count, was={path: declared[path] for path in now}, now=now)


def scaled_down(deployment: str, declared: Numbers) -> NumbersEdit | None:
    """The edit that leaves a colour without requests its fewest instances; None if it has them."""
    profiles = list(profiles_of(declared))
    paths = [f"{profile}.{name}" for profile in profiles for name in ("min", "default")] or [INSTANCES]
    lowered = {path: FEWEST for path in paths if declared.get(path) != FEWEST}
    if not lowered:
        return None
    return NumbersEdit(deployment=deployment, start={path: declared.get(path) for path in lowered}, to=lowered)


def profiles_of(declared: Numbers) -> Iterator[str]:
    """The profiles that autoscale has: `autoscale`, and `autoscale.schedules.<name>` for each schedule."""
    for path in declared:
        if path.endswith(".min"):
            yield path.removesuffix(".min")


def describe(start: Mapping[str, int | None], to: Numbers) -> str:
    """Each number before and after."""
    return ", ".join(f"{path} {'none' if start[path] is None else start[path]} → {to[path]}" for path in to)


def _profile_of(path: str) -> str:
    return AUTOSCALE if path == INSTANCES else path.rpartition(".")[0]


def numbers_of_profiles(profiles: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """The numbers of an autoscale setting's profiles, as Azure and the engine have them, by the same paths.

    The regular profile is named `default`, or by JSON where it is said again at the end of a schedule
    (components/autoscale.py). Raises KeyError, TypeError or ValueError if something else stands there.
    """
    found: dict[str, int] = {}
    for profile in profiles:
        name, capacity = str(profile["name"]), profile["capacity"]
        path = AUTOSCALE if name == "default" or name.startswith("{") else f"{SCHEDULES}{name}"
        for short, long in (("min", "minimum"), ("max", "maximum"), ("default", "default")):
            key = f"{path}.{short}"
            found[key] = min(int(capacity[long]), found.get(key, int(capacity[long])))
    return found
