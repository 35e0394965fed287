"""The status page at the local Azure's root: one self-contained document that polls `/_local/live` once a second."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from pathlib import Path

from aiohttp import web

_PAGE = Path(__file__).with_name("page.html")
_BLOCK = r"<{0}>(.*?)</{0}>"


async def page_response(request: web.Request) -> web.Response:
    """The page. Only its own script and style may run, and it may talk to this server alone."""
    text, policy = _page()
    headers = {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
    }
    return web.Response(text=text, content_type="text/html", headers=headers)


@cache
def _page() -> tuple[str, str]:
    text = _PAGE.read_text(encoding="utf-8")
    policy = (
        f"default-src 'none'; script-src {_hash(text, 'script')}; style-src {_hash(text, 'style')}; "
        "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return text, policy


def _hash(text: str, tag: str) -> str:
    block = re.search(_BLOCK.format(tag), text, re.DOTALL)
    assert block is not None  # the page is a file of this package
    digest = hashlib.sha256(block[1].encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
