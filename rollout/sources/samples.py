"""The requests that the controller may send of its own: the samples in the model's folder."""

from __future__ import annotations

from pathlib import Path

from command_errors import UsageError
from endpoint_client.request_file import read_bodies

TRAFFIC = "sample-traffic.jsonl"
"""One request per line, with the mix of real traffic."""
SINGLE = "sample-request*.json"


def traffic_of(folder: Path) -> list[bytes]:
    """The requests for a load: those of `sample-traffic.jsonl`, else of the single samples. Raises UsageError."""
    if (folder / TRAFFIC).is_file():
        return read_bodies(folder / TRAFFIC)
    return requests_of(folder)


def requests_of(folder: Path) -> list[bytes]:
    """The single samples, each answered with 200 by a healthy model, by name; without any, those of the traffic.

    Raises UsageError if the folder has neither.
    """
    bodies = [body for file in sorted(folder.glob(SINGLE)) for body in read_bodies(file)]
    if bodies:
        return bodies
    if (folder / TRAFFIC).is_file():
        return read_bodies(folder / TRAFFIC)
    raise UsageError(
        f"{folder} has no sample request to send. Add {folder.name}/sample-request.json, a request that the model "
        "answers with 200; or, to start without it, set verify: false and settle: 5m in the plan."
    )
