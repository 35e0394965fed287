"""The content of the status page as plain values: endpoints, weights, and the last minute of each deployment.

Computed at most once a second, however many pages are open. No keys, no request bodies.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any, Protocol

from aiohttp import web

from localazure.monitor.buckets import Bucket
from localazure.monitor.metrics import Metrics
from localazure.monitor.scaler import Scaler

SHOWN_SECONDS = 60
RATE_SECONDS = 10
_FRESH_SECONDS = 0.9


class Described(Protocol):
    """The data plane's own status."""

    def status(self) -> dict[str, Any]: ...


class Live:
    """Answers `/_local/live`."""

    def __init__(self, metrics: Metrics, scoring: Described, scaler: Scaler) -> None:
        self._metrics = metrics
        self._scoring = scoring
        self._scaler = scaler
        self._started = time.monotonic()
        self._told: tuple[float, dict[str, Any]] | None = None
        self._computing = asyncio.Lock()

    async def respond(self, request: web.Request) -> web.Response:
        """As JSON, never cached by a browser."""
        return web.json_response(await self.document(), headers={"Cache-Control": "no-store"})

    async def document(self) -> dict[str, Any]:
        """The complete content of the page."""
        async with self._computing:
            if self._told is None or time.monotonic() - self._told[0] > _FRESH_SECONDS:
                document = await self._compute(self._metrics.clock())
                self._told = time.monotonic(), document
            return self._told[1]

    async def _compute(self, now: float) -> dict[str, Any]:
        reasons = self._autoscale_reasons()
        endpoints = []
        for name, endpoint in self._scoring.status().items():
            await asyncio.sleep(0)  # hundreds of deployments take a while: let requests run in between
            traffic = {key.lower(): weight for key, weight in endpoint["traffic"].items()}
            mirror = {key.lower(): percent for key, percent in endpoint["mirror"].items()}
            deployments = [
                {
                    "name": deployment,
                    "weight": traffic.get(deployment, 0),
                    "mirror": mirror.get(deployment, 0),
                    "state": facts["state"],
                    "simulated": bool(facts.get("simulated")),
                    "instances": len(facts["instances"]),
                    "ready": sum(bool(one["ready"]) for one in facts["instances"]),
                    "in_flight": facts["in_flight"],
                    "autoscale": reasons.get((name, deployment)),
                    **self._recent(name, deployment, int(now)),
                }
                for deployment, facts in endpoint["deployments"].items()
            ]
            refused = self._recent(name, "", int(now))
            endpoints.append({"name": name, "refused_per_second": refused["per_second"], "deployments": deployments})
        return {"uptime_seconds": round(time.monotonic() - self._started), "endpoints": endpoints}

    def _recent(self, endpoint: str, deployment: str, now: int) -> dict[str, Any]:
        """The last minute, without the current second."""
        start = now - SHOWN_SECONDS
        counts, errors = [0] * SHOWN_SECONDS, [0] * SHOWN_SECONDS
        merged = Bucket(start)
        for series in self._metrics.requests(endpoint, deployment):
            for bucket in series.seconds(start, now, now):
                merged.merge(bucket)
                for (status, _), count in bucket.statuses.items():
                    counts[bucket.start - start] += count
                    errors[bucket.start - start] += count if status >= 400 else 0
        percentiles = {name: merged.percentile_seconds(share) for name, share in (("p50", 0.5), ("p95", 0.95))}
        return {
            "per_second": sum(counts[-RATE_SECONDS:]) / RATE_SECONDS,
            "requests": sum(counts),
            "errors": sum(errors),
            "history": counts,
            "error_history": errors,
            "statuses": _by_status(merged),
            **{name: round(value * 1000, 1) if value is not None else None for name, value in percentiles.items()},
        }

    def _autoscale_reasons(self) -> dict[tuple[str, str], str]:
        """The last autoscale decision for each scaled deployment."""
        return {
            (endpoint.lower(), deployment.lower()): decision.reason
            for (endpoint, deployment), decision in self._scaler.by_deployment().items()
        }


def _by_status(bucket: Bucket) -> dict[str, int]:
    counts: dict[str, int] = {}
    for (status, _), count in bucket.statuses.items():
        counts[str(status)] = counts.get(str(status), 0) + count
    return dict(sorted(counts.items()))
