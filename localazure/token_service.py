"""Where clients get tokens, and the cloud's metadata: what Microsoft Entra ID and the managed identity endpoint serve.

The answers are made in `identity.py`; here is their HTTP. Everybody who reaches the loopback address gets a token.
"""

from __future__ import annotations

from urllib.parse import parse_qs

from aiohttp import web

from localazure import identity
from localazure.arm.control_plane import ControlPlane
from localazure.requests import read_body


class TokenService:
    """Routes that the server mounts."""

    def __init__(self, plane: ControlPlane) -> None:
        self._plane = plane

    def routes(self) -> list[web.RouteDef]:
        """All of it; tenants can have any name."""
        return [
            web.get("/metadata/endpoints", self._metadata),
            web.get("/msi/token", self._managed_identity),
            web.get("/{tenant}/v2.0/.well-known/openid-configuration", self._openid),
            web.get("/{tenant}/.well-known/openid-configuration", self._openid),
            web.post("/{tenant}/oauth2/v2.0/token", self._token),
            web.post("/{tenant}/oauth2/token", self._token),
        ]

    async def _metadata(self, request: web.Request) -> web.Response:
        version = request.query.get("api-version", "2019-05-01")
        return web.json_response(identity.cloud_metadata(self._plane.base_url, version))

    async def _managed_identity(self, request: web.Request) -> web.Response:
        if "X-IDENTITY-HEADER" not in request.headers:
            # An App Service refuses such requests as well: they may come from a page or a redirect.
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
        form = parse_qs((await read_body(request)).decode("utf-8", "replace"))
        scope = (form.get("scope") or form.get("resource") or [""])[0]
        if not scope:
            text = "scope is missing."
            return web.json_response({"error": "invalid_request", "error_description": text}, status=400)
        return web.json_response(identity.token_answer(scope, plane.base_url, plane.token_secret, plane.clock()))
