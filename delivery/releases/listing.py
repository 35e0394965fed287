"""What each stack serves, since when, by whose rollout and on which proof: the rows of `sluice release list`.

It reads stack files, records and proofs as the branch that keeps them has them, and asks Azure nothing:
`sluice release verify --stack` compares them with Azure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from delivery.proofs.proven_release import pin_of, section_of, text_or_none
from delivery.proofs.record_branch import config_of
from delivery.proofs.stack_place import Files
from models.content import RELEASES_FOLDER
from models.errors import ModelError
from models.proof import PROOFS_SUFFIX, SHORT, Proof, parse_proofs
from record_folders import FOLDER
from rollout.record.chain import read_lines
from rollout.record.fold import fold
from rollout.record.state import Phase, RolloutState
from weights import nonzero, whole_percents

ContentOf = Callable[[str, str], str | None]
"""The content of an endpoint's colour that is not pinned, from the files of the checkout; None if it is not known."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One colour of one endpoint in one stack. Weights are percent of live requests."""

    stack: str
    endpoint: str
    colour: str
    weight: int
    mirror: int
    stable: bool
    content: str | None
    """Its first 16 digits; None if the files of a colour that is not pinned cannot be read."""
    pinned: bool
    since: str | None = None
    """When the last rollout gave it this weight, ISO 8601; None: no rollout did."""
    by: str | None = None
    """Who started that rollout."""
    rollout: str | None = None
    proven_here: bool = False
    """That rollout took this colour to its weight, and ended well."""
    proofs: tuple[Proof, ...] = ()
    """The lines of proof of its content, which `sluice release verify --proofs` checks."""
    problem: str | None = None
    """Why its proofs cannot be read."""
    unproven: str | None = None
    """The reason that the stack file gives for having no proof."""

    @property
    def proof(self) -> str:
        """Its evidence in a few words."""
        if self.problem is not None:
            return "cannot be read"
        lines = [f"{one.stack} {one.rollout}{' (synthetic)' if one.synthetic else ''}" for one in self.proofs]
        if self.proven_here and self.rollout is not None:
            lines.append(f"rollout {self.rollout}")
        return "; ".join([*lines, *([f"none: {self.unproven}"] if self.unproven else [])]) or "none"

    def as_values(self) -> dict[str, Any]:
        """The row as JSON values."""
        return {**vars(self), "proofs": [one.as_values() for one in self.proofs]}


def rows_of(stack: str, files: Files, content_of: ContentOf) -> Iterator[Row]:
    """Yield the colours of a stack, in the order of its file."""
    config = config_of(files.read(f"Pulumi.{stack}.yaml"))
    endpoints = config.get("sluice:endpoints")
    for endpoint in endpoints if isinstance(endpoints, Mapping) else ():
        rollout = section_of(config, "sluice:rollout", endpoint)
        traffic, mirror = (_weights(rollout.get(name)) for name in ("traffic", "mirror"))
        deployments = section_of(config, "sluice:endpoints", endpoint).get("deployments")
        states = list(_states(stack, endpoint, files))
        for colour, keys in (deployments if isinstance(deployments, Mapping) else {}).items():
            pin = pin_of(keys)
            content = pin or content_of(endpoint, colour)
            proofs, problem = _proofs(files, endpoint, content)
            state = next((one for one in states if colour in one.contents), None)
            told = state is not None and state.weights.percent_of(colour) == traffic.get(colour, 0)
            yield Row(
                stack=stack,
                endpoint=endpoint,
                colour=colour,
                weight=traffic.get(colour, 0),
                mirror=mirror.get(colour, 0),
                stable=rollout.get("stable") == colour,
                content=content[:SHORT] if content else None,
                pinned=pin is not None,
                since=_time(state.weights_since) if told and state else None,
                by=state.started_by if told and state else None,
                rollout=state.id if told and state else None,
                proven_here=bool(told and state and state.colour == colour and state.phase is Phase.DONE),
                proofs=proofs,
                problem=problem,
                unproven=text_or_none(keys.get("allow_unproven")) if isinstance(keys, Mapping) else None,
            )


def _states(stack: str, endpoint: str, files: Files) -> Iterator[RolloutState]:
    """The endpoint's rollouts, the newest first; what cannot be read is left out, `rollout history` reports it."""
    for rollout, of_endpoint in reversed(files.rollouts(stack)):
        if of_endpoint != endpoint:
            continue
        lines = read_lines(files.read(f"{FOLDER}/{stack}/{endpoint}/{rollout}.jsonl") or b"", rollout)
        try:
            yield fold(lines.events)
        except (ValueError, LookupError, TypeError, AttributeError):
            continue


def _proofs(files: Files, endpoint: str, content: str | None) -> tuple[tuple[Proof, ...], str | None]:
    if content is None:
        return (), None
    path = f"models/{endpoint}/{RELEASES_FOLDER}/{content[:SHORT]}{PROOFS_SUFFIX}"
    text = files.read(path)
    try:
        found = () if text is None else parse_proofs(text.decode(errors="replace"), path, content=content[:SHORT])
    except ModelError as error:
        return (), str(error)
    return tuple(one for one in found if one.content.startswith(content) and one.endpoint == endpoint), None


def _weights(section: Any) -> dict[str, int]:
    return nonzero(whole_percents(section)) if isinstance(section, Mapping) else {}


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
