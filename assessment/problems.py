"""Gathers the problems of several checks, so that one error can list them all."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from models.errors import ModelError
from transitions import TransitionError

__all__ = ["collect", "lines_of"]

T = TypeVar("T")


def collect(problems: list[str], step: Callable[[], T]) -> T | None:
    """Run one step and return its result; add what it refuses to `problems`, then return None."""
    try:
        return step()
    except TransitionError as error:
        problems += [str(violation) for violation in error.violations]
    except ModelError as error:
        problems += lines_of(error)
    return None


def lines_of(error: ModelError) -> list[str]:
    """The problems of a model, one line each."""
    return [f"models/{problem}" for problem in error.problems] or [str(error)]
