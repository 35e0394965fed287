"""One request to an endpoint, sent once.

The scoring address and the key come from Azure; the file is sent unchanged. An answer other than 2xx becomes one line:
the status, the front door's reason, the model's own status and message, their meaning, and where to look. azure-ai-ml
does the same with a client that parses errors as Resource Manager's and so loses the model's message; it also repeats
a request after 500, 503 or 504. To count answers, use `sluice load`.
"""

import http.client
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from command_errors import CommandError, UnavailableError
from endpoint_client.address import (
    MACHINE_LEARNING_API,
    EndpointAddress,
    check_name,
    missing_deployment,
    require_endpoint,
)
from endpoint_client.request_file import read_request
from resource_manager.client import CHECK_NETWORK, ArmClient, trust

# Online endpoints answer within 180 seconds (`request_timeout_ms` is at most that); the rest is for the network.
TIMEOUT_SECONDS = 200.0
LONGEST_MESSAGE = 4000
# The audience of endpoints with Entra tokens, in every cloud (azure-ai-ml, constants/_common.py).
SCORING_AUDIENCE = "https://ml.azure.com"
DEPLOYMENT_HEADER = "azureml-model-deployment"
REASON_HEADER = "ms-azureml-model-error-reason"
STATUS_HEADER = "ms-azureml-model-error-statuscode"
REQUEST_HEADERS = ("x-request-id", "x-ms-request-id", "x-ms-client-request-id")

# The meaning of each status of the data plane, and the fix; {logs} is the command that prints the deployment's log.
MEANINGS: Mapping[int, str] = {
    400: "The endpoint rejected this request. Compare the request file with what the scoring script reads.",
    401: "The key or token was rejected. If the keys were regenerated just now, send the request again.",
    403: "You may not call this endpoint. Ask for the role AzureML Data Scientist on it (auth_mode aad_token).",
    404: "Nothing serves there: no deployment has weight, or the path is not the model's. Give a deployment weight in "
    "the stack file and run `pulumi up`, or name one with --deployment.",
    405: "That address accepts no POST requests. Check which paths the model's own server serves.",
    408: "The model did not answer within request_settings.request_timeout_ms. See `{logs}`; make the model faster, or "
    "the timeout longer.",
    413: "The request is too large for an online endpoint. Send less at once.",
    424: "The model failed. See `{logs}`.",
    429: "Its instances have more requests than they accept (max_concurrent_requests_per_instance). Send again later, "
    "or raise the number of instances.",
    501: "See localazure/COVERAGE.md for what the local Azure does.",
    502: "The model's server closed the connection early. See `{logs}`, then send again.",
    503: "No instance of the deployment is ready. See `{logs}`, and `pulumi stack output endpoints` for its state.",
    504: "The endpoint got no answer from the model in time. See `{logs}`, then send again.",
}
SERVICE_FAILS = "Azure's own part of the endpoint failed. Send again later."
UNKNOWN = "See `{logs}`."


@dataclass(frozen=True)
class Target:
    """The scoring address of an endpoint and the key or token for it."""

    uri: str
    credential: str = field(repr=False)


def invoke(address: EndpointAddress, request_file: Path, deployment: str | None) -> str:
    """Return the endpoint's answer. Raises UnavailableError if the service fails, CommandError for other refusals."""
    content = read_request(request_file)
    if deployment is not None:
        check_name(deployment, "a deployment")
    arm = ArmClient()
    target = find_target(arm, address)
    if deployment is not None and arm.get(f"{address.id}/deployments/{deployment}", MACHINE_LEARNING_API) is None:
        raise missing_deployment(arm, address, deployment)
    headers = {"Content-Type": "application/json"} | ({DEPLOYMENT_HEADER: deployment} if deployment else {})
    if target.credential:
        headers["Authorization"] = f"Bearer {target.credential}"
    where = f"endpoint {address.name}" + (f", deployment {deployment}" if deployment else "")
    try:
        request = urllib.request.Request(target.uri, content, headers, method="POST")
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS, context=trust()) as answer:
            return str(answer.read().decode(errors="replace"))
    except urllib.error.HTTPError as error:
        raise _refusal(error, where, address) from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = " ".join(str(getattr(error, "reason", None) or error).split()) or type(error).__name__
        raise UnavailableError(
            f"{where}: no answer from {target.uri}: {reason.rstrip('.')}. {CHECK_NETWORK} A private endpoint answers "
            "only inside its network."
        ) from error


def find_target(arm: ArmClient, address: EndpointAddress) -> Target:
    """Ask Azure for the scoring address, and for a key, the endpoint's token or the caller's token."""
    properties = require_endpoint(arm, address).get("properties")
    facts = properties if isinstance(properties, dict) else {}
    uri, mode = facts.get("scoringUri"), str(facts.get("authMode") or "").lower()
    if not isinstance(uri, str) or not uri.lower().startswith(("https://", "http://")):
        state = facts.get("provisioningState") or "unknown"
        raise CommandError(
            f"endpoint {address.name} has no scoring address; its state is {state}. "
            "Wait until it is created; after a failed creation run `pulumi up` again."
        )
    if mode == "aadtoken":
        return Target(uri, arm.token_for(SCORING_AUDIENCE))
    action, name = ("listKeys", "primaryKey") if mode == "key" else ("token", "accessToken")
    secrets = arm.post(f"{address.id}/{action}", MACHINE_LEARNING_API)
    credential = (secrets or {}).get(name)
    if not isinstance(credential, str) or not credential.isascii() or not credential.isprintable():
        raise UnavailableError(
            f"Azure returned no {name} for endpoint {address.name}. Try again: Azure may still be creating it."
        )
    return Target(uri, credential)


def _refusal(error: urllib.error.HTTPError, where: str, address: EndpointAddress) -> CommandError:
    with error:
        try:
            body = error.read().decode(errors="replace")
        except (OSError, http.client.HTTPException):  # the connection broke, but status and headers are known
            body = ""
        headers = {name.lower(): value for name, value in error.headers.items()}
    text = explain(error.code, headers, body, address)
    kind = UnavailableError if error.code >= 500 and error.code != 501 else CommandError
    return kind(f"{where}: {text}")


def explain(status: int, headers: Mapping[str, str], body: str, address: EndpointAddress) -> str:
    """Return one line on an answer other than 2xx; `headers` must have lower-case names."""
    said = [f"{status} {headers.get(REASON_HEADER, '')}".strip()]
    deployment = headers.get(DEPLOYMENT_HEADER)
    message = " ".join(body.split())
    if len(message) > LONGEST_MESSAGE:
        message = f"{message[:LONGEST_MESSAGE]}… ({len(body)} characters in all)"
    if STATUS_HEADER in headers:
        said.append(f"model {deployment or ''} answered {headers[STATUS_HEADER]}".replace("  ", " "))
    elif deployment:
        said.append(f"deployment {deployment}")
    said.append(message or "no message")
    meaning = MEANINGS.get(status) or (SERVICE_FAILS if status >= 500 else UNKNOWN)
    request_id = next((headers[name] for name in REQUEST_HEADERS if name in headers), None)
    line = f"{': '.join(said).rstrip('.')}. {meaning.format(logs=address.logs_command(deployment))}"
    return line + (f" (x-request-id {request_id})" if request_id else "")
