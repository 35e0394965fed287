"""Status, text and headers of the answers that callers get.

The texts and headers of Azure's front door are used where they are known: the 404 text from Microsoft's documentation;
`model_error`, `too_many_pending_request`, `model_not_ready` and the header names from the Envoy filter inside Azure's
own serving image; `upstream request timeout` from public reports of users. All other wording is our own and not
verified against Azure.
"""

from __future__ import annotations

from aiohttp import web

from localazure.scoring.upstream import ModelReply

DEPLOYMENT_HEADER = "azureml-model-deployment"
NO_WEIGHT = "The endpoint doesn't have any valid deployment with positive weight."
TIMEOUT = "upstream request timeout"
_REASON_HEADER = "ms-azureml-model-error-reason"
_MODEL_STATUS_HEADER = "ms-azureml-model-error-statuscode"
_SERVER = "azureml-frontdoor"

# Connection management (RFC 9110, 7.6.1), and headers that the router sets itself.
_NOT_TO_CALLER = frozenset(
    b"connection keep-alive proxy-connection te trailer transfer-encoding upgrade server date "
    b"content-length azureml-model-deployment".split()
)


class Refusal(Exception):
    """An answer of the router instead of the model's."""

    def __init__(self, status: int, text: str, reason: str | None = None) -> None:
        super().__init__(text)
        self.status, self.text, self.reason = status, text, reason

    def response(self, request_id: str, deployment: str | None = None) -> web.Response:
        """The HTTP response; `deployment` is the chosen deployment, if any."""
        headers = {"x-request-id": request_id, "Server": _SERVER}
        if deployment is not None:
            headers[DEPLOYMENT_HEADER] = deployment
        if self.reason is not None:
            headers[_REASON_HEADER] = self.reason
        return web.Response(status=self.status, text=self.text, headers=headers)


def caller_status(reply: ModelReply) -> int:
    """Callers see any status other than 200 as a model error, including 201 and 204."""
    return 200 if reply.status == 200 else 424


def caller_headers(reply: ModelReply, deployment: str, request_id: str) -> list[tuple[str, str]]:
    """The model's own headers and those that the front door adds."""
    headers = [
        (name.decode("latin-1"), value.decode("utf-8", "replace"))
        for name, value in reply.headers
        if name.lower() not in _NOT_TO_CALLER
    ]
    if not any(name.lower() == b"x-request-id" for name, _ in reply.headers):
        headers.append(("x-request-id", request_id))
    headers.append((DEPLOYMENT_HEADER, deployment))
    headers.append(("Server", _SERVER))
    if reply.status != 200:
        headers.append((_REASON_HEADER, "model_error"))
        headers.append((_MODEL_STATUS_HEADER, str(reply.status)))
    return headers
