"""The counted requests of `verify`: sent straight to the new colour, by header, before it gets any weight.

Nothing else goes to a colour at 0 %, so the metric must show exactly their number. How long that takes is the metric's
lag on this endpoint. Whether Azure counts requests that name their deployment is not verified (docs/not-verified.md).
"""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from command_errors import CommandError, UnavailableError
from endpoint_client.address import EndpointAddress
from endpoint_client.invocation import DEPLOYMENT_HEADER, TIMEOUT_SECONDS, Target, explain, find_target
from resource_manager.client import CHECK_NETWORK, ArmClient, trust
from rollout.ports import Probed
from rollout.sources.samples import requests_of

PROBES = 20

Send = Callable[[bytes, str], bytes]
"""Sends a body to a deployment and returns its answer; raises CommandError for anything but 2xx."""


@dataclass
class DirectProbes:
    """`ports.Probes` for one endpoint."""

    arm: ArmClient
    address: EndpointAddress
    models: Path
    """The model's folder, with its samples."""
    now: Callable[[], int]

    def send(self, colour: str, stable: str | None) -> Probed:
        """Send 20 requests to `colour` one after another, and each sample once to `stable`.

        A request is sent once and never repeated, so that the number is exact. Raises UnavailableError if the endpoint
        cannot be reached from here; an answer other than 2xx is the colour's problem.
        """
        target = find_target(self.arm, self.address)
        return probe(_sender(target, self.address), requests_of(self.models), colour, stable, self.now)


def probe(send: Send, samples: Sequence[bytes], colour: str, stable: str | None, now: Callable[[], int]) -> Probed:
    """Send `PROBES` requests, which take the samples in turn."""
    start, answers = now(), []
    for number in range(PROBES):
        try:
            answers.append(send(samples[number % len(samples)], colour))
        except UnavailableError:
            raise
        except CommandError as error:
            return Probed(sent=number + 1, start=start, problem=f"sample request {number % len(samples) + 1}: {error}")
    return Probed(sent=PROBES, start=start, disagreement=_disagreement(send, samples, answers, stable))


def _disagreement(send: Send, samples: Sequence[bytes], answers: Sequence[bytes], stable: str | None) -> float | None:
    """The share of the samples that `stable` answers in another way; None if it cannot be compared."""
    if stable is None:
        return None
    compared = min(len(samples), PROBES)
    try:
        others = [send(body, stable) for body in samples[:compared]]
    except CommandError:
        return None  # the stable colour has a problem of its own, which is not this colour's
    different = [_value(one) != _value(other) for one, other in zip(answers, others, strict=False)]
    return different.count(True) / compared


def _value(answer: bytes) -> Any:
    try:
        return json.loads(answer)
    except (ValueError, RecursionError):
        return answer


def _sender(target: Target, address: EndpointAddress) -> Send:
    headers = {"Content-Type": "application/json"}
    if target.credential:
        headers["Authorization"] = f"Bearer {target.credential}"

    def send(body: bytes, deployment: str) -> bytes:
        request = urllib.request.Request(target.uri, body, headers | {DEPLOYMENT_HEADER: deployment}, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS, context=trust()) as answer:
                return bytes(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                try:
                    text = error.read().decode(errors="replace")
                except (OSError, http.client.HTTPException):  # the connection broke, but status and headers are known
                    text = ""
                given = {name.lower(): value for name, value in error.headers.items()}
            raise CommandError(explain(error.code, given, text, address)) from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            reason = " ".join(str(getattr(error, "reason", None) or error).split()) or type(error).__name__
            raise UnavailableError(
                f"endpoint {address.name} does not answer at {target.uri}: {reason.rstrip('.')}. {CHECK_NETWORK} A "
                "private endpoint answers only inside its network: from outside, set verify: false and settle: 5m."
            ) from error

    return send
