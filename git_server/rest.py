"""JSON over HTTP for the REST API of a git server: retries, pages, and errors that name request, answer and fix.

Only requests that change nothing are repeated, and requests that the server did not accept (429, and 503 with
Retry-After). A token goes to the server's own address only, and no message shows it.
"""

from __future__ import annotations

import json
import re
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

import urllib3

from git_server.port import GitServerRefused, GitServerUnreachable

TIMEOUT_SECONDS = 20
ATTEMPTS = 4
REPEATED_STATUSES = (429, 500, 502, 503, 504)
READING_METHODS = frozenset({"GET", "HEAD"})
PAGES = 1000
"""Pages of one list; more than any server has, so that a link to itself ends."""
_NEXT = re.compile(r'<([^<>]*)>\s*;[^,]*\brel="?next"?')

Hints = Mapping[int, str]
"""The fix for a status, one sentence or more."""


@dataclass(frozen=True)
class Answer:
    """One answer: JSON (None without a body) and the headers that matter, with lower-case names."""

    status: int
    value: Any
    headers: Mapping[str, str]

    @property
    def next_page(self) -> str | None:
        """The address of the next page of a list (RFC 8288, as GitHub sends it)."""
        found = _NEXT.search(self.headers.get("link", ""))
        return found.group(1) if found else None


class Rest:
    """One server's REST API."""

    def __init__(self, base_url: str, headers: Mapping[str, str], hints: Hints, *, server: str) -> None:
        """`base_url` without a slash at its end; `server` is the name that messages use, such as GitHub."""
        self._base_url = base_url.rstrip("/")
        self._headers = {"Accept": "application/json", "User-Agent": "sluice", **headers}
        self._hints = hints
        self._server = server
        retries = urllib3.Retry(
            total=ATTEMPTS - 1,
            redirect=0,
            backoff_factor=0.5,
            status_forcelist=REPEATED_STATUSES,
            allowed_methods=READING_METHODS,
            raise_on_status=False,
            raise_on_redirect=False,
        )
        self._pool = _pool(self._base_url, retries)

    def get(self, path: str, query: Mapping[str, str] | None = None) -> Any:
        """The JSON at a path. Raises GitServerRefused, GitServerUnreachable."""
        return self.ask("GET", path, query=query).value

    def find(self, path: str, query: Mapping[str, str] | None = None) -> Any | None:
        """The JSON at a path, None if the server says 404."""
        answer = self.ask("GET", path, query=query, accepted=frozenset({404}))
        return None if answer.status == 404 else answer.value

    def pages(self, path: str, query: Mapping[str, str] | None = None, *, key: str | None = None) -> Iterator[Any]:
        """The entries of a list on all of its pages; `key` names the list in an object."""
        answer = self.ask("GET", path, query=query)
        for _ in range(PAGES):
            entries = answer.value.get(key) if key and isinstance(answer.value, dict) else answer.value
            if not isinstance(entries, list):
                raise GitServerUnreachable(f"{self._server} answered GET {path} without a list. Try again.")
            yield from entries
            if (link := answer.next_page) is None:
                return
            answer = self.ask("GET", self._own(link))

    def ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | Sequence[Any] | None = None,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        accepted: frozenset[int] = frozenset(),
    ) -> Answer:
        """One request. A status of `accepted` is returned like 2xx; any other raises."""
        asked = f"{method} {path.partition('?')[0]}"
        url = f"{self._base_url}{path}" + (f"{'&' if '?' in path else '?'}{urlencode(query)}" if query else "")
        given = {**self._headers, **(headers or {})}
        data = None if body is None else json.dumps(body).encode()
        if data is not None:
            given.setdefault("Content-Type", "application/json")
        try:
            answer = self._pool.request(method, url, body=data, headers=given)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            reason = getattr(error, "reason", None) or error
            raise GitServerUnreachable(
                f"{self._server} does not answer: {asked} at {self._base_url}: {_line(reason)}. Check the network and "
                "the address, then run the command again."
            ) from error
        if not (200 <= answer.status < 300 or answer.status in accepted):
            raise self._refusal(asked, answer.status, answer.data)
        return Answer(answer.status, self._value(asked, answer), {k.lower(): v for k, v in answer.headers.items()})

    def _value(self, asked: str, answer: urllib3.BaseHTTPResponse) -> Any:
        if not answer.data:
            return None
        try:
            return json.loads(answer.data)
        except ValueError as error:
            if answer.status >= 400:
                return None
            raise GitServerUnreachable(
                f"{self._server} answered {answer.status} to {asked} with something that is not JSON. A proxy or a "
                f"sign-in page may answer in its place: check {self._base_url}."
            ) from error

    def _refusal(self, asked: str, status: int, data: bytes) -> GitServerRefused | GitServerUnreachable:
        fix = self._hints.get(status, "Check the names and the permissions of the token.")
        text = f"{self._server} answered {status} to {asked}: {message_in(data)}. {fix}"
        if status >= 500 or status == 429 or 300 <= status < 400:
            return GitServerUnreachable(text)
        return GitServerRefused(text, status=status)

    def _own(self, link: str) -> str:
        """The path of a link to this server; the token goes nowhere else."""
        here, there = urlsplit(self._base_url), urlsplit(link)
        if (here.scheme, here.netloc) != (there.scheme, there.netloc) or not link.startswith(f"{self._base_url}/"):
            raise GitServerUnreachable(
                f"a list of {self._server} continues at {there.scheme}://{there.netloc}, not at {self._base_url}. The "
                "token is not sent there. Check the address of the API."
            )
        return link.removeprefix(self._base_url)


def _pool(base_url: str, retries: urllib3.Retry) -> urllib3.PoolManager:
    """The connections to a server: through the proxy that HTTPS_PROXY names, unless NO_PROXY lists the server."""
    address = urlsplit(base_url)
    proxy = urllib.request.getproxies().get(address.scheme)
    timeout = urllib3.Timeout(TIMEOUT_SECONDS)
    if proxy and not urllib.request.proxy_bypass(address.hostname or ""):
        return urllib3.ProxyManager(proxy, retries=retries, timeout=timeout)
    return urllib3.PoolManager(retries=retries, timeout=timeout)


def message_in(data: bytes) -> str:
    """What a refusal says, as one line without a full stop; the details that GitHub lists in `errors` follow."""
    try:
        value = json.loads(data)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        return "no message"
    errors = value.get("errors")
    details = [
        str(entry.get("message") or entry.get("code") or "") if isinstance(entry, dict) else str(entry)
        for entry in (errors if isinstance(errors, list) else ())
    ]
    return _line("; ".join(filter(None, [str(value.get("message") or ""), *details]))) or "no message"


def _line(said: object) -> str:
    return " ".join(str(said).split()).rstrip(".")[:500]
