"""Changes in Azure outside of Pulumi, and waiting until they have taken effect.

Only changes that the engine cannot make, or not in time, are made here: permanent deletion, purging, provisioning of a
network, and the weights that must come back while the engine is locked or away. Long-running operations are followed
by Resource Manager's protocol (`Azure-AsyncOperation`, else `Location`), and their progress is reported.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from command_errors import CommandError, WaitingError
from resource_manager.client import ArmClient, explain_refusal

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

POLL_SECONDS = 2.0
LONGEST_POLL_SECONDS = 15.0
TELL_SECONDS = 15.0


class ArmOperations(ArmClient):
    """A client of Resource Manager with the changes that the engine cannot make."""

    def __init__(
        self, say: Callable[[str], None], wait_seconds: float, credential: TokenCredential | None = None
    ) -> None:
        super().__init__(credential)
        self.say = say
        self.wait_seconds = wait_seconds

    def delete(self, resource_id: str, api_version: str, **query: str) -> bool:
        """Delete a resource and wait until it is gone; return whether it existed."""
        return self._run("DELETE", resource_id, api_version, query)

    def put(self, resource_id: str, api_version: str, body: Mapping[str, Any]) -> None:
        """PUT a resource and wait until the operation has ended."""
        self._run("PUT", resource_id, api_version, {}, json.dumps(body).encode())

    def act(self, path: str, api_version: str, body: Mapping[str, Any] | None = None) -> None:
        """POST an action and wait until it has ended."""
        self._run("POST", path, api_version, {}, b"" if body is None else json.dumps(body).encode())

    def _run(
        self, method: str, path: str, api_version: str, query: Mapping[str, str], data: bytes | None = None
    ) -> bool:
        url = f"{self.base_url}{quote(path)}?{urlencode({'api-version': api_version, **query})}"
        headers = {"Authorization": f"Bearer {self.token}"}
        if data:
            headers["Content-Type"] = "application/json"
        started = time.monotonic()
        told = False
        status, text, given = self._exchange(url, headers, method, data)
        while status == 409 and method == "DELETE" and time.monotonic() - started < self.wait_seconds:
            if not told:  # an earlier run may have started it
                self.say(f"waiting for Azure: another operation is in progress at {path}")
                told = True
            time.sleep(POLL_SECONDS)
            status, text, given = self._exchange(url, headers, method, data)
        if status in (204, 404) and method == "DELETE":
            return False
        if status == 202:
            self._wait(f"{method} {path}", given, gone_is_done=method == "DELETE")
        elif status not in (200, 201, 204):
            raise explain_refusal(status, text, f"{method} {path}")
        return True

    def _wait(self, asked: str, given: Mapping[str, str], *, gone_is_done: bool) -> None:
        started = told = time.monotonic()
        url = given.get("azure-asyncoperation") or given.get("location") or ""
        by_status = "azure-asyncoperation" in given
        while url:
            now = time.monotonic()
            if now - told > TELL_SECONDS:
                self.say(f"waiting for Azure: {asked} ({now - started:.0f} s)")
                told = now
            time.sleep(_pause(given))
            if not url.startswith(f"{self.base_url}/"):  # the token must not go to another host
                raise CommandError(
                    f"Azure reports the progress of {asked} at {url}, outside of {self.base_url}. Your token is not "
                    "sent there. Try again."
                )
            status, text, given = self._exchange(url, {"Authorization": f"Bearer {self.token}"})
            if status == 404 and gone_is_done:
                return
            if status not in (200, 201, 202, 204):
                raise explain_refusal(status, text, asked)
            if by_status:
                state, error = _state(text)
                if state in ("failed", "canceled"):
                    raise CommandError(
                        f"{asked} {'failed' if state == 'failed' else 'was canceled'}: {error.rstrip('.')}. Run this "
                        "command again; `sluice doctor` checks the set-up."
                    )
                if state == "succeeded" or status == 204:
                    return
            elif status != 202:
                return
            if time.monotonic() - started > self.wait_seconds:
                raise WaitingError(
                    f"{asked} has not finished after {self.wait_seconds / 60:.0f} minutes. Azure continues with it: "
                    "run this command again later."
                )


def _pause(given: Mapping[str, str]) -> float:
    after = given.get("retry-after", "")
    return min(float(after), LONGEST_POLL_SECONDS) if after.isdecimal() else POLL_SECONDS


def _state(text: str) -> tuple[str, str]:
    """Return the state of an operation in lower case, and its error."""
    try:
        document = json.loads(text)
        error = document.get("error") or {}
        said = (
            f"{error.get('code')}: {error.get('message')}" if isinstance(error, dict) and error else "no reason given"
        )
        return str(document.get("status") or "").lower(), said
    except (ValueError, AttributeError, RecursionError):
        return "", "no reason given"
