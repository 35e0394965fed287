"""Hostile property values, ids and tokens at the plugin: an answer or an error of the plugin, nothing else."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pulumi  # noqa: F401  # first, whole: other tests of this process need more of it than the protocol
import pytest
from google.protobuf.message import Message
from hypothesis import example, given, settings
from hypothesis import strategies as st

from localazure.catalog import RESOURCE_TYPES
from localazure.catalog.shapes import object_type, resource_shape
from localazure.provider.arm_client import ArmClient, Surroundings
from localazure.provider.engine import Engine
from localazure.provider.protocol import load
from localazure.provider.servicer import Servicer
from localazure.provider.wire import encode
from tests.localazure.provider.fake_arm import FakeArm

pytestmark = pytest.mark.integration

messages = load("provider_pb2")
TOKENS = sorted(kind.token for kind in RESOURCE_TYPES)
GROUP = "/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/rg1"
# Each of these calls goes over a socket.
fewer = settings(settings.get_profile("fuzz"), max_examples=settings.get_profile("fuzz").max_examples // 4)


class Aborted(Exception):
    """What the plugin answered instead of a result."""


class Context:
    """The part of gRPC's context that the plugin uses."""

    def abort(self, code: Any, details: str) -> None:
        assert details
        assert "Traceback" not in details
        raise Aborted(details)

    def set_trailing_metadata(self, metadata: Any) -> None:
        assert metadata


@pytest.fixture(scope="module")
def plugin() -> Iterator[Servicer]:
    with FakeArm() as fake:
        client = ArmClient(Surroundings.from_environment(fake.environment()))
        servicer = Servicer(Engine(None), fake.environment(), lambda _: client)
        variables = {"azure-native:config:location": "westeurope"}
        request = messages.ConfigureRequest(
            variables=variables, sends_old_inputs=True, sends_old_inputs_to_delete=True, acceptSecrets=True
        )
        servicer.Configure(request, Context())
        yield servicer
        client.close()


def is_handled(plugin: Servicer, method: str, request: Any) -> bool:
    """Whether the plugin answers with a message or a refusal; what else it raises ends the test."""
    try:
        return isinstance(getattr(plugin, method)(request, Context()), Message)
    except Aborted:
        return True


def fields_of(token: str) -> list[str]:
    return sorted(resource_shape(token)["inputs"]["properties"])


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from([0, -1, 1.5, 2**53, 1e308, math.inf, -math.inf, math.nan]),
    st.sampled_from(
        [
            "",
            "x",
            "../..",
            "a/b",
            "\0",
            "\U0001f600",
            "04da6b54-80e4-46f7-96ec-b56ff0331ba9",
            "4dabf18193072939515e22adb298388d",
        ]
    ),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
)
inner_names = st.sampled_from(
    ["name", "id", "properties", "type", "value", "4dabf18193072939515e22adb298388d", "userAssignedIdentities"]
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(inner_names, inner, max_size=3),
    max_leaves=6,
)


@st.composite
def properties(draw: Any, token: str) -> dict[str, Any]:
    """Inputs whose names are right and whose values are not."""
    chosen = draw(st.lists(st.sampled_from(fields_of(token)), max_size=5, unique=True))
    inputs = {}
    for name in chosen:
        shape = resource_shape(token)["inputs"]["properties"][name]
        if shape.get("ref") and draw(st.booleans()):
            known = sorted(object_type(shape["ref"])["properties"])
            inputs[name] = (
                {inner: draw(values) for inner in draw(st.lists(st.sampled_from(known), max_size=3))} if known else {}
            )
        else:
            inputs[name] = draw(values)
    return inputs


@settings(settings.get_profile("fuzz"))
@given(data=st.data(), token=st.sampled_from(TOKENS))
def test_plans(plugin: Servicer, data: Any, token: str) -> None:
    urn = f"urn:pulumi:dev::sluice::{token}::thing"
    old, new = encode(data.draw(properties(token))), encode(data.draw(properties(token)))
    assert is_handled(
        plugin, "Check", messages.CheckRequest(urn=urn, olds=old, news=new, randomSeed=data.draw(st.binary(max_size=4)))
    )
    assert is_handled(plugin, "Diff", messages.DiffRequest(urn=urn, old_inputs=old, news=new, olds=new))
    assert is_handled(plugin, "Create", messages.CreateRequest(urn=urn, properties=new, preview=True))
    assert is_handled(plugin, "Update", messages.UpdateRequest(urn=urn, olds=old, news=new, preview=True))


@fewer
@given(data=st.data(), token=st.sampled_from(TOKENS))
def test_writes(plugin: Servicer, data: Any, token: str) -> None:
    urn = f"urn:pulumi:dev::sluice::{token}::thing"
    new = encode(data.draw(properties(token)))
    assert is_handled(plugin, "Create", messages.CreateRequest(urn=urn, properties=new))
    assert is_handled(plugin, "Update", messages.UpdateRequest(urn=urn, olds=new, news=new))


ids = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    st.sampled_from(
        [
            "",
            "/",
            GROUP,
            f"{GROUP}/../x",
            f"{GROUP}?a=b",
            f"{GROUP}#x",
            "http://evil.example/x",
            f"{GROUP}\r\nX: y",
            "//",
            f"{GROUP}%00",
        ]
    ),
)


@fewer
@given(token=st.sampled_from(TOKENS), identifier=ids, state=st.dictionaries(inner_names, values, max_size=3))
@example(token=TOKENS[0], identifier="x" * 100_000, state={})
def test_ids(plugin: Servicer, token: str, identifier: str, state: dict[str, Any]) -> None:
    urn = f"urn:pulumi:dev::sluice::{token}::thing"
    assert is_handled(
        plugin, "Read", messages.ReadRequest(urn=urn, id=identifier, properties=encode(state), inputs=encode(state))
    )
    assert is_handled(plugin, "Read", messages.ReadRequest(urn=urn, id=identifier))
    assert is_handled(plugin, "Delete", messages.DeleteRequest(urn=urn, id=identifier))


functions = ["storage:listStorageAccountKeys", "authorization:getClientConfig", "resources:getResourceGroup", "x:getX"]


@fewer
@given(
    urn=st.text(max_size=20)
    | st.sampled_from(["", "urn:pulumi:a::b::c::d", "::::::", f"urn:pulumi:a::b::{TOKENS[0]}"]),
    token=st.text(max_size=10) | st.sampled_from([f"azure-native:{name}" for name in functions]),
    arguments=st.dictionaries(st.sampled_from(["resourceGroupName", "accountName", "x"]), values, max_size=3),
)
def test_names_and_functions(plugin: Servicer, urn: str, token: str, arguments: dict[str, Any]) -> None:
    assert is_handled(plugin, "Check", messages.CheckRequest(urn=urn, news=encode({})))
    assert is_handled(plugin, "Invoke", messages.InvokeRequest(tok=token, args=encode(arguments)))
