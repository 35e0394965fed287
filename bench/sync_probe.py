"""Times one `sync` in one process: `python -m bench.sync_probe CLONE STACK SOURCE BRANCH`, as JSON.

What `sluice ci sync` does with git stands apart from the program's own check of the new tree, which is a process.
"""

import json
import os
import resource
import sys
import time
from pathlib import Path

from delivery.stack_branch.runnable import require_runnable
from delivery.stack_branch.sync import Place, StackBranch
from rollout.repository.git import Git


def probe(clone: Path, stack: str, source: str, branch: str) -> dict[str, float]:
    """Seconds of a sync that pushes a commit, of its check, and of the next sync, which finds nothing new."""
    checked = Spent()

    def check(folder: Path) -> None:
        with checked:
            require_runnable(folder, stack)

    def sync() -> Spent:
        with Spent() as spent:
            StackBranch(Git(clone, os.environ), place, check, lambda: int(time.time())).sync()
        return spent

    place = Place(
        stack=stack, source_branch=source, stack_branch=branch, subscription="bench", arm_host="localhost", after=None
    )
    first, again = sync(), sync()
    return {
        "git, a new commit": first.wall - checked.wall,
        "git, a new commit: processor time": first.processors - checked.processors,
        "check of the program": checked.wall,
        "check of the program: processor time": checked.processors,
        "git, nothing new": again.wall,
        "git, nothing new: processor time": again.processors,
    }


class Spent:
    """Seconds within a `with`: on the wall, and of processors, of this process and of those that it started."""

    wall = 0.0
    processors = 0.0

    def __enter__(self) -> "Spent":
        self._began = time.perf_counter(), _processors()
        return self

    def __exit__(self, *_: object) -> None:
        wall, processors = self._began
        self.wall += time.perf_counter() - wall
        self.processors += _processors() - processors


def _processors() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


if __name__ == "__main__":
    print(json.dumps(probe(Path(sys.argv[1]), *sys.argv[2:])))
