"""`/_local/faults`: add (POST), list (GET) and clear (DELETE) faults over HTTP. Who may call is checked before."""

from __future__ import annotations

from collections.abc import Callable, Collection

from aiohttp import web

from localazure.faults.fault import FaultError, read_fault
from localazure.faults.registry import Faults
from localazure.requests import read_body, read_json


class FaultControl:
    """Handlers over one registry."""

    def __init__(self, faults: Faults, known_types: Callable[[], Collection[str]]) -> None:
        self._faults = faults
        self._known_types = known_types

    async def add(self, request: web.Request) -> web.Response:
        """Set one fault."""
        document = read_json(await read_body(request))
        try:
            active = self._faults.add(read_fault(document, self._known_types()))
        except FaultError as error:
            return _refuse(error.problems)
        except ValueError as error:
            return _refuse([str(error)])
        return web.json_response(self._faults.describe_one(active), status=201)

    async def list(self, request: web.Request) -> web.Response:
        """All faults that are set."""
        return web.json_response({"value": self._faults.describe()})

    async def clear(self, request: web.Request) -> web.Response:
        """Remove all faults, or the one that `number` names."""
        wanted = request.query.get("number")
        if wanted is not None and not (wanted.isascii() and wanted.isdigit() and len(wanted) < 16):
            return _refuse([f"number must be a whole number, got {wanted[:40]!r}."])
        cleared = self._faults.clear(int(wanted) if wanted is not None else None)
        if wanted is not None and not cleared:
            error = {"code": "NotFound", "message": f"There is no fault {wanted}; it may be over."}
            return web.json_response({"error": error}, status=404)
        return web.json_response({"cleared": cleared})


def _refuse(problems: list[str]) -> web.Response:
    error = {"code": "InvalidFault", "message": " ".join(problems), "problems": problems}
    return web.json_response({"error": error}, status=400)
