"""A plugin served over gRPC and a fake control plane behind it."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import grpc
import pulumi  # noqa: F401  # first, whole: other tests of this process need more of it than the protocol
import pytest

from localazure.provider.arm_client import ArmClient, Surroundings
from localazure.provider.engine import Engine
from localazure.provider.protocol import load
from localazure.provider.server import serve
from localazure.provider.servicer import Servicer, services
from localazure.provider.wire import decode, encode
from tests.localazure.provider.fake_arm import FakeArm

messages = load("provider_pb2")


class Refused(Exception):
    """An error that the plugin answered, with its details."""

    def __init__(self, error: Any) -> None:
        super().__init__(error.details())
        trailers = {key: value for key, value in error.trailing_metadata() or ()}
        self.init_failed = None
        if "grpc-status-details-bin" in trailers:
            rich = load("status_pb2").Status.FromString(trailers["grpc-status-details-bin"])
            self.init_failed = messages.ErrorResourceInitFailed()
            rich.details[0].Unpack(self.init_failed)


@dataclasses.dataclass
class Plugin:
    """The engine's side, in plain values."""

    stub: Any

    def call(self, method: str, request: Any) -> Any:
        try:
            return getattr(self.stub, method)(request)
        except grpc.RpcError as error:
            raise Refused(error) from error

    def configure(self, **config: str) -> Any:
        variables = {f"azure-native:config:{key}": value for key, value in config.items()}
        request = messages.ConfigureRequest(
            variables=variables, sends_old_inputs=True, sends_old_inputs_to_delete=True, acceptSecrets=True
        )
        return self.call("Configure", request)

    def check(self, kind: str, news: dict[str, Any], olds: dict[str, Any] | None = None, **more: Any) -> Any:
        request = messages.CheckRequest(urn=urn(kind), olds=encode(olds or {}), news=encode(news), **more)
        return self.call("Check", request)

    def inputs(
        self, kind: str, news: dict[str, Any], olds: dict[str, Any] | None = None, **more: Any
    ) -> dict[str, Any]:
        return decode(self.check(kind, news, olds, **more).inputs)

    def failures(self, kind: str, news: dict[str, Any]) -> list[str]:
        return [failure.reason for failure in self.check(kind, news).failures]

    def diff(self, kind: str, old: dict[str, Any], new: dict[str, Any], state: dict[str, Any] | None = None) -> Any:
        request = messages.DiffRequest(
            urn=urn(kind), old_inputs=encode(old), news=encode(new), olds=encode(state or {})
        )
        return self.call("Diff", request)

    def create(self, kind: str, inputs: dict[str, Any], *, preview: bool = False) -> tuple[str, dict[str, Any]]:
        request = messages.CreateRequest(urn=urn(kind), properties=encode(inputs), preview=preview)
        answer = self.call("Create", request)
        return answer.id, decode(answer.properties)

    def update(
        self, kind: str, inputs: dict[str, Any], state: dict[str, Any], *, preview: bool = False
    ) -> dict[str, Any]:
        request = messages.UpdateRequest(urn=urn(kind), olds=encode(state), news=encode(inputs), preview=preview)
        return decode(self.call("Update", request).properties)

    def read(
        self, kind: str, identifier: str, inputs: dict[str, Any] | None = None, state: dict[str, Any] | None = None
    ) -> tuple[str, dict[str, Any], dict[str, Any]]:
        request = messages.ReadRequest(
            urn=urn(kind),
            id=identifier,
            properties=encode(state or {}),
            inputs=None if inputs is None else encode(inputs),
        )
        answer = self.call("Read", request)
        return answer.id, decode(answer.properties), decode(answer.inputs)

    def delete(self, kind: str, identifier: str) -> None:
        self.call("Delete", messages.DeleteRequest(urn=urn(kind), id=identifier))

    def invoke(self, token: str, arguments: dict[str, Any]) -> dict[str, Any]:
        request = messages.InvokeRequest(tok=f"azure-native:{token}", args=encode(arguments))
        return decode(getattr(self.call("Invoke", request), "return"))


def urn(kind: str) -> str:
    return f"urn:pulumi:dev::sluice::sluice:index:Endpoint$azure-native:{kind}::thing"


@pytest.fixture
def arm() -> Iterator[FakeArm]:
    with FakeArm() as fake:
        yield fake


@pytest.fixture
def unconfigured(arm: FakeArm) -> Iterator[Plugin]:
    client = ArmClient(Surroundings.from_environment(arm.environment()))
    server, port = serve(Servicer(Engine(None), arm.environment(), lambda _: client))
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield Plugin(services.ResourceProviderStub(channel))
    server.stop(None)
    client.close()


@pytest.fixture
def plugin(unconfigured: Plugin) -> Plugin:
    unconfigured.configure(location="westeurope")
    return unconfigured
