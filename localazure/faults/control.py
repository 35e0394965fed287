"""`/_local/faults`: add (POST), list (GET) and clear (DELETE) faults over HTTP. The caller is authorized before.

GET  /_local/faults/held?number=N&count=C&seconds=S   answers when fault N holds C subjects at once, or after S seconds
POST /_local/faults/release?number=N                  releases everything that fault N holds
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from aiohttp import web

from localazure.faults.fault import FaultError, read_fault
from localazure.faults.holding import wait_until_gone, wait_until_held
from localazure.faults.registry import Faults
from localazure.requests import read_body, read_json

MAX_WAIT_SECONDS = 60


class FaultControl:
    """Handlers over one registry."""

    def __init__(self, faults: Faults, known_types: Callable[[], Collection[str]]) -> None:
        self._faults = faults
        self._known_types = known_types

    async def add(self, request: web.Request) -> web.Response:
        """Add one fault."""
        document = read_json(await read_body(request))
        try:
            active = self._faults.add(read_fault(document, self._known_types()))
        except FaultError as error:
            return _refuse(error.problems)
        except ValueError as error:
            return _refuse([str(error)])
        return web.json_response(self._faults.describe_one(active), status=201)

    async def list(self, request: web.Request) -> web.Response:
        """List all faults."""
        return web.json_response({"value": self._faults.describe()})

    async def clear(self, request: web.Request) -> web.Response:
        """Remove all faults, or the one that `number` names."""
        held = self._faults.all()
        if "number" not in request.query:
            cleared = self._faults.clear()
        else:
            numbers = _read_numbers(request, number=None)
            if isinstance(numbers, web.Response):
                return numbers
            cleared = self._faults.clear(numbers["number"])
            if not cleared:
                return _missing(numbers["number"])
        await wait_until_gone(self._faults, held)
        return web.json_response({"cleared": cleared})

    async def held(self, request: web.Request) -> web.Response:
        """The fault as soon as it holds `count` (1) subjects at once, or its state after `seconds` (0)."""
        numbers = _read_numbers(request, number=None, count=1, seconds=0)
        if isinstance(numbers, web.Response):
            return numbers
        if numbers["seconds"] > MAX_WAIT_SECONDS:
            return _refuse([f"seconds must be at most {MAX_WAIT_SECONDS}, got {numbers['seconds']}."])
        active = await wait_until_held(self._faults, numbers["number"], numbers["count"], numbers["seconds"])
        return web.json_response(self._faults.describe_one(active)) if active else _missing(numbers["number"])

    async def release(self, request: web.Request) -> web.Response:
        """Release everything that the fault currently holds."""
        numbers = _read_numbers(request, number=None)
        if isinstance(numbers, web.Response):
            return numbers
        held = self._faults.all()
        released = self._faults.release(numbers["number"])
        if released is None:
            return _missing(numbers["number"])
        await wait_until_gone(self._faults, held)
        return web.json_response({"released": released})


def _read_numbers(request: web.Request, **defaults: int | None) -> dict[str, int] | web.Response:
    """The whole numbers in the query, or a refusal that names every other value."""
    sent = {name: request.query.get(name, default) for name, default in defaults.items()}
    problems = [
        f"{name} must be a whole number, got {str(value)[:40]!r}."
        for name, value in sent.items()
        if not (str(value).isascii() and str(value).isdigit() and len(str(value)) < 16)
    ]
    return _refuse(problems) if problems else {name: int(str(value)) for name, value in sent.items()}


def _missing(number: int) -> web.Response:
    error = {"code": "NotFound", "message": f"There is no fault {number}; it may have ended."}
    return web.json_response({"error": error}, status=404)


def _refuse(problems: list[str]) -> web.Response:
    error = {"code": "InvalidFault", "message": " ".join(problems), "problems": problems}
    return web.json_response({"error": error}, status=400)
