"""Create, read, update and delete, in the order of azure-native: existence check, PUT, operation, GET.

Works on plain values. `servicer` handles the engine's side (gRPC, secrets, previews).
"""

import re
import urllib.parse
from collections.abc import Callable
from typing import Any

from localazure.catalog import ResourceType
from localazure.catalog.shapes import Property, ResourceShape, resource_shape
from localazure.provider import convert
from localazure.provider.arm_client import OPERATION_SECONDS, ArmClient
from localazure.provider.diff import merge_changes
from localazure.provider.errors import CancelledError, ExistsError, InitFailedError, PluginError, arm_error
from localazure.provider.wire import Values

_WHOLE_IDS = ("scope", "resourceUri")
"""Path parameters that hold an ARM id."""


def resource_id(kind: ResourceType, inputs: Values, subscription_id: str) -> str:
    """The ARM id that the inputs define."""

    def value(match: re.Match[str]) -> str:
        name = match[1]
        text = subscription_id if name == "subscriptionId" else inputs.get(name)
        if not isinstance(text, str):
            raise PluginError(f"expected string value for path parameter '{name}', got {text!r}")
        return text.strip("/") if name in _WHOLE_IDS else urllib.parse.quote(text, safe="!$&'()*+,;=:@~")

    return re.sub(r"{(\w+)}", value, kind.path)


def body_inputs(kind: ResourceType, shape: ResourceShape) -> dict[str, Property]:
    """The inputs that belong into the body."""
    return {key: prop for key, prop in shape["inputs"]["properties"].items() if key not in kind.parameters}


