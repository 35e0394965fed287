"""Changes that only `remove` and `recover` make: started, followed to their end, and told; time does not pass."""

from collections.abc import Mapping
from typing import Any

import pytest

from command_errors import CommandError, WaitingError
from resource_manager import operations
from resource_manager.operations import ArmOperations

BASE = "https://arm.test"
FOLLOWED = {"azure-asyncoperation": f"{BASE}/status", "location": f"{BASE}/result"}
Answer = tuple[int, str, Mapping[str, str]]


class Scripted(ArmOperations):
    """Resource Manager that gives these answers, one after another, the last for ever."""

    base_url = BASE
    token = "t"

    def __init__(self, *answers: Answer, wait_seconds: float = 60.0) -> None:
        self.said: list[str] = []
        super().__init__(self.said.append, wait_seconds)
        self.answers = list(answers)
        self.asked: list[str] = []

    def _exchange(self, url: str, headers: Any, method: str = "GET", data: bytes | None = None) -> Any:
        self.asked.append(f"{method} {url.removeprefix(BASE)}")
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    monkeypatch.setattr(operations.time, "sleep", sleep)
    monkeypatch.setattr(operations.time, "monotonic", lambda: now[0])
    return now


def running(seconds: str = "10") -> Answer:
    return 200, '{"status": "Deleting"}', {"retry-after": seconds}


def test_a_deletion_is_followed_to_its_end_and_long_waiting_is_told() -> None:
    arm = Scripted((202, "", FOLLOWED), running(), running(), running(), (200, '{"status": "Succeeded"}', {}))
    assert arm.delete("/ws", "v", forceToPurge="true")
    assert arm.asked[:2] == ["DELETE /ws?api-version=v&forceToPurge=true", "GET /status"]
    assert [text.partition(" (")[0] for text in arm.said] == ["waiting for Azure: DELETE /ws"]


@pytest.mark.parametrize("status", [204, 404])
def test_what_is_gone_already_is_no_error(status: int) -> None:
    assert not Scripted((status, "", {})).delete("/ws", "v")


def test_an_operation_without_a_status_ends_with_its_result() -> None:
    arm = Scripted((202, "", {"location": f"{BASE}/result"}), (202, "", {}), (200, "", {}))
    arm.act("/vault/purge", "v")
    assert arm.asked == ["POST /vault/purge?api-version=v", "GET /result", "GET /result"]


@pytest.mark.parametrize(("state", "words"), [("Failed", "failed"), ("Canceled", "was canceled")])
def test_a_failed_operation_is_reported_with_reason_and_fix(state: str, words: str) -> None:
    body = f'{{"status": "{state}", "error": {{"code": "C", "message": "the reason."}}}}'
    with pytest.raises(CommandError, match=rf"/ws {words}: C: the reason\. Run this command again"):
        Scripted((202, "", FOLLOWED), (200, body, {})).delete("/ws", "v")


def test_an_operation_of_a_run_before_is_waited_for() -> None:
    arm = Scripted((409, "", {}), (409, "", {}), (204, "", {}))
    assert not arm.delete("/ws", "v")
    assert arm.said == ["waiting for Azure: another operation is in progress at /ws"]


def test_waiting_ends_and_names_the_way_on() -> None:
    with pytest.raises(WaitingError, match=r"not finished after 1 minutes.*run this command again later"):
        Scripted((202, "", FOLLOWED), running()).delete("/ws", "v")


def test_the_token_goes_to_no_other_host() -> None:
    arm = Scripted((202, "", {"location": "https://elsewhere.test/result"}), (200, "", {}))
    with pytest.raises(CommandError, match=r"elsewhere\.test.*outside of https://arm\.test"):
        arm.delete("/ws", "v")
    assert len(arm.asked) == 1
