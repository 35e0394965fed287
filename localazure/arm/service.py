"""ARM over HTTP: authentication, api-version, paths, JSON, and which behaviour answers.

A request that the route table does not know is about one resource, one list or one action on a resource; rules of types
are in `localazure.arm.namespaces`.
"""

from __future__ import annotations

import inspect
import json
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NoReturn
from urllib.parse import unquote

from aiohttp import web

from localazure import identity
from localazure.arm import tenant
from localazure.arm.api_versions import check_api_version, check_own_version, require_version
from localazure.arm.behaviour import Behaviour
from localazure.arm.body_check import check_body
from localazure.arm.conditions import check_conditions
from localazure.arm.control_plane import ControlPlane
from localazure.arm.listing import page
from localazure.arm.locks import refuse_if_locked
from localazure.arm.permissions import Permissions
from localazure.arm.reply import JsonNull, Reply, Request
from localazure.arm.resource_manager import full_path, route_table
from localazure.arm.routes import Route, compile_pattern
from localazure.arm.timing import time_text
from localazure.callers import ExpiredToken, Workload, bearer_token, workload_of
from localazure.errors import ArmError, BadRequest, NotEmulated, NotFound, Unauthorized, machine_learning_body
from localazure.relaxed_json import strict_json
from localazure.requests import read_body, read_json
from localazure.resource_id import ResourceId, split_path

_SLASHES = re.compile("/{2,}")
_READS = ("GET", "HEAD")
# Beginnings of paths.
_IN_REGION = compile_pattern("/subscriptions/{subscription}/providers/{namespace}/locations/{location}")
_IN_WORKSPACE = compile_pattern(
    "/subscriptions/{subscription}/resourceGroups/{group}/providers/{namespace}/workspaces/{workspace}"
)
_ROOTS = ("subscriptions", "tenants", "providers")


