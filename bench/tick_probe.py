"""Times single ticks of one rollout in one process: `python -m bench.tick_probe ENDPOINT STACK TICKS`, as JSON.

The controller has the adapters of `sluice rollout step --commit --push`. The first tick of a process, which logs in and
reads the counts twice, stands apart. Between two ticks an interval passes, as between those of a running controller.
"""

import argparse
import json
import sys
import time

from cli.rollout_session import site_of
from rollout.session.adapters import controller_of


def probe(endpoint: str, stack: str, ticks: int) -> dict[str, object]:
    """Seconds until the first tick could begin, of the first tick, and of each later one."""
    began = time.perf_counter()
    options = argparse.Namespace(endpoint=endpoint, stack=stack, commit=True, push=True)
    site = site_of(options)
    clock, controller = site.session.clock, controller_of(site, site.last_journal())
    ready = time.perf_counter()
    first = controller.tick()
    done = time.perf_counter()
    seconds = []
    for _ in range(ticks):
        clock.sleep(first.state.grain_seconds)
        started = time.perf_counter()
        tick = controller.tick()
        seconds.append(time.perf_counter() - started)
        if tick.state.weights != first.state.weights or tick.state.held is not None:
            raise SystemExit(f"a tick has changed something: {tick.text}")
    return {"ready": ready - began, "first": done - ready, "ticks": seconds}


if __name__ == "__main__":
    print(json.dumps(probe(sys.argv[1], sys.argv[2], int(sys.argv[3]))))
