"""A small blob service on 127.0.0.1 for the real azure-storage-blob: it keeps blobs, and fails on request."""

import re
import threading
from base64 import b64decode
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

DATED = {"ETag": '"1"', "Last-Modified": "Mon, 01 Jan 2024 00:00:00 GMT"}


class BlobServer:
    """The stored blobs, the received requests, and the next failure."""

    def __init__(self) -> None:
        self.blobs: dict[str, tuple[bytes, dict[str, str]]] = {}
        self.requests: list[str] = []
        self.failure: tuple[int, str] | None = None
        self.uploads_until_failure = 0
        self.blocks: dict[str, bytes] = {}
        self.uploads_together = 1
        self.uploads_seen = 0
        self.together = threading.Condition()
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self.thread.start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.http.server_address[1]}/account/"

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()

    def fail(self, status: int, code: str, *, after_uploads: int = 0) -> None:
        self.failure, self.uploads_until_failure = (status, code), after_uploads

    def hold_until(self, *, uploads: int) -> None:
        """Answer no upload before this many have arrived, so that sequential uploads would never end."""
        self.uploads_together = uploads

    def _wait_for_others(self) -> bool:
        with self.together:
            self.uploads_seen += 1
            self.together.notify_all()
            return self.together.wait_for(lambda: self.uploads_seen >= self.uploads_together, timeout=60)

    def _handler(server) -> type[BaseHTTPRequestHandler]:  # `self` is the request below
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: Any) -> None:
                pass

            def do_HEAD(self) -> None:
                self._answer()

            def do_PUT(self) -> None:
                self._answer()

            def do_GET(self) -> None:
                path = unquote(urlsplit(self.path).path).removeprefix("/account/")
                server.requests.append(f"GET {path}")
                if path not in server.blobs:
                    return self._send(404, {"x-ms-error-code": "BlobNotFound"})
                content = server.blobs[path][0]
                headers = {"Content-Range": f"bytes 0-{len(content) - 1}/{len(content)}", "ETag": '"1"', **DATED}
                self._send(206, {**headers, "x-ms-blob-type": "BlockBlob"}, length=len(content))
                self.wfile.write(content)
                return None

            def do_DELETE(self) -> None:
                path = unquote(urlsplit(self.path).path).removeprefix("/account/")
                server.requests.append(f"DELETE {path}")
                del server.blobs[path]
                self._send(202, DATED)

            def _answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                url = urlsplit(self.path)
                path, query = unquote(url.path).removeprefix("/account/"), parse_qs(url.query)
                server.requests.append(f"{self.command} {path}")
                if server.failure and (server.uploads_until_failure == 0):
                    return self._send(server.failure[0], {"x-ms-error-code": server.failure[1]})
                if self.command == "HEAD":
                    return self._head(path)
                if not server._wait_for_others():
                    return self._send(500, {"x-ms-error-code": "NoOtherUploadCame"})
                metadata = {
                    name.lower().removeprefix("x-ms-meta-"): value
                    for name, value in self.headers.items()
                    if name.lower().startswith("x-ms-meta-")
                }
                if query.get("comp") == ["block"]:
                    server.blocks[f"{path}?{query['blockid'][0]}"] = body
                elif query.get("comp") == ["blocklist"]:
                    ids = re.findall(r"<Latest>(.*?)</Latest>", body.decode())
                    assert all(b64decode(one) for one in ids)
                    server.blobs[path] = (b"".join(server.blocks[f"{path}?{one}"] for one in ids), metadata)
                else:
                    server.blobs[path] = (body, metadata)
                if server.failure:
                    server.uploads_until_failure -= 1
                return self._send(201, DATED)

            def _head(self, path: str) -> None:
                if path not in server.blobs:
                    return self._send(404, {"x-ms-error-code": "BlobNotFound"})
                content, metadata = server.blobs[path]
                headers = {f"x-ms-meta-{name}": value for name, value in metadata.items()}
                headers |= {
                    "x-ms-blob-type": "BlockBlob",
                    "ETag": '"1"',
                    "Last-Modified": "Mon, 01 Jan 2024 00:00:00 GMT",
                }
                return self._send(200, headers, length=len(content))

            def _send(self, status: int, headers: dict[str, str], length: int = 0) -> None:
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(length)}.items():
                    self.send_header(name, value)
                self.end_headers()

        return Handler
