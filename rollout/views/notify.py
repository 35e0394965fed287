"""Tells a webhook what happens to a rollout: its start, every hold, the way back, its end.

The address is a secret, so the plan names the environment variable that holds it. A webhook that fails or is slow never
stops or delays a rollout: notices are sent from a thread of their own, and what is lost is told once.
"""

from __future__ import annotations

import json
import queue
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from rollout.decision.order import Direction
from rollout.record.event import Event, Kind
from rollout.record.state import RolloutState
from rollout.report.summary import sentence
from rollout.views.event_lines import text_of
from rollout_config import NotifySettings

TIMEOUT_SECONDS = 10
TOLD = frozenset({Kind.STARTED, Kind.HELD, Kind.BREAK_GLASS, Kind.ENDED})
ADAPTIVE_CARD = "application/vnd.microsoft.card.adaptive"


@dataclass(frozen=True, kw_only=True)
class Notice:
    """One message."""

    rollout: str
    stack: str
    endpoint: str
    event: str
    text: str
    at: int
    weights: str


def notice_of(event: Event, state: RolloutState) -> Notice | None:
    """The message about an event, or None for those that a webhook does not get."""
    back = event.kind is Kind.INTENT and event.data["direction"] == Direction.BACK.value
    if event.kind not in TOLD and not back:
        return None
    return Notice(
        rollout=state.id,
        stack=state.stack,
        endpoint=state.endpoint,
        event="rollback" if back else event.kind.value,
        text=sentence(state) if event.kind is Kind.ENDED else text_of(event),
        at=event.at,
        weights=state.weights.describe(),
    )


def payload(notice: Notice, form: str) -> dict[str, Any]:
    """What the webhook is sent: for Slack, for Teams (an adaptive card, as its Workflows expect), or all facts as JSON.

    The shapes are documented ("Sending messages using incoming webhooks", Slack; "Create incoming webhooks with
    Workflows", Microsoft Teams).
    """
    title = f"{notice.endpoint} in {notice.stack}"
    if form == "slack":
        return {"text": f"*{title}*: {notice.text}\n{notice.rollout}, {notice.weights}"}
    if form == "teams":
        blocks = [
            {"type": "TextBlock", "text": title, "weight": "bolder", "wrap": True},
            {"type": "TextBlock", "text": notice.text, "wrap": True},
            {"type": "TextBlock", "text": f"{notice.rollout}, {notice.weights}", "isSubtle": True, "wrap": True},
        ]
        card = {"type": "AdaptiveCard", "version": "1.4", "body": blocks}
        return {"type": "message", "attachments": [{"contentType": ADAPTIVE_CARD, "content": card}]}
    return dict(vars(notice))


class Notifier:
    """Sends notices in order, from a thread of its own. `say` tells a person about what was not delivered."""

    def __init__(
        self, settings: NotifySettings | None, variables: Mapping[str, str], say: Callable[[str], None]
    ) -> None:
        self._settings = settings
        self._say = say
        self._failed = False
        self._queue: queue.Queue[Notice | None] = queue.Queue()
        self._url = variables.get(settings.variable, "") if settings else ""
        self._thread: threading.Thread | None = None
        if settings is not None and not self._url:
            say(f"no webhook is told: {settings.variable} is not set. Set it to the webhook's address.")
        elif settings is not None and not self._url.startswith(("https://", "http://")):
            say(f"no webhook is told: {settings.variable} must begin with https://. Set it to the webhook's address.")
            self._url = ""

    def notify(self, event: Event, state: RolloutState) -> None:
        """Send the message about an event, if there is one; returns at once."""
        notice = notice_of(event, state) if self._url else None
        if notice is None:
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._send_all, daemon=True)
            self._thread.start()
        self._queue.put(notice)

    def close(self) -> None:
        """Wait for what is under way, for the time that one request may take."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join(TIMEOUT_SECONDS)

    def _send_all(self) -> None:
        while (notice := self._queue.get()) is not None:
            try:
                self._send(notice)
            except (OSError, ValueError) as error:
                if not self._failed:
                    reason = getattr(error, "reason", None) or error
                    self._say(f"the webhook was not told ({reason}); the rollout goes on without it.")
                self._failed = True

    def _send(self, notice: Notice) -> None:
        assert self._settings is not None  # without settings there is no address
        body = json.dumps(payload(notice, self._settings.format)).encode()
        request = urllib.request.Request(self._url, body, {"Content-Type": "application/json"}, method="POST")
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS):
            pass
