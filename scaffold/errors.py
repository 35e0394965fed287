"""The error of `sluice new`, with everything that is wrong.

ScaffoldError          something asked for is wrong, or a file is in the way; nothing was written
"""

from __future__ import annotations

from collections.abc import Sequence

from exit_codes import ExitCode
from problem import Problem


class ScaffoldError(Exception):
    """Nothing was written; `problems` has every reason."""

    exit_code = ExitCode.USAGE

    def __init__(self, what: str, problems: Sequence[Problem | str]) -> None:
        self.problems = tuple(problems)
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        lines = "".join(f"\n  {problem}" for problem in problems)
        super().__init__(f"{what} has {count}; nothing was written:{lines}")
