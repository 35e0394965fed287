"""The route table: patterns, methods, and that a type's line in it is all that a request of its own needs."""

from typing import ClassVar

import pytest

from localazure import identity
from localazure.arm.behaviour import Behaviour
from localazure.arm.control_plane import ControlPlane
from localazure.arm.reply import Reply, Request
from localazure.arm.resource_body import Shape
from localazure.arm.resource_manager import ROUTES, full_path, route_table
from localazure.arm.routes import Route, RouteTable
from localazure.resource_id import ResourceId
from tests.localazure.arm.conftest import SUBSCRIPTION
from tests.localazure.conftest import FakeBatch

TABLE = RouteTable(
    Route.read(line, lambda request, line=line: Reply(200, line))
    for line in ("GET /a/{name}", "GET|HEAD /a/{name}/b.c", "* /a/{name}/{kind:one|two}")
)


def request(method: str, path: str) -> Request:
    return Request(method, ResourceId(path), "2021-04-01", {}, {}, identity.CALLER_NAME)


@pytest.mark.parametrize(
    ("method", "path", "line", "parts"),
    [
        ("GET", "/a/x", "GET /a/{name}", {"name": "x"}),
        ("GET", "/A/X", "GET /a/{name}", {"name": "X"}),
        ("HEAD", "/a/x/B.C", "GET|HEAD /a/{name}/b.c", {"name": "x"}),
        ("DELETE", "/a/x/Two", "* /a/{name}/{kind:one|two}", {"name": "x", "kind": "Two"}),
    ],
)
def test_a_line_answers_its_methods_on_its_paths_in_any_case(method, path, line, parts):
    found = TABLE.find(request(method, path))
    assert found is not None
    route, matched = found
    assert route.handler(matched).body == line
    assert matched.parts == parts


@pytest.mark.parametrize(
    ("method", "path"),
    [("HEAD", "/a/x"), ("GET", "/a"), ("GET", "/a/x/y"), ("GET", "/a/x/bxc"), ("GET", "/a/x/three"), ("GET", "/b/a/x")],
)
def test_no_line_answers_anything_else(method, path):
    assert TABLE.find(request(method, path)) is None


def test_a_type_answers_a_route_by_declaring_it(tmp_path, make_plane):
    class Usages(Behaviour):
        def _list_usages(self, request: Request) -> Reply:
            return Reply(200, {"value": [request.parts["location"]]})

        routes: ClassVar = {
            "GET /subscriptions/{subscription}/providers/Example.Service/locations/{location}/usages": _list_usages
        }

    usages = Shape("Example.Service/things")
    plane = ControlPlane(
        tmp_path, "https://localhost:1", make_plane(), FakeBatch(), lambda plane: [Usages(plane, usages)]
    )
    try:
        asked = request("GET", f"{SUBSCRIPTION}/providers/Example.Service/locations/westeurope/usages")
        found = route_table(plane).find(asked)
        assert found is not None
        route, matched = found
        assert route.handler(matched).body == {"value": ["westeurope"]}
        assert not route.is_own
    finally:
        plane.close()


def test_no_two_lines_are_the_same(arm):
    lines = [*ROUTES, *(line for behaviour in arm.plane.behaviours() for line in behaviour.routes)]
    assert len(set(lines)) == len(lines)
    assert len({line.lower() for line in lines}) == len(lines)


def test_the_operations_of_a_template_deployment_need_not_name_their_provider():
    group = f"{SUBSCRIPTION}/resourceGroups/rg1"
    assert (
        full_path(f"{group}/Deployments/d/operations")
        == f"{group}/providers/Microsoft.Resources/Deployments/d/operations"
    )
    assert full_path(f"{group}/deployments/d") == f"{group}/deployments/d"
