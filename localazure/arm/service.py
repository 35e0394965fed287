"""ARM over HTTP: authentication, api-version, paths, JSON, and which behaviour answers.

Everything that needs no resource type is here; rules of types are in `localazure.arm.namespaces`.
"""

from __future__ import annotations

import inspect
import json
import re
import uuid
from collections.abc import Awaitable, Mapping, Sequence
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
from localazure.arm.namespaces.metrics import MetricValues
from localazure.arm.namespaces.resources import ResourceGroups
from localazure.arm.namespaces.storage import StorageAccounts
from localazure.arm.operations import OPERATION_SEGMENTS
from localazure.arm.regions import locations
from localazure.arm.reply import JsonNull, Reply, Request
from localazure.arm.timing import time_text
from localazure.errors import ArmError, BadRequest, NotEmulated, NotFound, Unauthorized, machine_learning_body
from localazure.relaxed_json import strict_json
from localazure.requests import read_body, read_json
from localazure.resource_id import ResourceId, split_path

_SLASHES = re.compile("/{2,}")
_READS = ("GET", "HEAD")
_ROOTS = ("subscriptions", "tenants", "providers")


class ArmService:
    """Answers every request below /subscriptions, /tenants and /providers."""

    def __init__(self, plane: ControlPlane) -> None:
        self._plane = plane

    async def handle(self, http: web.Request) -> web.Response:
        try:
            reply = await self._answer(http)
        except ArmError as error:
            reply = Reply(error.status, self._error_body(http, error), error.headers)
        return self._response(http, reply)

    def _error_body(self, http: web.Request, error: ArmError) -> dict[str, Any]:
        segments = http.path.lower().strip("/").split("/")
        # Of what hangs on a resource (metrics, settings) another service answers.
        if ResourceId(http.path).namespace.lower() != "microsoft.machinelearningservices":
            return error.body()
        if "locations" in segments[4:5]:
            location = segments[5] if len(segments) > 5 else "global"
        else:
            workspace = self._plane.store.get("/" + "/".join(segments[:8]))
            location = self._plane.location_for(workspace) if workspace else "global"
        return machine_learning_body(error, location, time_text(self._plane.clock()))

    async def _answer(self, http: web.Request) -> Reply:
        if not http.headers.get("Authorization"):
            raise Unauthorized
        api_version = _read_api_version(http.query)
        # Clients that are given an empty parent path write two slashes.
        segments = split_path(_SLASHES.sub("/", unquote(http.rel_url.raw_path, errors="strict")))
        body = _read_json(await read_body(http), segments) if http.method in ("PUT", "PATCH", "POST") else {}
        if _is_own(segments):
            check_own_version(api_version, self._plane.clock())
        if segments[0].lower() != "subscriptions":
            return self._of_tenant(http, segments, api_version)
        if len(segments) == 1:
            return _read_only(http, {"value": [tenant.subscription()]})
        if segments[1].lower() != identity.SUBSCRIPTION_ID:
            # Known code; the wording is from memory of ARM.
            raise NotFound("SubscriptionNotFound", f"The subscription '{segments[1]}' could not be found.")
        if len(segments) == 2:
            return _read_only(http, tenant.subscription())
        if [segment.lower() for segment in segments[2:]] == ["locations"]:
            return _read_only(http, {"value": locations(identity.SUBSCRIPTION_ID)})
        reply = self._route(http, segments, api_version, body)
        return await reply if inspect.isawaitable(reply) else reply

    def _route(
        self, http: web.Request, segments: list[str], api_version: str, body: dict[str, Any]
    ) -> Reply | Awaitable[Reply]:
        lower = [segment.lower() for segment in segments]
        if (
            len(segments) == 8
            and lower[2] == "providers"
            and lower[4] == "locations"
            and lower[6] in OPERATION_SEGMENTS
        ):
            return self._plane.operations.show(segments[6], segments[7], http.query.get("type", ""))
        if len(segments) == 7 and lower[2] == "resourcegroups" and lower[4::2] == ["deployments", "operations"]:
            # The one collection that Resource Manager serves without naming its own provider.
            segments = [*segments[:4], "providers", "Microsoft.Resources", *segments[4:]]
        # As Azure spells it: what follows looks for it.
        segments = ["providers" if segment.lower() == "providers" else segment for segment in segments]
        path = "/" + "/".join(segments)
        resource_id = ResourceId(path)

        def request_for(target: ResourceId) -> Request:
            agent = http.headers.get("User-Agent", "")
            return Request(http.method, target, api_version, body, http.query, identity.CALLER_NAME, agent)

        if resource_id.type:
            return self._resource(http, request_for(resource_id))
        if lower[2:] == ["resourcegroups"] and http.method == "GET":
            groups = self._behaviour("microsoft.resources/resourcegroups", api_version)
            return self._paged(http, groups.list_children("", request_for(resource_id)))
        if lower[-1] == "resources" and "providers" not in lower and http.method == "GET":
            return self._paged(http, self._list_contents(ResourceId("/" + "/".join(segments[:-1])), http.query))
        if lower[2] == "providers" and (len(segments) < 5 or (len(segments) == 5 and http.method == "POST")):
            return self._of_provider(http.method, segments, body)
        if lower[2:] == ["metrics:getbatch"] and http.method == "POST":
            metrics = self._plane.behaviour("microsoft.insights/metrics")
            assert isinstance(metrics, MetricValues)
            return metrics.batch(request_for(resource_id))
        if http.method == "GET":
            return self._paged(http, self._list(resource_id, request_for))
        if http.method == "POST":
            target = ResourceId("/" + "/".join(segments[:-1]))
            if target.type:
                return self._behaviour(target.type, api_version).act(segments[-1], request_for(target))
        return _refuse(http.method, path)

    def _of_tenant(self, http: web.Request, segments: list[str], api_version: str) -> Reply:
        """What has no subscription in its path: tenants, providers, definitions of built-in roles."""
        resource_id = ResourceId("/" + "/".join(segments))
        if segments[0].lower() == "tenants" and len(segments) == 1:
            return _read_only(http, {"value": [tenant.tenant()]})
        if segments[0].lower() == "providers" and len(segments) == 1:
            return _read_only(http, {"value": tenant.providers(self._plane.types(), "")})
        if segments[0].lower() == "providers" and len(segments) == 2:
            return _read_only(http, tenant.provider(segments[1], self._plane.types(), ""))
        if resource_id.type == "microsoft.authorization/roledefinitions" and http.method in _READS:
            request = Request(http.method, resource_id, api_version, {}, http.query, identity.CALLER_NAME)
            return self._plane.behaviour(resource_id.type).get(request)
        return _refuse(http.method, resource_id.text)

    def _of_provider(self, method: str, segments: list[str], body: dict[str, Any]) -> Reply:
        """`/subscriptions/{id}/providers`, one provider, or an action of it that names no resource."""
        scope, types = f"/subscriptions/{segments[1]}", self._plane.types()
        namespace, action = [*segments[3:], "", ""][:2]
        asked = (method, action.lower())
        if method == "GET" and not namespace:
            return Reply(200, {"value": tenant.providers(types, scope)})
        if namespace and asked in (("GET", ""), ("POST", "register")):
            return Reply(200, tenant.provider(namespace, types, scope))
        if (*asked, namespace.lower()) == ("POST", "checknameavailability", "microsoft.storage"):
            accounts = self._plane.behaviour("microsoft.storage/storageaccounts")
            assert isinstance(accounts, StorageAccounts)
            return Reply(200, accounts.check_name(str(body.get("name", ""))))
        return _refuse(method, "/" + "/".join(segments))

    def _behaviour(self, arm_type: str, api_version: str, location: Any = None) -> Behaviour:
        """Raises NotEmulated for an unknown type, BadRequest for a version that the type never had."""
        behaviour = self._plane.behaviour(arm_type)
        check_api_version(
            behaviour.shape.arm, api_version, self._plane.clock(), location if isinstance(location, str) else ""
        )
        return behaviour

    def _resource(self, http: web.Request, request: Request) -> Reply:
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
        if "If-Match" in http.headers or "If-None-Match" in http.headers:
            check_conditions(http.headers, request, self._plane.store.get(request.id.text))
        return writers[request.method](request)

    def _list(self, collection: ResourceId, request_for: Any) -> Reply:
        """GET of a path that ends in a type: children of a resource, or all of a type in a group or subscription."""
        scope, _, rest = collection.text.rpartition("/providers/")
        namespace, *segments = rest.split("/")
        if not scope or len(segments) % 2 == 0:
            return _refuse("GET", collection.text)
        arm_type = "/".join([namespace, *segments[0::2]])
        behaviour = self._behaviour(arm_type, request_for(collection).api_version)
        parent = f"{scope}/providers/{namespace}/" + "/".join(segments[:-1]) if len(segments) > 1 else scope
        parent_id = ResourceId(parent)
        if not parent_id.type and behaviour.lists_only and not behaviour.lists_subscription:
            _refuse("GET", collection.text)
        if not parent_id.type and behaviour.tracked:
            found = [item for item in self._plane.store.of_type(arm_type) if item.key.startswith(scope.lower() + "/")]
            request = request_for(parent_id)
            return Reply(200, {"value": [behaviour.read(item, request) for item in found]})
        if parent_id.type:
            self._require_container(parent_id, arm_type)
        return behaviour.list_children(parent, request_for(parent_id))

    def _require_container(self, parent_id: ResourceId, arm_type: str) -> None:
        """Lists below a missing resource are ARM's 404; containers of assets answer for themselves."""
        if arm_type.lower().endswith("/versions"):
            parent_id = ResourceId(parent_id.parent)
        if self._plane.store.get(parent_id.text) is None:
            self._plane.behaviour(parent_id.type).find(parent_id, "read")

    def _list_contents(self, scope: ResourceId, query: Mapping[str, str]) -> Reply:
        groups = self._plane.behaviour("microsoft.resources/resourcegroups")
        assert isinstance(groups, ResourceGroups)
        if scope.type:
            groups.find(scope, "read")
        elif len(split_path(scope.text)) != 2:
            _refuse("GET", f"{scope.text}/resources")
        return Reply(200, {"value": groups.list_contents(scope.text, query)})

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


def _is_own(segments: Sequence[str]) -> bool:
    """Whether Resource Manager itself answers a path: it names no resource of a provider and is not that of metrics."""
    lower = [segment.lower() for segment in segments]
    if lower[2:] == ["metrics:getbatch"]:
        return False
    return "providers" not in lower or len(lower) - lower.index("providers") <= 2


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


def _read_only(http: web.Request, body: dict[str, Any]) -> Reply:
    if http.method not in _READS:
        _refuse(http.method, http.path)
    return Reply(200, body)


def is_arm_path(path: str) -> bool:
    """Whether a request belongs here; ARM does not care about case."""
    return path.lower().lstrip("/").split("/", 1)[0] in _ROOTS
