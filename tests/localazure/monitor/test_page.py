"""The status page: what it may load, what it shows, and that hostile names stay names. Looked at with Chromium."""

from __future__ import annotations

import asyncio
import html
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from localazure.monitor import page
from localazure.monitor.live import Live
from localazure.monitor.metrics import Metrics
from localazure.monitor.scaler import Scaler
from localazure.scoring.served import ServedRequest
from tests.waiting import HANGS

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
HOSTILE = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
NOW = 1_800_000_000.4


def served(deployment: str, status: int = 200, seconds: float = 0.02) -> ServedRequest:
    started = NOW - 5 - seconds
    return ServedRequest("fraud", deployment, "i", "POST", "/score", started, seconds, status, status, 1, 1)


class Scoring:
    """A data plane with one endpoint."""

    def __init__(self, **endpoints: Any) -> None:
        self.endpoints = endpoints

    def status(self) -> dict[str, Any]:
        ready = {"number": 0, "pid": 1, "ready": True, "restarts": 0}
        deployment = {"state": "serving", "instances": [ready], "in_flight": 0}
        fraud = {"traffic": {"Blue": 90, "green": 10}, "mirror": {"amber": 20}}
        return {"fraud": fraud | {"deployments": dict.fromkeys(("amber", "blue", "green"), deployment)}}


@pytest.fixture
def document(monkeypatch) -> dict[str, Any]:
    metrics = Metrics(lambda: NOW)
    for _ in range(20):
        metrics.observe(served("blue"))
    metrics.observe(served("green", 424))
    metrics.observe(served("", 401))
    live = Live(metrics, Scoring(), Scaler(None))  # type: ignore[arg-type]  # no settings are read here
    return asyncio.run(live.document())


def test_the_last_minute_of_each_deployment(document):
    (fraud,) = document["endpoints"]
    amber, blue, green = fraud["deployments"]
    assert fraud["refused_per_second"] == 0.1
    assert (blue["weight"], blue["mirror"], amber["mirror"], green["weight"]) == (90, 0, 20, 10)
    assert (blue["per_second"], blue["requests"], blue["errors"], blue["ready"]) == (2.0, 20, 0, 1)
    assert blue["p95"] == pytest.approx(20, rel=0.02)
    assert (green["errors"], green["statuses"]) == (1, {"424": 1})
    assert (amber["requests"], amber["p50"]) == (0, None)
    assert (len(blue["history"]), sum(blue["history"]), sum(green["error_history"])) == (60, 20, 1)


def test_the_page_is_one_document_that_may_load_nothing_else():
    text = page._PAGE.read_text()
    assert not re.search(r"""(?:src|href)=["'](?!data:)""", text)
    assert "innerHTML" not in text
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "")
    response = asyncio.run(page.page_response(None))  # type: ignore[arg-type]  # it does not look at the request
    policy = response.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy
    assert response.content_type == "text/html"


def rendered(document: Any, *arguments: str) -> str:
    """The page's markup after it has asked once, in a real browser."""

    async def answer(request: web.Request) -> web.Response:
        return web.json_response(document)

    async def main() -> str:
        application = web.Application()
        application.add_routes([web.get("/", page.page_response), web.get("/_local/live", answer)])
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
            command = [str(CHROMIUM), "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", *arguments]
            command += [f"--user-data-dir={profile}", "--virtual-time-budget=2500", "--dump-dom"]
            url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
            try:
                return await asyncio.to_thread(
                    lambda: subprocess.run([*command, url], capture_output=True, text=True, timeout=HANGS).stdout
                )
            finally:
                await runner.cleanup()

    return asyncio.run(main())


needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="needs a browser (Chromium or Chrome on PATH), which this project does not install"
)


@pytest.mark.integration
@needs_chromium
def test_a_browser_shows_the_facts(document):
    shown = rendered(document)
    assert "1 endpoint, 3 deployments, 2.1 requests/s" in shown
    for text in ("fraud", "blue", "90 %", "mirrored", "100 %", "20.0 ms", "serving · 1 instance"):
        assert text in shown, text
    assert shown.count("<rect") == 2


@pytest.mark.integration
@needs_chromium
def test_hostile_names_are_shown_as_they_are_and_do_nothing(document):
    (fraud,) = document["endpoints"]
    fraud["name"] = HOSTILE
    for deployment in fraud["deployments"]:
        deployment |= {"name": HOSTILE, "state": HOSTILE, "autoscale": HOSTILE, "statuses": {HOSTILE: 1}}
    shown = rendered(document)
    assert "<title>Local Azure</title>" in shown
    assert "<img" not in shown
    assert html.escape(HOSTILE, quote=False) in shown


@pytest.mark.integration
@needs_chromium
def test_no_data_and_no_answer_are_reported_differently():
    assert "There is no online endpoint yet" in rendered({"endpoints": []})
    assert "no answer; trying again" in rendered("nonsense")


@pytest.mark.integration
@needs_chromium
def test_a_phone_needs_no_sideways_scrolling(document, tmp_path):
    """At 390 pixels nothing is wider than the window."""
    measured = page._PAGE.read_text().replace(
        "loop();\n</script>",
        "const root = document.documentElement;\n"
        "ask().then(() => { document.title = root.scrollWidth + ' of ' + innerWidth; });\n</script>",
    )
    path = tmp_path / "page.html"
    path.write_text(measured)
    original = page._PAGE
    page._page.cache_clear()
    page._PAGE = Path(path)
    try:
        shown = rendered(document, "--window-size=390,844")
    finally:
        page._PAGE = original
        page._page.cache_clear()
    width, window = re.search(r"<title>(\d+) of (\d+)</title>", shown).groups()
    assert int(width) <= int(window) < 600
