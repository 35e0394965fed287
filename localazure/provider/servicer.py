"""The gRPC service: translates the engine's calls into plain values, and answers and errors into Pulumi's protocol.

The capabilities are those of azure-native: no secrets, no resource references, previews, autonaming configuration;
Handshake, Parameterize, Construct and Call are not implemented (the engine tolerates it), and there is no schema to
generate code from.
"""

import functools
from collections.abc import Callable
from typing import Any, Literal

import grpc
from google.protobuf import any_pb2, empty_pb2

from localazure.catalog import RESOURCE_TYPES, ResourceType, by_token
from localazure.catalog.shapes import resource_shape
from localazure.provider import check, convert, diff
from localazure.provider.arm_client import ArmClient
from localazure.provider.engine import Engine
from localazure.provider.errors import InitFailedError, NotEmulatedError, PluginError
from localazure.provider.invokes import Invokes
from localazure.provider.protocol import load
from localazure.provider.resources import Resources
from localazure.provider.wire import Values, decode, encode

plugin, provider, status = load("plugin_pb2"), load("provider_pb2"), load("status_pb2")
services = load("provider_pb2_grpc")
_Base: Any = services.ResourceProviderServicer

VERSION = "3.29.0"
"""The azure-native version that this plugin emulates; the SDK requests exactly this version."""

_CONFIG_PREFIX = "azure-native:config:"
_STABLE_OUTPUTS = ("name", "location")


def _translating_errors(method: Callable[..., Any]) -> Callable[..., Any]:
    """Turns the plugin's errors into gRPC's."""

    @functools.wraps(method)
    def call(self: "Servicer", request: Any, context: grpc.ServicerContext) -> Any:
        try:
            return method(self, request)
        except InitFailedError as error:
            detail = any_pb2.Any()
            detail.Pack(
                provider.ErrorResourceInitFailed(
                    id=error.resource_id,
                    properties=encode(error.state or {}),
                    reasons=[str(error)],
                    inputs=encode(error.inputs),
                )
            )
            code = grpc.StatusCode.UNKNOWN
            rich = status.Status(code=code.value[0], message=str(error), details=[detail])
            context.set_trailing_metadata((("grpc-status-details-bin", rich.SerializeToString()),))
            context.abort(code, str(error))
        except PluginError as error:
            context.abort(grpc.StatusCode.UNKNOWN, str(error))

    return call


def _kind(urn: str) -> ResourceType:
    parts = urn.split("::")
    if len(parts) < 4:
        raise PluginError(f"{urn[:100]!r} is not the URN of a resource")
    token = parts[2].split("$")[-1]
    kind = by_token(token)
    if kind is None:
        known = ", ".join(sorted(kind.token.removeprefix("azure-native:") for kind in RESOURCE_TYPES))
        raise NotEmulatedError(f"the resource type {token}", f"It has: {known}.")
    return kind


