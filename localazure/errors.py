"""The refusals of ARM and its services.

    ArmError                     status, code, message as sent
    |- Unauthorized              no Authorization header
    |- BadRequest                the request breaks a rule
    |- NotFound                  the resource, or something it names
    |- Conflict                  not now, or not over what is there
    |- NotEmulated               Azure would do it, but this local Azure does not (501, never retried, never "absent")

    OperationFailed              an accepted operation that ends with `status: Failed`

Where an error is raised, a comment marks messages that are verbatim from recordings or Microsoft's own pages; all other
wording is this project's own.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

# Codes of errors that ARM itself returns; the service behind it returns all others, with more details.
GATEWAY_CODES = frozenset(
    {
        "AuthenticationFailed",
        "CannotSetResourceIdentity",
        "InvalidApiVersionParameter",
        "InvalidRequestContent",
        "InvalidRequestUri",
        "InvalidResourceId",
        "InvalidResourceLocation",
        "InvalidTagName",
        "InvalidTagNameCharacters",
        "InvalidTagValueLength",
        "InvalidTags",
        "LocationNotAvailableForResourceGroup",
        "LocationNotAvailableForResourceType",
        "LocationRequired",
        "MissingApiVersionParameter",
        "NoRegisteredProviderFound",
        "NotEmulated",
        "ParentResourceNotFound",
        "ResourceGroupNotFound",
        "ResourceNotFound",
        "SubscriptionNotFound",
    }
)
COVERAGE_HINT = "What the local Azure does is listed in localazure/COVERAGE.md."


class ArmError(Exception):
    """An answer with an error body."""

    status = 400

    def __init__(
        self,
        code: str,
        message: str,
        *,
        details: Sequence[Mapping[str, Any]] = (),
        status: int | None = None,
        target: str = "",
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.details = [dict(detail) for detail in details]
        self.target = target
        self.headers: dict[str, str] = {}
        if status is not None:
            self.status = status

    def body(self) -> dict[str, Any]:
        error: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.target:
            error["target"] = self.target
        if self.details:
            error["details"] = self.details
        return {"error": error}


class Unauthorized(ArmError):
    """The request has no credentials."""

    status = 401

    def __init__(self) -> None:
        super().__init__("AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing.")
        self.headers["WWW-Authenticate"] = 'Bearer authorization_uri="", error="invalid_token"'


class BadRequest(ArmError):
    """The request breaks a rule of the service."""

    status = 400


class Unwrapped(BadRequest):
    """The request breaks a rule of a service that does not wrap its errors in an `error` object (autoscale)."""

    def body(self) -> dict[str, Any]:
        return {"code": self.code, "message": self.message}


class NotFound(ArmError):
    """The resource, its parent or its group does not exist."""

    status = 404

    @classmethod
    def resource(cls, relative: str, resource_group: str) -> NotFound:
        """ARM's own 404, verbatim."""
        error = cls(
            "ResourceNotFound",
            f"The Resource '{relative}' under resource group '{resource_group}' was not found. "
            "For more details please go to https://aka.ms/ARMResourceNotFoundFix",
        )
        error.headers["x-ms-failure-cause"] = "gateway"
        return error

    @classmethod
    def resource_group(cls, name: str) -> NotFound:
        """Known code; the wording is from memory of ARM."""
        error = cls("ResourceGroupNotFound", f"Resource group '{name}' could not be found.")
        error.headers["x-ms-failure-cause"] = "gateway"
        return error

    @classmethod
    def parent(cls, relative_type: str, parent: str, verb: str) -> NotFound:
        """Known code; the wording is from memory of ARM."""
        return cls(
            "ParentResourceNotFound",
            f"Failed to perform '{verb}' on resource(s) of type '{relative_type}', "
            f"because the parent resource '{parent}' could not be found.",
        )

    @classmethod
    def service(cls, code: str, message: str, *, outer: str = "NotFound") -> NotFound:
        """A 404 of the Machine Learning service itself, in its recorded shape."""
        details = [{"code": code, "message": message, "details": [], "additionalInfo": []}]
        return cls(outer, "The specified resource was not found.", details=details)


class Conflict(ArmError):
    """Another operation is running, or the name is taken."""

    status = 409


class NotEmulated(ArmError):
    """This local Azure does not emulate the request."""

    status = 501

    def __init__(self, what: str, instead: str = "") -> None:
        hints = f"{instead} {COVERAGE_HINT}".strip()
        super().__init__("NotEmulated", f"{what} is not emulated by the local Azure. {hints}")


def machine_learning_body(error: ArmError, location: str, time: str) -> dict[str, Any]:
    """An error of the Machine Learning service in its recorded shape."""
    body = error.body()
    if error.code in GATEWAY_CODES and not error.details:
        return body
    correlation = {"operation": uuid.uuid4().hex, "request": uuid.uuid4().hex[:16]}
    facts = {
        "ComponentName": "managementfrontend",
        "Correlation": correlation,
        "Environment": location,
        "Location": location,
        "Time": time,
    }
    additional = [{"type": kind, "info": {"value": value}} for kind, value in facts.items()]
    return {"error": body["error"] | {"details": error.details, "additionalInfo": additional}}


def data_plane_body(error: ArmError, inner: str, location: str, time: str) -> dict[str, Any]:
    """An error of the batch data plane in its recorded (older) envelope; there is no debugInfo."""
    shown: dict[str, Any] = dict.fromkeys(
        ("severity", "messageFormat", "messageParameters", "referenceCode", "detailsUri", "target", "debugInfo")
    )
    shown |= {"code": error.code, "message": error.message, "details": [], "additionalInfo": None}
    shown["innerError"] = {"code": inner, "innerError": None}
    correlation = {"operation": uuid.uuid4().hex, "request": uuid.uuid4().hex[:16]}
    facts = {"environment": location, "location": location, "time": time, "componentName": "managementfrontend"}
    return {"error": shown, "correlation": correlation, **facts}


def inferencing_refusal(text: str) -> BadRequest:
    """The envelope of refusals by the inferencing backend, as users report it (seen in issues, not recorded)."""
    detail = {"code": "InferencingClientCallFailed", "message": text, "details": [], "additionalInfo": []}
    return BadRequest("BadRequest", "The request is invalid.", details=[detail])


def validation_text(field: str, text: str) -> str:
    """The JSON text that the inferencing backend puts into its message for failed validations."""
    return json.dumps({"errors": {field: [text]}, "title": "One or more validation errors occurred."})


class OperationFailed(Exception):
    """An accepted operation ends with `status: Failed` and this error."""

    def __init__(self, code: str, message: str, *, additional_info: Sequence[Mapping[str, Any]] = ()) -> None:
        super().__init__(f"{code}: {message}")
        self.commit: Callable[[], None] | None = None
        """The data to store together with the failure."""
        self.error: dict[str, Any] = {
            "code": code,
            "message": message,
            "details": [],
            "additionalInfo": [dict(info) for info in additional_info],
        }
