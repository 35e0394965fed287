"""Serves tokens and the cloud's metadata, as Microsoft Entra ID and the managed identity endpoint do.

`identity.py` builds the answers; this module serves them over HTTP. Everyone who reaches the loopback address gets a
token of the caller. Only an ID token of another issuer is held against the federated credentials of a managed identity,
whose token is the answer (`federation.py`).
"""

from __future__ import annotations

import uuid
from urllib.parse import parse_qs

from aiohttp import web

from localazure import identity
from localazure.arm.control_plane import ControlPlane
from localazure.arm.namespaces.managed_identity import FEDERATED_TYPE, federated_credential
from localazure.arm.roles import USER_ASSIGNED_TYPE
from localazure.arm.timing import time_text
from localazure.federation import AssertionRefused, check_assertion, is_federated
from localazure.requests import read_body


class TokenService:
    """Routes that the server mounts."""

    def __init__(self, plane: ControlPlane) -> None:
        self._plane = plane

    def routes(self) -> list[web.RouteDef]:
        """All routes; tenants can have any name."""
        return [
            web.get("/metadata/endpoints", self._metadata),
            web.get("/msi/token", self._managed_identity),
            web.get("/{tenant}/v2.0/.well-known/openid-configuration", self._openid),
            web.get("/{tenant}/.well-known/openid-configuration", self._openid),
            web.post("/{tenant}/oauth2/v2.0/token", self._token),
            web.post("/{tenant}/oauth2/token", self._token),
            web.post("/{tenant}/oauth2/v2.0/devicecode", self._device_code),
            web.get("/{tenant}/discovery/instance", self._instance),
        ]

    async def _metadata(self, request: web.Request) -> web.Response:
        version = request.query.get("api-version", "2019-05-01")
        return web.json_response(identity.cloud_metadata(self._plane.base_url, version))

    async def _managed_identity(self, request: web.Request) -> web.Response:
        if "X-IDENTITY-HEADER" not in request.headers:
            # An App Service also refuses such requests: they may come from a web page or a redirect.
            text = "X-IDENTITY-HEADER is missing."
            return web.json_response({"error": "invalid_request", "error_description": text}, status=401)
        plane = self._plane
        resource = request.query.get("resource", "").removesuffix("/.default")
        answer = identity.managed_identity_answer(resource, plane.base_url, plane.token_secret, plane.clock())
        return web.json_response(answer)

    async def _openid(self, request: web.Request) -> web.Response:
        return web.json_response(identity.openid_configuration(self._plane.base_url, request.match_info["tenant"]))

    async def _token(self, request: web.Request) -> web.Response:
        plane = self._plane
        form = await _read_form(request)
        scope = form.get("scope") or form.get("resource") or form.get("device_code") or form.get("code", "")
        if not scope:
            return _refused("invalid_request", "scope is missing.")
        where, secret, now = plane.base_url, plane.token_secret, plane.clock()
        client_id, assertion = form.get("client_id", ""), form.get("client_assertion", "")
        if assertion and is_federated(assertion, client_id):
            return self._exchange(client_id, assertion, scope)
        if form.get("grant_type", "client_credentials") == "client_credentials":
            return web.json_response(identity.token_answer(scope, where, secret, now))
        return web.json_response(identity.user_answer(scope, form.get("client_id", ""), where, secret, now))

    def _exchange(self, client_id: str, assertion: str, scope: str) -> web.Response:
        """The answer to a client assertion: a token of the managed identity, or Entra's refusal."""
        plane = self._plane
        try:
            found = plane.store.of_type(USER_ASSIGNED_TYPE)
            own = next((one for one in found if one.properties["clientId"].lower() == client_id.lower()), None)
            if own is None:
                raise AssertionRefused(
                    700016,
                    f"Application with identifier '{client_id[:100]}' was not found in the directory "
                    f"'{identity.TENANT_ID}'.",
                )
            credentials = [federated_credential(one) for one in plane.store.children(own.id, FEDERATED_TYPE)]
            check_assertion(assertion, credentials, plane.options.oidc_keys, plane.clock())
        except AssertionRefused as refused:
            return _assertion_refused(refused, plane.clock())
        principal = own.properties["principalId"]
        where, secret, now = plane.base_url, plane.token_secret, plane.clock()
        return web.json_response(
            identity.workload_answer(scope, own.properties["clientId"], principal, where, secret, now)
        )

    async def _device_code(self, request: web.Request) -> web.Response:
        scope = (await _read_form(request)).get("scope", "")
        if not scope:
            return _refused("invalid_request", "scope is missing.")
        return web.json_response(identity.device_code_answer(scope, self._plane.base_url))

    async def _instance(self, request: web.Request) -> web.Response:
        return web.json_response(identity.instance_discovery(self._plane.base_url, request.match_info["tenant"]))


def not_served(request: web.Request) -> web.Response | None:
    """The refusal of a token request that is not served here, as JSON, because its clients read only JSON.

    None for every other path.
    """
    segments = request.path.lower().strip("/").split("/")
    if len(segments) < 2 or segments[1] not in ("oauth2", "discovery"):
        return None
    if segments[-1] == "authorize":
        text = (
            "The local Azure has no sign-in page. Use `az login --use-device-code`, or do not log in: in the shell of "
            "`sluice local env`, az is already signed in."
        )
        return _refused("unsupported_response_type", text)
    return _refused("NotEmulated", f"{request.method} {request.path[:200]} is not emulated by the local Azure.", 501)


async def _read_form(request: web.Request) -> dict[str, str]:
    form = parse_qs((await read_body(request)).decode("utf-8", "replace"))
    return {name: values[0] for name, values in form.items()}


def _assertion_refused(refused: AssertionRefused, now: float) -> web.Response:
    """Entra's form of a refusal, which MSAL and azidentity show to their users."""
    trace, moment = str(uuid.uuid4()), time_text(now)
    code = "unauthorized_client" if refused.code == 700016 else "invalid_client"
    answer = {
        "error": code,
        "error_description": f"{refused} Trace ID: {trace} Correlation ID: {trace} Timestamp: {moment}",
        "error_codes": [refused.code],
        "timestamp": moment,
        "trace_id": trace,
        "correlation_id": trace,
    }
    return web.json_response(answer, status=400 if code == "unauthorized_client" else 401)


def _refused(code: str, text: str, status: int = 400) -> web.Response:
    return web.json_response({"error": code, "error_description": text}, status=status)