class Resources:
    """The resources of one subscription."""

    def __init__(self, arm: ArmClient, subscription_id: str, warn: Callable[[str], None]) -> None:
        self._arm = arm
        self._subscription_id = subscription_id
        self._warn = warn

    def create(self, kind: ResourceType, inputs: Values, timeout: float) -> tuple[str, Values]:
        """Creates a resource that does not exist yet; returns its id and its state."""
        shape = resource_shape(kind.token)
        identifier = resource_id(kind, inputs, self._subscription_id)
        body = self._body(kind, shape, inputs)
        if not kind.singleton:
            self._check_absent(kind, identifier)
        for path in shape.get("maintained", ()):
            _set_missing(body, _arm_path(shape, path), [])
        answer = self._put(kind, identifier, body, inputs, timeout)
        answer_id = answer.get("id")
        identifier = answer_id if isinstance(answer_id, str) else identifier
        return identifier, self._state_after(kind, shape, identifier, answer)

    def update(self, kind: ResourceType, old_state: Values, inputs: Values, timeout: float) -> Values:
        """Sends a PUT of the new inputs alone; returns the state."""
        shape = resource_shape(kind.token)
        identifier = resource_id(kind, inputs, self._subscription_id)
        inputs = {
            **{key: value for key, value in shape.get("restored", {}).items() if key in old_state},
            **inputs,
        }
        body = self._body(kind, shape, inputs)
        self._maintain(kind, shape, identifier, body)
        answer = self._put(kind, identifier, body, inputs, timeout)
        return self._state_after(kind, shape, identifier, answer)

    def read(
        self, kind: ResourceType, identifier: str, inputs: Values | None, old: Values
    ) -> tuple[Values, Values] | None:
        """The state and the inputs of a resource as Azure has it; None if it is gone.

        Given inputs are corrected by what changed since the old state. Without inputs (an import), they are derived
        from the answer.
        """
        shape = resource_shape(kind.token)
        answer = self._arm.find(identifier, kind.api_version)
        if answer.status == 404:
            return None
        if answer.status != 200:
            raise arm_error(answer.status, answer.body)
        state = self._outputs(kind, shape, answer.json)
        if inputs is None:
            return state, self._imported_inputs(kind, shape, identifier, answer.json)
        return state, self._refreshed_inputs(kind, shape, inputs, old, state)

    def delete(self, kind: ResourceType, identifier: str, timeout: float) -> None:
        """Deletes a resource; a missing one is not an error."""
        if kind.singleton:
            if self._arm.find(identifier, kind.api_version).status != 404:  # gone with its parent
                self._arm.put(identifier, kind.api_version, {})
            return
        self._arm.delete(
            identifier, kind.api_version, timeout or OPERATION_SECONDS, asynchronous=kind.deletion is not None
        )

    def location_of_group(self, name: str) -> str | None:
        """The region of a resource group; None if it cannot be read."""
        path = f"/subscriptions/{self._subscription_id}/resourceGroups/{urllib.parse.quote(name)}"
        answer = self._arm.find(path, "2020-10-01")  # the version that azure-native reads groups with
        location = answer.json.get("location") if answer.status == 200 else None
        return location if isinstance(location, str) else None

    def _body(self, kind: ResourceType, shape: ResourceShape, inputs: Values) -> Values:
        return convert.to_arm(body_inputs(kind, shape), inputs) or {}

    def _check_absent(self, kind: ResourceType, identifier: str) -> None:
        answer = self._arm.find(identifier, kind.api_version)
        if answer.status == 200 and answer.json:
            raise ExistsError(identifier)
        if answer.status not in (200, 204, 404):
            text = answer.body.decode(errors="replace")
            raise PluginError(f"cannot check existence of resource '{identifier}': status code {answer.status}, {text}")

    def _put(self, kind: ResourceType, identifier: str, body: Values, inputs: Values, timeout: float) -> Values:
        answer = self._arm.put(identifier, kind.api_version, body)
        try:
            if kind.operation is not None or answer.status == 202:
                self._arm.follow_put(answer, identifier, kind.api_version, timeout or OPERATION_SECONDS)
        except PluginError as error:
            raise self._init_failed(kind, identifier, inputs, error) from error
        return answer.json

    def _state_after(self, kind: ResourceType, shape: ResourceShape, identifier: str, answer: Values) -> Values:
        """Read the state with a GET, because a PUT's answer may differ from what a refresh will read."""
        try:
            return self._state(kind, shape, identifier)
        except PluginError as error:
            self._warn(f"Failed to read resource after it was written, so its outputs may be incomplete: {error}")
            return self._outputs(kind, shape, answer)

    def _init_failed(self, kind: ResourceType, identifier: str, inputs: Values, error: PluginError) -> InitFailedError:
        """Azure has the resource, but not as requested: the engine must keep it in its state."""
        reason, state = str(error), None
        try:
            state = self._state(kind, resource_shape(kind.token), identifier)
        except PluginError as read_error:
            if not isinstance(error, CancelledError):
                reason = f"resource created but read failed {read_error}: {reason}"
        return InitFailedError(reason, identifier, state, inputs)

    def _state(self, kind: ResourceType, shape: ResourceShape, identifier: str) -> Values:
        return self._outputs(kind, shape, self._arm.get(identifier, kind.api_version))

    def _outputs(self, kind: ResourceType, shape: ResourceShape, body: Values) -> Values:
        outputs = convert.to_sdk(shape["outputs"], body) or {}
        return outputs | {"azureApiVersion": kind.api_version}

    def _maintain(self, kind: ResourceType, shape: ResourceShape, identifier: str, body: Values) -> None:
        """Keeps the entries that other resources added to arrays which these inputs do not set."""
        paths = [_arm_path(shape, path) for path in shape.get("maintained", ())]
        missing = [path for path in paths if _look_up(body, path) is None]
        live = self._arm.get(identifier, kind.api_version) if missing else {}
        for path in missing:
            value = _look_up(live, path)
            if value is not None:
                _set_missing(body, path, value)

    def _imported_inputs(self, kind: ResourceType, shape: ResourceShape, identifier: str, body: Values) -> Values:
        match = kind.pattern.fullmatch(identifier)
        if match is None:
            raise PluginError(f"resource ID '{identifier}' does not match the path of {kind.token}: {kind.path}")
        inputs: Values = {}
        for key, value in (convert.to_sdk(body_inputs(kind, shape), body) or {}).items():
            kept = convert.without_empty(value)
            if key != "id" and kept is not None:
                inputs[key] = kept
        parts = {
            key: urllib.parse.unquote(value) for key, value in match.groupdict().items() if key != "subscriptionId"
        }
        return inputs | parts

    def _refreshed_inputs(
        self, kind: ResourceType, shape: ResourceShape, inputs: Values, old: Values, state: Values
    ) -> Values:
        old, state = dict(old), dict(state)
        for key, value in shape.get("restored", {}).items():
            if key in inputs and old.get(key) == value:
                del old[key]
        for path in shape.get("maintained", ()):
            if _look_up(inputs, path) is None:
                state = _without(state, path)
        properties = body_inputs(kind, shape)
        before, after = convert.to_inputs(properties, old) or {}, convert.to_inputs(properties, state) or {}
        merged: Values = merge_changes(inputs, before, after)
        return merged


def _arm_path(shape: ResourceShape, path: list[str]) -> list[str]:
    """The path of a top-level or once nested input in the ARM body."""
    top = shape["inputs"]["properties"][path[0]]
    return [*top.get("containers", ()), top.get("arm", path[0]), *path[1:]]


def _look_up(values: Any, path: list[str]) -> Any:
    for name in path:
        values = values.get(name) if isinstance(values, dict) else None
    return values


def _set_missing(body: Values, path: list[str], value: Any) -> None:
    for name in path[:-1]:
        body = body.setdefault(name, {})
    body.setdefault(path[-1], value)


def _without(values: Values, path: list[str]) -> Values:
    if path[0] not in values:
        return values
    inner = values[path[0]]
    if len(path) == 1 or not isinstance(inner, dict):
        return {key: value for key, value in values.items() if key != path[0]}
    return values | {path[0]: _without(inner, path[1:])}