class ArmService:
    """Answers every request below /subscriptions, /tenants and /providers."""

    def __init__(self, plane: ControlPlane) -> None:
        self._plane = plane
        self._routes = route_table(plane)
        self._permissions = Permissions(plane.roles)
        self._in_tenant = {one.shape.arm.lower(): one for one in plane.behaviours() if one.in_tenant}

    async def handle(self, http: web.Request) -> web.Response:
        try:
            reply = await self._answer(http)
        except ArmError as error:
            reply = Reply(error.status, self._error_body(http, error), error.headers)
        return self._response(http, reply)

    def _error_body(self, http: web.Request, error: ArmError) -> dict[str, Any]:
        target = ResourceId(http.path.rstrip("/"))
        # Of what hangs on a resource (metrics, settings) another service answers.
        if target.namespace.lower() != "microsoft.machinelearningservices":
            return error.body()
        location = "global"
        if in_region := _IN_REGION.match(target.key):
            location = in_region["location"]
        elif in_workspace := _IN_WORKSPACE.match(target.key):
            workspace = self._plane.store.get(in_workspace[0])
            location = self._plane.location_for(workspace) if workspace else location
        return machine_learning_body(error, location, time_text(self._plane.clock()))

    async def _answer(self, http: web.Request) -> Reply:
        workload = self._workload(http)
        api_version = _read_api_version(http.query)
        # Clients that are given an empty parent path write two slashes.
        segments = split_path(_SLASHES.sub("/", unquote(http.rel_url.raw_path, errors="strict")))
        body = _read_json(await read_body(http), segments) if http.method in ("PUT", "PATCH", "POST") else {}
        agent = http.headers.get("User-Agent", "")
        resource_id = ResourceId(_path_of(segments))
        caller = workload.client_id if workload else identity.CALLER_NAME
        request = Request(http.method, resource_id, api_version, body, http.query, caller, agent)
        found = self._routes.find(request)
        if _is_own(segments) and (found is None or found[0].is_own):
            check_own_version(api_version, self._plane.clock())
        in_subscription = segments[0].lower() == "subscriptions"
        if in_subscription and len(segments) > 1:
            _check_subscription(segments[1])
        if workload is not None:
            self._permissions.check(workload, request)
        if found is not None:
            reply = await self._routed(http, *found)
        elif in_subscription:
            reply = await self._in_subscription(http, request)
        else:
            reply = self._of_tenant(request)
        return reply if workload is None else self._permissions.visible(workload, request, reply)

    def _workload(self, http: web.Request) -> Workload | None:
        """The workload identity that asks; None for the caller. Raises Unauthorized without a token in time."""
        given = http.headers.get("Authorization")
        if not given:
            raise Unauthorized
        try:
            return workload_of(bearer_token(given), self._plane.token_secret, self._plane.clock())
        except ExpiredToken:
            raise ArmError("ExpiredAuthenticationToken", "The access token has expired.", status=401) from None

    async def _routed(self, http: web.Request, route: Route, request: Request) -> Reply:
        reply = route.handler(request)
        if inspect.isawaitable(reply):
            reply = await reply
        return self._paged(http, reply) if route.of_type and http.method == "GET" else reply

    async def _in_subscription(self, http: web.Request, request: Request) -> Reply:
        """One resource, the list that a path which ends in a type asks for, or an action on a resource."""
        if request.id.type:
            return await self._resource(http, request)
        if request.method == "GET":
            return self._paged(http, self._list(request))
        target, _, action = request.id.text.rpartition("/")
        target_id = ResourceId(target)
        if request.method != "POST" or not target_id.type:
            _refuse(request.method, request.id.text)
        behaviour = self._behaviour(target_id.type, request.api_version)
        reply = behaviour.act(action, replace(request, id=target_id))
        return await reply if inspect.isawaitable(reply) else reply

    def _of_tenant(self, request: Request) -> Reply:
        """A resource that has no subscription in its path."""
        behaviour = self._in_tenant.get(request.id.type)
        if behaviour is None or request.method not in _READS:
            _refuse(request.method, request.id.text)
        return behaviour.get(request)

    def _behaviour(self, arm_type: str, api_version: str, location: Any = None) -> Behaviour:
        """Raises NotEmulated for an unknown type, BadRequest for a version that the type never had."""
        behaviour = self._plane.behaviour(arm_type)
        check_api_version(
            behaviour.shape.arm, api_version, self._plane.clock(), location if isinstance(location, str) else ""
        )
        return behaviour

    async def _resource(self, http: web.Request, request: Request) -> Reply:
        behaviour = self._behaviour(request.id.type, request.api_version, request.body.get("location"))
        if behaviour.tracked and not request.id.resource_group:
            _refuse(request.method, request.id.text)  # a resource outside of every group
        if request.method in _READS:
            reply = behaviour.get(request)
            return reply if request.method == "GET" else Reply(204)
        writers = {"PUT": behaviour.put, "PATCH": behaviour.patch, "DELETE": behaviour.delete}
        if request.method not in writers:
            _refuse(request.method, request.id.text)
        if request.method == "PUT":
            check_body(behaviour.shape.arm, request.body)
        if request.method == "DELETE":
            refuse_if_locked(self._plane.store, request.id)
        if "If-Match" in http.headers or "If-None-Match" in http.headers:
            check_conditions(http.headers, request, self._plane.store.get(request.id.text))
        reply = writers[request.method](request)
        await behaviour.before_answer(request)
        return reply

    def _list(self, request: Request) -> Reply:
        """GET of a path that ends in a type: children of a resource, or all of a type in a group or subscription."""
        child_id = ResourceId(f"{request.id.text}/-")  # any of what is listed
        if not child_id.namespace or not child_id.type:
            _refuse("GET", request.id.text)
        behaviour = self._behaviour(child_id.type_as_written, request.api_version)
        parent_id = ResourceId(child_id.parent)
        asked = replace(request, id=parent_id)
        if parent_id.type:
            self._require_container(parent_id, child_id.type)
        elif behaviour.lists_only and not behaviour.lists_subscription:
            _refuse("GET", request.id.text)
        elif behaviour.tracked:
            of_type = self._plane.store.of_type(child_id.type)
            found = [item for item in of_type if item.key.startswith(f"{parent_id.key}/")]
            return Reply(200, {"value": [behaviour.read(item, asked) for item in found]})
        return behaviour.list_children(parent_id.text, asked)

    def _require_container(self, parent_id: ResourceId, arm_type: str) -> None:
        """Lists below a missing resource are ARM's 404; containers of assets answer for themselves."""
        if arm_type.endswith("/versions"):
            parent_id = ResourceId(parent_id.parent)
        if self._plane.store.get(parent_id.text) is None:
            self._plane.behaviour(parent_id.type).find(parent_id, "read")

    def _paged(self, http: web.Request, reply: Reply) -> Reply:
        """A list cut to the size that was asked for. Assets of Machine Learning know `$top` themselves."""
        values = reply.body.get("value") if isinstance(reply.body, dict) else None
        if not isinstance(values, list):
            return reply
        assets = "/microsoft.machinelearningservices/" in http.path.lower()
        url = f"{self._plane.base_url}{http.rel_url.raw_path}"
        body = page(values, http.query, url, size="count" if assets else "$top")
        return Reply(reply.status, reply.body | body, reply.headers)

    def _response(self, http: web.Request, reply: Reply) -> web.Response:
        request_id = str(uuid.uuid4())
        headers = {
            "Cache-Control": "no-cache",
            "Pragma": "no-cache",
            "Expires": "-1",
            "X-Content-Type-Options": "nosniff",
            "x-ms-request-id": request_id,
            "x-ms-correlation-request-id": request_id,
            "x-ms-routing-request-id": f"LOCAL:{request_id}",
            **reply.headers,
        }
        if client_id := http.headers.get("x-ms-client-request-id"):
            headers["x-ms-client-request-id"] = client_id
        if reply.body is None:
            return web.Response(status=reply.status, headers=headers)
        text = "null" if isinstance(reply.body, JsonNull) else json.dumps(reply.body)
        return web.Response(status=reply.status, text=text, headers=headers, content_type="application/json")


