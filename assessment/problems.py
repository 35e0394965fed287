"""Gathers what several checks refuse, so that one error can list it all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from models.errors import ModelError
from problem import Problem
from transitions import TransitionError

__all__ = ["Refusal", "collect", "refusals_of"]

T = TypeVar("T")

Refusal = Problem | ModelError
"""One reason for which a change is refused. An error about a model that lists no problems is one as a whole."""


def collect(refusals: list[Refusal], step: Callable[[], T]) -> T | None:
    """Run one step and return its result; add what it refuses to `refusals`, then return None."""
    try:
        return step()
    except TransitionError as error:
        refusals += error.problems
    except ModelError as error:
        refusals += refusals_of(error)
    return None


def refusals_of(error: ModelError) -> list[Refusal]:
    """The problems of a model, with their files as they are found from the project's folder."""
    return [replace(problem, file=f"models/{problem.file}") for problem in error.problems] or [error]
