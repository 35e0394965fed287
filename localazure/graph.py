"""The part of Microsoft Graph that `az role assignment` uses: it translates client ids to service principals and back.

Read only. Service principals are the caller and every managed identity that a resource has; there are no users and no
groups. All other Graph requests answer 501, like any path that is not emulated.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from typing import Any

from aiohttp import web

from localazure import identity
from localazure.arm.control_plane import ControlPlane
from localazure.arm.roles import USER_ASSIGNED_TYPE
from localazure.errors import ArmError, BadRequest, NotEmulated, NotFound, Unauthorized
from localazure.requests import read_body, read_json
from localazure.resource import Resource

MAX_IDS = 1000
_TEXT = r"'((?:[^']|'')*)'"
_BY_NAME = re.compile(rf"servicePrincipalNames/any\(\s*(\w+)\s*:\s*\1\s+eq\s+{_TEXT}\s*\)", re.IGNORECASE)
_EQUALS = re.compile(rf"(appId|displayName|id|userPrincipalName)\s+eq\s+{_TEXT}", re.IGNORECASE)
_STARTS = re.compile(rf"startswith\(\s*(displayName)\s*,\s*{_TEXT}\s*\)", re.IGNORECASE)
_KIND = "#microsoft.graph.servicePrincipal"


class Graph:
    """Routes that the server mounts."""

    def __init__(self, plane: ControlPlane) -> None:
        self._plane = plane

    def routes(self) -> list[web.RouteDef]:
        """All of them."""
        return [
            web.post("/v1.0/directoryObjects/getByIds", self._get_by_ids),
            web.get("/v1.0/servicePrincipals", self._service_principals),
            web.get("/v1.0/servicePrincipals/{id}", self._service_principal),
            web.get("/v1.0/users", self._users),
        ]

    async def _get_by_ids(self, request: web.Request) -> web.Response:
        _require_token(request)
        body = read_json(await read_body(request) or b"{}")
        ids = body.get("ids") if isinstance(body, dict) else None
        if not isinstance(ids, list) or len(ids) > MAX_IDS or not all(isinstance(one, str) for one in ids):
            # Known code; the wording is ours.
            raise BadRequest("Request_BadRequest", f"ids must be a list of at most {MAX_IDS} object ids.")
        wanted = {one.lower() for one in ids}
        found = [one for one in self._known() if one["id"].lower() in wanted]
        return _answer(request, "directoryObjects", [{"@odata.type": _KIND} | one for one in found])

    async def _service_principals(self, request: web.Request) -> web.Response:
        _require_token(request)
        text = request.query.get("$filter", "")
        found = [one for one in self._known() if _fulfils(one, text)]
        return _answer(request, "servicePrincipals", found)

    async def _service_principal(self, request: web.Request) -> web.Response:
        _require_token(request)
        wanted = request.match_info["id"].lower()
        found = next((one for one in self._known() if one["id"].lower() == wanted), None)
        if found is None:
            # Known code; the wording is ours.
            text = f"Resource '{request.match_info['id'][:100]}' does not exist."
            raise NotFound("Request_ResourceNotFound", text)
        return web.json_response(found)

    async def _users(self, request: web.Request) -> web.Response:
        _require_token(request)
        _read_filter(request.query.get("$filter", ""))
        return _answer(request, "users", [])

    def _known(self) -> Iterator[dict[str, Any]]:
        """Every service principal once."""
        yield _principal(identity.CALLER_OBJECT_ID, identity.CLIENT_ID, identity.CALLER_NAME, "Application")
        for shared in self._plane.store.of_type(USER_ASSIGNED_TYPE):
            shown = shared.properties
            yield _principal(shown["principalId"], shown["clientId"], shared.name, "ManagedIdentity")
        scope = f"/subscriptions/{identity.SUBSCRIPTION_ID}"
        for resource in self._plane.store.under(scope):
            principal = (resource.body.get("identity") or {}).get("principalId")
            if principal:
                # No other service shows its client id, so any stable value works.
                client = str(uuid.uuid5(uuid.NAMESPACE_OID, principal))
                yield _principal(principal, client, _display_name(resource), "ManagedIdentity")


def _display_name(resource: Resource) -> str:
    """A resource's name; for an endpoint `<workspace>/onlineEndpoints/<endpoint>`, as documented."""
    return "/".join(resource.resource_id.relative.split("/")[2:])


def _principal(object_id: str, client_id: str, name: str, kind: str) -> dict[str, Any]:
    return {
        "id": object_id,
        "appId": client_id,
        "appDisplayName": name if kind == "Application" else None,
        "displayName": name,
        "accountEnabled": True,
        "servicePrincipalType": kind,
        "servicePrincipalNames": [client_id],
        "appOwnerOrganizationId": identity.TENANT_ID,
    }


def _fulfils(principal: dict[str, Any], text: str) -> bool:
    name, operator, value = _read_filter(text)
    if name == "serviceprincipalnames":
        # In Graph, the object id is not such a name. But a client that finds nothing calls getByIds next, with the same
        # result.
        return value in (principal["appId"].lower(), principal["id"].lower())
    own = {key.lower(): str(shown).lower() for key, shown in principal.items()}.get(name, "")
    return own.startswith(value) if operator == "startswith" else own == value or not name


def _read_filter(text: str) -> tuple[str, str, str]:
    """Name, operator and value in lower case; without a filter, one that matches everything. Raises NotEmulated."""
    text = text.strip()
    if not text:
        return "", "eq", ""
    if found := _BY_NAME.fullmatch(text):
        return "serviceprincipalnames", "eq", _value(found[2])
    for pattern, operator in ((_EQUALS, "eq"), (_STARTS, "startswith")):
        if found := pattern.fullmatch(text):
            return found[1].lower(), operator, _value(found[2])
    raise NotEmulated(f"The filter {text[:200]} of Microsoft Graph")


def _value(text: str) -> str:
    return text.replace("''", "'").lower()


def _require_token(request: web.Request) -> None:
    if not request.headers.get("Authorization"):
        refused: ArmError = Unauthorized()
        refused.code = "InvalidAuthenticationToken"
        raise refused


def _answer(request: web.Request, kind: str, value: list[dict[str, Any]]) -> web.Response:
    context = f"{request.url.origin()}/v1.0/$metadata#{kind}"
    return web.json_response({"@odata.context": context, "value": value})
