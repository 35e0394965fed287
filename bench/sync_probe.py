"""Times one `sync` in one process: `python -m bench.sync_probe CLONE STACK SOURCE BRANCH`, as JSON.

What `sluice ci sync` does with git stands apart from the program's own check of the new tree, which is a process.
"""

import json
import os
import sys
import time
from pathlib import Path

from delivery.stack_branch.runnable import require_runnable
from delivery.stack_branch.sync import Place, StackBranch
from rollout.repository.git import Git


def probe(clone: Path, stack: str, source: str, branch: str) -> dict[str, float]:
    """Seconds of a sync that pushes a commit, of its check, and of the next sync, which finds nothing new."""
    checks: list[float] = []

    def check(folder: Path) -> None:
        began = time.perf_counter()
        require_runnable(folder, stack)
        checks.append(time.perf_counter() - began)

    def sync() -> float:
        began = time.perf_counter()
        StackBranch(Git(clone, os.environ), place, check, lambda: int(time.time())).sync()
        return time.perf_counter() - began

    place = Place(
        stack=stack, source_branch=source, stack_branch=branch, subscription="bench", arm_host="localhost", after=None
    )
    first = sync()
    return {"git, a new commit": first - sum(checks), "check of the program": sum(checks), "git, nothing new": sync()}


if __name__ == "__main__":
    print(json.dumps(probe(Path(sys.argv[1]), *sys.argv[2:])))
