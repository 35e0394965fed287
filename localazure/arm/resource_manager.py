"""Resource Manager's own routes, one line each: tenants, subscriptions, regions, providers, operations.

A route that belongs to a resource type is in the `routes` of its class.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from localazure.arm import tenant
from localazure.arm.long_running import OPERATION_SEGMENTS
from localazure.arm.regions import locations
from localazure.arm.reply import Reply, Request
from localazure.arm.routes import Route, RouteTable, compile_pattern

if TYPE_CHECKING:
    from localazure.arm.control_plane import ControlPlane

_UNREGISTERED = "unregistered providers"
_SUBSCRIPTION = "/subscriptions/{subscription}"
_GROUP = f"{_SUBSCRIPTION}/resourceGroups/{{group}}"
_OPERATION = f"{{segment:{'|'.join(sorted(OPERATION_SEGMENTS))}}}/{{operation}}"


def _listed(values: list[dict[str, Any]]) -> Reply:
    return Reply(200, {"value": values})


def _provider(plane: ControlPlane, request: Request) -> Reply:
    parts = request.parts
    scope = f"/subscriptions/{parts['subscription']}" if "subscription" in parts else ""
    return Reply(200, tenant.provider(parts["namespace"], plane.types(), scope, _unregistered(plane)))


def _providers(plane: ControlPlane, request: Request) -> Reply:
    scope = f"/subscriptions/{request.parts['subscription']}"
    return _listed(tenant.providers(plane.types(), scope, _unregistered(plane)))


def _unregistered(plane: ControlPlane) -> set[str]:
    """The namespaces that somebody has unregistered, in lower case: here all are registered from the start."""
    return set((plane.store.setting(_UNREGISTERED) or "").split())


def _register(plane: ControlPlane, request: Request) -> Reply:
    return _registered(plane, request, _unregistered(plane) - {request.parts["namespace"].lower()})


def _unregister(plane: ControlPlane, request: Request) -> Reply:
    """Documented: the types of the provider cannot be used afterwards; this is not refused here."""
    return _registered(plane, request, _unregistered(plane) | {request.parts["namespace"].lower()})


def _registered(plane: ControlPlane, request: Request, unregistered: set[str]) -> Reply:
    reply = _provider(plane, request)  # refuses a namespace that is not known
    plane.store.set_setting(_UNREGISTERED, " ".join(sorted(unregistered)))
    return _provider(plane, request) if reply.status == 200 else reply


def _operation(plane: ControlPlane, request: Request) -> Reply:
    parts = request.parts
    return plane.long_running.show(parts["segment"], parts["operation"], request.query.get("type", ""))


ROUTES: Mapping[str, Callable[[ControlPlane, Request], Reply]] = {
    "GET|HEAD /tenants": lambda plane, request: _listed([tenant.tenant()]),
    "GET|HEAD /providers": lambda plane, request: _listed(tenant.providers(plane.types(), "", ())),
    "GET|HEAD /providers/{namespace}": _provider,
    "GET|HEAD /subscriptions": lambda plane, request: _listed(
        [tenant.subscription(one) for one in tenant.SUBSCRIPTIONS]
    ),
    f"GET|HEAD {_SUBSCRIPTION}": lambda plane, request: Reply(
        200, tenant.subscription(request.parts["subscription"].lower())
    ),
    f"GET|HEAD {_SUBSCRIPTION}/locations": lambda plane, request: _listed(locations(request.parts["subscription"])),
    f"GET {_SUBSCRIPTION}/providers": _providers,
    f"GET {_SUBSCRIPTION}/providers/{{namespace}}": _provider,
    f"POST {_SUBSCRIPTION}/providers/{{namespace}}/register": _register,
    f"POST {_SUBSCRIPTION}/providers/{{namespace}}/unregister": _unregister,
    f"* {_SUBSCRIPTION}/providers/{{namespace}}/locations/{{location}}/{_OPERATION}": _operation,
}

# The one collection that Resource Manager serves without naming its own provider.
_WITHOUT_PROVIDER = compile_pattern(f"{_GROUP}/deployments/{{deployment}}/operations")


def full_path(path: str) -> str:
    """A path with its provider, where Resource Manager lets clients leave it out."""
    found = _WITHOUT_PROVIDER.fullmatch(path)
    if not found:
        return path
    group, rest = path[: found.end("group")], path[found.end("group") :]
    return f"{group}/providers/Microsoft.Resources{rest}"


def route_table(plane: ControlPlane) -> RouteTable:
    """Resource Manager's own routes and those that the resource types declare."""
    own = [Route.read(line, partial(answer, plane)) for line, answer in ROUTES.items()]
    of_types = [
        Route.read(line, partial(answer, behaviour), behaviour.shape.arm)
        for behaviour in plane.behaviours()
        for line, answer in behaviour.routes.items()
    ]
    return RouteTable([*own, *of_types])