class Servicer(_Base):  # type: ignore[misc]  # generated code without types
    """azure-native for the local Azure."""

    def __init__(
        self, engine: Engine, environment: dict[str, str], connect: Callable[[dict[str, str]], ArmClient]
    ) -> None:
        self._engine = engine
        self._environment = environment
        self._connect = connect
        self._config: dict[str, str] = {}
        self._group_locations: dict[str, str | None] = {}
        self._client: ArmClient | None = None

    # --- the plugin itself

    def GetPluginInfo(self, request: Any, context: Any) -> Any:
        return plugin.PluginInfo(version=VERSION)

    def Attach(self, request: Any, context: Any) -> Any:
        return empty_pb2.Empty()

    def CheckConfig(self, request: Any, context: Any) -> Any:
        return provider.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: Any, context: Any) -> Any:
        return provider.DiffResponse()

    @_translating_errors
    def Configure(self, request: Any) -> Any:
        if not (request.sends_old_inputs and request.sends_old_inputs_to_delete):
            raise PluginError("Azure Native provider requires Pulumi CLI v3.74.0 or later")
        self._config = {key.removeprefix(_CONFIG_PREFIX): value for key, value in request.variables.items()}
        self._client = self._connect(self._environment)
        return provider.ConfigureResponse(
            acceptSecrets=False, acceptResources=False, supportsPreview=True, supports_autonaming_configuration=True
        )

    def GetSchema(self, request: Any, context: Any) -> Any:
        text = "the local Azure's azure-native has no schema, so no code can be generated. Add --generate-code=false."
        context.abort(grpc.StatusCode.UNIMPLEMENTED, text)

    def Cancel(self, request: Any, context: Any) -> Any:
        if self._client is not None:
            self._client.cancel()
        return empty_pb2.Empty()

    # --- resources

    @_translating_errors
    def Check(self, request: Any) -> Any:
        kind = _kind(request.urn)
        shape = resource_shape(kind.token)
        olds, news = decode(request.olds), decode(request.news)
        defaults = check.Defaults(
            urn_name=request.urn.split("::")[-1],
            random_seed=request.randomSeed,
            autonaming=_autonaming(request),
            location=self._default_location,
        )
        inputs = check.apply_defaults(kind, shape, olds, news, defaults)
        failures = [provider.CheckFailure(reason=reason) for reason in check.validate(kind, shape, inputs)]
        return provider.CheckResponse(inputs=encode(inputs), failures=failures)

    @_translating_errors
    def Diff(self, request: Any) -> Any:
        kind = _kind(request.urn)
        old = decode(request.old_inputs)
        difference = diff.compare(kind, resource_shape(kind.token), old, decode(request.news), decode(request.olds))
        if not difference.detailed:
            return provider.DiffResponse(changes=provider.DiffResponse.DIFF_NONE)
        difference = diff.with_random_name(difference, old)
        detailed = {
            path: provider.PropertyDiff(kind=provider.PropertyDiff.Kind.Value(change), inputDiff=True)
            for path, change in difference.detailed.items()
        }
        return provider.DiffResponse(
            changes=provider.DiffResponse.DIFF_SOME,
            replaces=difference.replaces,
            deleteBeforeReplace=difference.delete_before_replace,
            diffs=difference.changed,
            detailedDiff=detailed,
            hasDetailedDiff=True,
        )

    @_translating_errors
    def Create(self, request: Any) -> Any:
        kind = _kind(request.urn)
        inputs = decode(request.properties)
        if request.preview:
            outputs = convert.preview(resource_shape(kind.token)["outputs"], inputs)
            return provider.CreateResponse(properties=encode(outputs))
        identifier, state = self._resources().create(kind, inputs, request.timeout)
        return provider.CreateResponse(id=identifier, properties=encode(state))

    @_translating_errors
    def Update(self, request: Any) -> Any:
        kind = _kind(request.urn)
        inputs, old_state = decode(request.news), decode(request.olds)
        if request.preview:
            outputs = convert.preview(resource_shape(kind.token)["outputs"], inputs)
            outputs |= {key: old_state[key] for key in _STABLE_OUTPUTS if key in old_state}
            return provider.UpdateResponse(properties=encode(outputs))
        state = self._resources().update(kind, old_state, inputs, request.timeout)
        return provider.UpdateResponse(properties=encode(state))

    @_translating_errors
    def Read(self, request: Any) -> Any:
        kind = _kind(request.urn)
        inputs = decode(request.inputs) if request.HasField("inputs") else None
        found = self._resources().read(kind, request.id, inputs, decode(request.properties))
        if found is None:
            return provider.ReadResponse(id="")
        state, inputs = found
        return provider.ReadResponse(id=request.id, properties=encode(state), inputs=encode(inputs))

    @_translating_errors
    def Delete(self, request: Any) -> Any:
        self._resources().delete(_kind(request.urn), request.id, request.timeout)
        return empty_pb2.Empty()

    # --- functions

    @_translating_errors
    def Invoke(self, request: Any) -> Any:
        functions = Invokes(self._arm(), self._subscription_id())
        result = functions.call(request.tok, decode(request.args))
        return provider.InvokeResponse(**{"return": encode(result)})

    # --- settings from Configure

    def _arm(self) -> ArmClient:
        if self._client is None:
            # The engine does not configure a provider while its configuration is unknown.
            raise PluginError(
                "the provider is not configured, because its configuration is unknown in this preview. "
                "Fix: set azure-native:* in the stack config to plain values."
            )
        return self._client

    def _resources(self) -> Resources:
        return Resources(self._arm(), self._subscription_id(), self._engine.warn)

    def _subscription_id(self) -> str:
        subscription = self._config.get("subscriptionId") or self._environment.get("ARM_SUBSCRIPTION_ID")
        if not subscription:
            raise PluginError(
                "no subscription: neither azure-native:subscriptionId nor ARM_SUBSCRIPTION_ID is set. "
                'Run `eval "$(sluice local env)"` in this shell.'
            )
        return subscription

    def _default_location(self, olds: Values, news: Values) -> Any:
        return check.default_location(olds, news, self._config.get("location"), self._location_of_group)

    def _location_of_group(self, name: str) -> str | None:
        if self._group_locations.get(name) is None:
            self._group_locations[name] = self._resources().location_of_group(name)
        return self._group_locations[name]


def _autonaming(request: Any) -> check.Autonaming | None:
    if not request.HasField("autonaming"):
        return None
    modes: tuple[Literal["propose", "enforce", "disable"], ...] = ("propose", "enforce", "disable")
    return check.Autonaming(modes[request.autonaming.mode], request.autonaming.proposed_name)
