"""The report of a rollout, made from fixed records: its sentence, numbers and reasons, as text that does nothing."""

from __future__ import annotations

import re
import subprocess
import sys
from html import escape, unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest

from rollout.decision.order import Direction, Order
from rollout.record.event import Kind
from rollout.record.fold import fold
from rollout.report.commits import Commit
from rollout.report.page import render
from rollout.report.summary import sentence
from rollout.split import Split, split_at
from rollout_config import PlanSettings, plan_digest
from tests.rollout.record.rollouts import T0, Story
from tests.rollout.report.records import HOSTILE, PLAN, RECORDS, read, text_of

COMMIT = Commit(sha="5eadbeef" * 5, at=1_795_788_100, subject="rollout(fraud-detection): green 0 → 10 % in prod")


class Reader(HTMLParser):
    """Collects tags, attributes and visible text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += f"{data} "


@pytest.fixture(scope="module")
def rolled_back() -> str:
    return render(read("rolled-back"), commits=[COMMIT])


@pytest.fixture(scope="module")
def done() -> str:
    return render(read("done"))


def table_after(html: str, title: str) -> list[list[str]]:
    """The cells of the first table after a heading, as text."""
    section = html[html.index(f"<h2>{title}</h2>") :]
    body = section[section.index("<tbody>") : section.index("</tbody>")]
    return [
        [unescape(re.sub("<[^>]+>", "", cell)) for cell in re.findall(r"<td[^>]*>(.*?)</td>", row)]
        for row in body.split("<tr>")[1:]
    ]


@pytest.mark.parametrize("name", RECORDS)
def test_the_records_are_what_their_builder_makes(name: str) -> None:
    """If this fails: `python -m tests.rollout.report.records` writes them again."""
    assert text_of(list(read(name))) == text_of(RECORDS[name]())


def test_a_rollback_leads_with_its_sentence(rolled_back: str) -> None:
    lead = re.search(r'<p class="lead bad">(.*?)</p>', rolled_back)
    assert lead is not None
    assert unescape(lead[1]) == sentence(fold(read("rolled-back")))
    assert re.fullmatch(
        r"green failed \d+ of \d+ requests \([\d.]+ %\), blue \d+ of \d+ \([\d.]+ %\): evidence \d+:1 against 20:1 for "
        r"more than 1 %; \d+ callers saw green; back at 0 % in 9 s\.",
        unescape(lead[1]),
    )


def test_a_finished_rollout_leads_with_its_counts(done: str) -> None:
    assert f'<p class="lead good">{escape(sentence(fold(read("done"))))}</p>' in done


def test_every_decision_has_a_mark_and_its_reason(done: str) -> None:
    rows = table_after(done, "Decisions")
    assert [row[0] for row in rows] == ["1", "2", "3", "4", "5", "6"]
    assert rows[2][2] == "step 2 approved by bob: numbers look right"
    assert rows[5][2].startswith("done: all steps passed")
    labels = re.findall(r">([\d–]+)</text>", done)
    assert min(labels.count(label) for label in ("1", "2–4", "5", "6")) >= 5  # once in each picture


def test_text_from_the_record_does_nothing(rolled_back: str) -> None:
    reader = Reader(rolled_back)
    assert HOSTILE in reader.text
    assert "script" not in reader.tags
    assert not [name for name, _ in reader.attributes if name.startswith("on")]


def test_the_page_loads_nothing(rolled_back: str, done: str) -> None:
    for html in (rolled_back, done):
        reader = Reader(html)
        assert not {"script", "link", "iframe", "img", "object", "image", "use"} & set(reader.tags)
        assert not [value for name, value in reader.attributes if name in ("src", "href", "xlink:href")]
        addresses = set(re.findall(r"https?://[^\"'<\s]+", html))
        assert addresses <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink", "https://ci.example/runs/7"}
        assert "default-src 'none'" in html


def test_pictures_follow_light_dark_and_print(rolled_back: str) -> None:
    style = rolled_back[: rolled_back.index("</style>")]
    assert "prefers-color-scheme: dark" in style
    assert style.index("@media print") > style.index("prefers-color-scheme: dark")
    used = set(re.findall(r"var\((--[a-z]+)\)", rolled_back))
    for block in re.split(r":root \{", style)[1:]:
        assert used <= set(re.findall(r"(--[a-z]+):", block))


def test_ids_are_unique_over_all_pictures(done: str) -> None:
    ids = re.findall(r'\bid="([^"]+)"', done)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r"url\(#([^)]+)\)", done)) <= set(ids)


def test_the_pictures_have_limits_and_thresholds(rolled_back: str) -> None:
    pictures = re.findall(r"<figure>(.*?)</figure>", rolled_back, re.DOTALL)
    assert len(pictures) == 5
    weights, errors, latency, error_evidence, latency_evidence = pictures
    assert "weight, percent" in weights
    assert ">max 1 %<" in errors
    assert ">max_ms 300<" in latency
    for label in ("3  passes below", "5  guard needed", "20  ceiling fails", "50  versus fails"):
        assert f">{label}<" in error_evidence.replace("\xa0", " ")
    assert ">50  both fail<" in latency_evidence.replace("\xa0", " ")


def test_the_tables_have_the_raw_counts(rolled_back: str) -> None:
    rows = table_after(rolled_back, "Raw counts")
    state_intervals = [
        one for event in read("rolled-back") if event.kind == "evidence" for one in event.data["intervals"]
    ]
    assert len(rows) == 2 * len(state_intervals)
    requests, errors = (sum(int(row[column]) for row in rows if row[3] == "green") for column in (4, 5))
    ended = read("rolled-back")[-1].data
    assert (requests, errors) == (ended["requests"], ended["errors"])
    step = table_after(rolled_back, "Steps")[0]
    assert (step[4], step[5]) == (str(requests), str(errors))


def test_the_page_names_plan_chain_head_commits_and_updates(rolled_back: str) -> None:
    events = read("rolled-back")
    facts = {row[0]: row[1] for row in table_after(rolled_back, "Record")}
    assert facts["chain head (SHA-256)"] == events[-1].digest
    assert facts["plan digest (SHA-256)"] == plan_digest(PLAN)
    assert facts["commit at the start"] == "0" * 40
    assert facts["green: release"] == "g1"
    assert table_after(rolled_back, "Commits") == [["5eadbeef5ead", "2026-11-27 14:01:40", COMMIT.subject]]
    changes = table_after(rolled_back, "Changes of weights and engine updates")
    assert [(row[3], row[4]) for row in changes] == [("forward", "applied"), ("back", "applied")]
    assert changes[1][6] == "8 s (up 8.0)"
    assert '"step_deadline"' not in rolled_back
    assert escape('"bake": "10m"') in rolled_back


def test_the_gates_have_their_last_evidence(rolled_back: str) -> None:
    error_rate, latency = table_after(rolled_back, "Gates")
    assert error_rate[:3] == ["error_rate", "max: 0.01, vs_stable: 1.5", "fail"]
    assert re.fullmatch(r"\d+:1", error_rate[3])
    assert latency[2] != "fail"


def test_a_rollout_that_has_just_started_has_a_report() -> None:
    html = render(Story(PLAN).events, broken="x.jsonl is broken at line 3: it is not JSON.")
    assert "green has no weight yet" in html
    assert "x.jsonl is broken at line 3: it is not JSON. This report ends there." in html
    assert "The record has no interval in which green had requests." in html


def test_the_library_of_the_pictures_is_imported_with_the_first_picture() -> None:
    code = "import sys; import rollout.report.page, rollout.report.charts; sys.exit('vl_convert' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[3]).returncode == 0


def test_mirrored_copies_two_stable_colours_and_break_glass_have_a_report() -> None:
    steps = [{"mirror": 20, "bake": "5m"}, {"weight": 50, "bake": "5m"}, {"weight": 100, "bake": "5m"}]
    baseline = Split(traffic={"blue": 60, "amber": 40})
    story = Story(PlanSettings.from_values(PLAN.as_values() | {"steps": steps}), baseline=baseline)
    for second, step in ((60, 0), (600, 1)):
        to = split_at(baseline, "green", story.plan.steps[step])
        order = Order(start=baseline, to=to, direction=Direction.FORWARD, step=step, why="pass")
        intent = story.at(second, Kind.INTENT, **order.as_values())
        story.at(second + 9, Kind.APPLIED, intent=intent.seq, found=True, update=None, seconds={})
        counts = {"blue": [6, 0, 0, 0], "amber": [4, 1, 0, 0], "green": [2, 0, 0, 0]}
        values = {"start": T0 + second + 60, "seconds": 60, "counts": counts, "quantiles": {}}
        odd = {"error_rate": {"verdict": "incident", "ceiling": 0.0, "guard": 2e9, "versus": None}}
        story.at(second + 240, Kind.EVIDENCE, intervals=[values], results=odd)
    back = Order(start=baseline, to=baseline, direction=Direction.BACK, step=-1, why="ada: stop")
    intent = story.at(900, Kind.INTENT, **back.as_values())
    story.at(930, Kind.BREAK_GLASS, intent=intent.seq, by="ada", why="locked", weights=baseline.as_values())
    html = render(story.events)
    assert "back at 0 % in 30 s, without the engine" in html
    assert ">green, mirrored<" in html
    assert "amber and blue" in html
    assert [row[4:6] for row in table_after(html, "Steps")] == [["2", "0"], ["2", "0"], ["0", "0"]]
    assert table_after(html, "Gates")[0][3:] == ["under 0.1:1", "over 1,000,000:1", "–"]
