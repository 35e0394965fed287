"""Errors of the plugin, in azure-native's wording.

    PluginError                 the engine shows its text
    ├── RefusedError            ARM's answer: `Status=404 Code="ResourceNotFound" Message="..."`
    ├── ExistsError             `cannot create already existing resource '<id>'`
    ├── UnreachableError        the local Azure does not answer, or the shell is not configured for it
    ├── CancelledError          the engine asked the plugin to stop
    ├── InitFailedError         ARM accepted the resource, but the operation failed: the engine keeps what exists
    └── NotEmulatedError        a type or function that the local Azure does not have

The rendering of an ARM error was read in azure-native's source (provider/pkg/azure/client_azcore.go @006a62af,
`PulumiAzcoreResponseError.Error`): the code part is left out if the answer has no code, the message is not escaped,
and an answer that is not `{"error": {"message"}}` gives its whole body as the message. `getX` functions put `request
failed <id>: ` before it (provider.go, Invoke). Never seen in the output of a run against the real Azure. To detect a
missing resource, search for `Status=404`.
"""

from collections.abc import Mapping
from typing import Any


class PluginError(Exception):
    """A call that failed; the text is for the user."""


class RefusedError(PluginError):
    """ARM refused a request, or its operation failed."""

    def __init__(self, status: int, code: str, message: str) -> None:
        self.status = status
        self.code = code
        self.message = message
        code_part = f'Code="{code}" ' if code else ""
        super().__init__(f'Status={status} {code_part}Message="{message}"')


class ExistsError(PluginError):
    """The resource to be created already exists."""

    def __init__(self, resource_id: str) -> None:
        super().__init__(f"cannot create already existing resource '{resource_id}'")


class UnreachableError(PluginError):
    """The local Azure cannot be reached."""


class CancelledError(PluginError):
    """The engine cancelled the operation."""


class InitFailedError(PluginError):
    """The resource exists, but the operation that creates or changes it failed."""

    def __init__(
        self, reason: str, resource_id: str, state: Mapping[str, Any] | None, inputs: Mapping[str, Any]
    ) -> None:
        super().__init__(reason)
        self.resource_id = resource_id
        self.state = state
        self.inputs = inputs


class NotEmulatedError(PluginError):
    """The local Azure does not have this."""

    def __init__(self, what: str, known: str) -> None:
        super().__init__(
            f"NotEmulated: the local Azure does not emulate {what}. {known} Coverage: localazure/COVERAGE.md. "
            "Remove it from the local stack, or use a real subscription."
        )


def arm_error(status: int, body: bytes) -> RefusedError:
    """The error that an ARM answer describes."""
    import json

    text = body.decode(errors="replace")
    try:
        payload = json.loads(text)
    except ValueError:
        payload = None
    if not isinstance(payload, dict):
        return RefusedError(status, "", text)
    error = payload.get("error")
    inner = error if isinstance(error, dict) else payload
    code = inner.get("code")
    message = error.get("message") if isinstance(error, dict) else None
    return RefusedError(status, code if isinstance(code, str) else "", message if isinstance(message, str) else text)