def _refuse(method: str, path: str) -> NoReturn:
    raise NotEmulated(f"{method} {path[:200]}")


def _read_api_version(query: Mapping[str, str]) -> str:
    version = next((value for name, value in query.items() if name.lower() == "api-version"), "")
    require_version(version)
    return version


def _path_of(segments: Sequence[str]) -> str:
    """The path of a request with its provider, and with `providers` as Azure spells it: what follows looks for it."""
    return full_path("/" + "/".join("providers" if one.lower() == "providers" else one for one in segments))


def _is_own(segments: Sequence[str]) -> bool:
    """Whether a path names no resource of a provider."""
    lower = [segment.lower() for segment in segments]
    return "providers" not in lower or len(lower) - lower.index("providers") <= 2


def _check_subscription(name: str) -> None:
    if name.lower() == identity.FOREIGN_SUBSCRIPTION_ID:
        # Verbatim, from many public reports (Azure/LogicAppsUX#9068, microsoft/vscode-azureappservice#2095).
        own, other = (f"https://sts.windows.net/{one}/" for one in (identity.TENANT_ID, identity.FOREIGN_TENANT_ID))
        raise ArmError(
            "InvalidAuthenticationTokenTenant",
            f"The access token is from the wrong issuer '{own}'. It must match the tenant '{other}' associated with "
            "this subscription. Please use the authority (URL) "
            f"'https://login.windows.net/{identity.FOREIGN_TENANT_ID}' to get the token. Note, if the subscription is "
            "transferred to another tenant there is no impact to the services, but information about new tenant could "
            "take time to propagate (up to an hour). If you just transferred your subscription and see this error "
            "message, please try back later.",
            status=401,
        )
    if name.lower() not in tenant.SUBSCRIPTIONS:
        # Known code; the wording is from memory of ARM.
        raise NotFound("SubscriptionNotFound", f"The subscription '{name}' could not be found.")


def _read_json(raw: bytes, segments: Sequence[str]) -> dict[str, Any]:
    if not raw.strip():
        return {}
    if "microsoft.resources/deployments" in "/".join(segments).lower():
        raw = strict_json(raw.decode(errors="surrogateescape")).encode(errors="surrogateescape")
    body = read_json(raw)
    if body is None:
        return {}
    if not isinstance(body, dict):
        raise BadRequest("InvalidRequestContent", "The request content was invalid: it is not a JSON object.")
    properties = body.get("properties")
    if properties is not None and not isinstance(properties, dict):
        raise BadRequest("InvalidRequestContent", "The request content was invalid: properties is not an object.")
    return body


def is_arm_path(path: str) -> bool:
    """Whether a request belongs here; ARM does not care about case."""
    return path.lower().lstrip("/").split("/", 1)[0] in _ROOTS
