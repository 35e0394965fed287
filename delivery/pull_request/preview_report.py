"""Everything that a comment on a pull request says, as plain values: a preview, and what is known around it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from models.proof import Proof
from rollout.events import Preview
from stack_config import Settings

_COUNTED = re.compile(r"has \d+ problems?;.*:$")


@dataclass(frozen=True, kw_only=True)
class ColourProof:
    """What is proven about a colour that enters, or whose weight rises."""

    endpoint: str
    colour: str
    content: str | None
    """The content digest, 16 digits; None if it is not known."""
    proof: Proof | None = None
    """Its newest line of proof."""
    verified: str | None = None
    """Where the record was read that says the same, such as `main at 1a2b3c4d5e6f`; None: it was not verified."""
    problem: str | None = None
    """Why the line is not valid, or could not be verified."""


@dataclass(frozen=True, kw_only=True)
class PreviewReport:
    """One preview of one stack.

    `before` are the settings of the branch that the change goes into, `after` those that were previewed; None if the
    file is missing or cannot be read. `failures` are refusals and errors, each with its fix; then `preview` is None.
    """

    project: str
    stack: str
    commit: str | None = None
    preview: Preview | None = None
    failures: tuple[str, ...] = ()
    before: Settings | None = None
    after: Settings | None = None
    proofs: tuple[ColourProof, ...] = ()
    publishes: tuple[str, ...] = ()
    """Models whose files a delivery publishes first."""
    notes: tuple[str, ...] = ()
    """What the preview could not know, such as a check that had no answer."""
    is_local: bool = False
    """It was previewed on a local Azure."""

    @property
    def marker(self) -> str:
        """The first line of its comment, by which the next run finds it."""
        return preview_marker(self.project, self.stack)


def preview_marker(project: str, stack: str) -> str:
    """The marker of the comment about a stack. Pulumi's names have no character that could end an HTML comment."""
    return f"<!-- sluice:preview:{project}/{stack} -->"


def refusals_in(error: str) -> tuple[str, ...]:
    """Return each problem of an error of the engine or the program, without the line that counts them."""
    lines = [line for line in error.splitlines() if line.strip()]
    listed = [line.strip() for line in lines if line.startswith("  ")]
    if listed and any(_COUNTED.search(line) for line in lines):
        return tuple(listed)
    return (" ".join(line.strip() for line in lines),) if lines else ()
