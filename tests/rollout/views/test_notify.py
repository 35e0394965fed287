"""The webhook: what it is told, in which shape, and that it never stops a rollout."""

import http.server
import json
import threading
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

from rollout.decision.order import Outcome
from rollout.record.event import Event, Kind
from rollout.record.state import Ended, Phase
from rollout.report.summary import sentence
from rollout.views.notify import Notice, Notifier, notice_of, payload
from rollout_config import NotifySettings
from tests.rollout.states import NOON, state_of

BLUE, MIXED = {"traffic": {"blue": 100}, "mirror": {}}, {"traffic": {"blue": 90, "green": 10}, "mirror": {}}
HELD = Event(seq=3, at=NOON, kind=Kind.HELD, data={"hold": "metrics", "reason": "no answer"})
NOTICE = Notice(
    rollout="20261128T120000Z-green",
    stack="prod",
    endpoint="fraud-detection",
    event="held",
    text="held (metrics): no answer",
    at=NOON,
    weights="blue 100 %",
)


def intent(direction: str) -> Event:
    data = {"from": MIXED, "to": BLUE, "direction": direction, "why": "error_rate 64:1"}
    return Event(seq=3, at=NOON, kind=Kind.INTENT, data=data)


def test_a_hold_is_told_with_its_place_and_the_weights() -> None:
    assert notice_of(HELD, state_of()) == NOTICE


def test_the_way_back_is_told_and_a_step_forward_is_not() -> None:
    back = notice_of(intent("back"), state_of())
    assert back is not None
    assert (back.event, back.text) == ("rollback", "going back: blue 90 %, green 10 % → blue 100 % (error_rate 64:1)")
    assert notice_of(intent("forward"), state_of()) is None


@pytest.mark.parametrize("kind", [Kind.EVIDENCE, Kind.APPLIED, Kind.PAUSED, Kind.NOTED])
def test_other_events_are_not_told(kind: Kind) -> None:
    assert notice_of(Event(seq=3, at=NOON, kind=kind, data={}), state_of()) is None


def test_the_end_is_told_in_one_sentence() -> None:
    state = state_of(phase=Phase.DONE, ended=Ended(at=NOON + 60, outcome=Outcome.DONE, reason="all steps passed"))
    end = notice_of(Event(seq=4, at=NOON + 60, kind=Kind.ENDED, data={}), state)
    assert end is not None
    assert end.text == sentence(state)


def test_slack_teams_and_json_get_their_shapes() -> None:
    assert payload(NOTICE, "slack") == {
        "text": "*fraud-detection in prod*: held (metrics): no answer\n20261128T120000Z-green, blue 100 %"
    }
    (attachment,) = payload(NOTICE, "teams")["attachments"]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    assert [block["text"] for block in attachment["content"]["body"]] == [
        "fraud-detection in prod",
        "held (metrics): no answer",
        "20261128T120000Z-green, blue 100 %",
    ]
    assert payload(NOTICE, "json") == vars(NOTICE)


class Hook(http.server.BaseHTTPRequestHandler):
    """Keeps what it is sent; answers with the status in the path."""

    received: ClassVar[list[Any]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.received.append(json.loads(body))
        self.send_response(int(self.path[1:]))
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def hook() -> Iterator[str]:
    Hook.received.clear()
    server = http.server.HTTPServer(("127.0.0.1", 0), Hook)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


SETTINGS = NotifySettings(variable="HOOK")


def test_notices_arrive_in_order(hook: str) -> None:
    said: list[str] = []
    notifier = Notifier(SETTINGS, {"HOOK": f"{hook}/200"}, said.append)
    for event in (HELD, intent("back"), intent("forward")):
        notifier.notify(event, state_of())
    notifier.close()
    assert [one["event"] for one in Hook.received] == ["held", "rollback"]
    assert said == []


def test_a_webhook_that_fails_is_told_once_and_stops_nothing(hook: str) -> None:
    said: list[str] = []
    notifier = Notifier(SETTINGS, {"HOOK": f"{hook}/500"}, said.append)
    for _ in range(2):
        notifier.notify(HELD, state_of())
    notifier.close()
    assert len(Hook.received) == 2
    (line,) = said
    assert "the rollout goes on without it" in line


def test_a_slow_webhook_delays_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    sent = threading.Event()
    monkeypatch.setattr(Notifier, "_send", lambda *_: sent.wait())
    notifier = Notifier(SETTINGS, {"HOOK": "https://hooks.example/1"}, print)
    notifier.notify(HELD, state_of())  # returns although nothing was sent
    assert not sent.is_set()
    sent.set()
    notifier.close()


@pytest.mark.parametrize("variables", [{}, {"HOOK": "file:///etc/passwd"}])
def test_an_address_that_is_missing_or_wrong_is_told_at_the_start(variables: dict[str, str]) -> None:
    said: list[str] = []
    notifier = Notifier(SETTINGS, variables, said.append)
    notifier.notify(HELD, state_of())
    notifier.close()
    (line,) = said
    assert "HOOK" in line
    assert "passwd" not in line


def test_without_a_webhook_nothing_is_said() -> None:
    said: list[str] = []
    Notifier(None, {}, said.append).notify(HELD, state_of())
    assert said == []
