"""Reading from Resource Manager: absent is None, everything else is an error that says what Azure said."""

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from azure.core.credentials import AccessToken

from command_errors import CommandError, UnavailableError, UsageError
from resource_manager.client import ArmClient

ANSWERS = {
    "/there": (200, {"id": "/there"}),
    "/absent": (404, {"error": {"code": "ResourceNotFound", "message": "no"}}),
    "/forbidden": (403, {"error": {"code": "AuthorizationFailed", "message": "no right"}}),
    "/failing": (503, {}),
}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        path = self.path.split("?")[0]
        host = f"http://{self.headers['Host']}"
        clouds = [{"name": "Other", "resourceManager": "http://other"}, {"name": "Mine", "resourceManager": f"{host}/"}]
        status, body = (200, clouds) if path == "/metadata" else ANSWERS[path]
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing."""


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[ArmClient]:
    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    monkeypatch.setenv("ARM_CLOUD_METADATA_URL", f"http://127.0.0.1:{server.server_port}/metadata")
    monkeypatch.setenv("AZUREML_CURRENT_CLOUD", "Mine")
    monkeypatch.setattr(ArmClient, "token", "token")
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    yield ArmClient()
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_named_cloud_determines_the_address_of_resource_manager(client: ArmClient) -> None:
    assert client.get("/there", "2024-01-01") == {"id": "/there"}


def test_absent_is_none_and_every_other_answer_is_an_error(client: ArmClient) -> None:
    assert client.get("/absent", "2024-01-01") is None
    with pytest.raises(CommandError, match="403 to GET /forbidden: AuthorizationFailed: no right"):
        client.get("/forbidden", "2024-01-01")
    with pytest.raises(UnavailableError, match="does not answer"):
        client.get("/failing", "2024-01-01")


def test_without_a_metadata_address_the_named_cloud_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ARM_CLOUD_METADATA_URL", raising=False)
    monkeypatch.delenv("ARM_ENVIRONMENT", raising=False)
    assert ArmClient().base_url == "https://management.azure.com"
    monkeypatch.setenv("ARM_ENVIRONMENT", "china")
    assert ArmClient().base_url == "https://management.chinacloudapi.cn"
    monkeypatch.setenv("ARM_ENVIRONMENT", "mars")
    with pytest.raises(UsageError, match=r"'mars'.*ARM_CLOUD_METADATA_URL"):
        _ = ArmClient().base_url


def test_a_token_is_asked_for_again_before_it_ends() -> None:
    class Login:
        given = 0

        def get_token(self, *scopes: str, **kwargs: object) -> AccessToken:
            self.given += 1
            return AccessToken(f"{scopes[0]} {self.given}", int(time.time()) + (4 * 60 if self.given == 1 else 60 * 60))

    arm = ArmClient(Login())
    assert arm.token_for("https://one") == "https://one/.default 1"
    assert arm.token_for("https://one") == "https://one/.default 2"  # four minutes are too short
    assert arm.token_for("https://one") == "https://one/.default 2"
    assert arm.token_for("https://two") == "https://two/.default 3"
