"""The pictures of a report: static SVG without scripts, drawn by Vega-Lite (vl-convert).

Colours are CSS variables of the page, so that a picture follows light, dark and print. vl-convert is imported when the
first picture is drawn.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from gate_config import LatencyGate
from rollout.evidence.error_rate import CEILING_FAILS_AT, GUARD_NEEDED, VERSUS_FAILS_AT
from rollout.evidence.latency import FAILS_AT
from rollout.evidence.ledger import PASSES_BELOW
from rollout.report.timeline import Evidence, Timeline

_WIDTH = 640
_HEIGHT = 190
_LABELS = 95
"""Room for the names of limits, right of the picture."""
_LEAST_EVIDENCE = 0.01
_HIGHEST_EVIDENCE = 1e6
_FONT = "system-ui, sans-serif"
_KNOWN = frozenset({"blue", "green", "amber", "red", "purple", "teal", "orange", "pink"})
_OTHERS = ("green", "blue", "amber", "purple", "teal", "orange", "pink", "red")
_TESTS = {"ceiling": "var(--ceiling)", "versus": "var(--versus)", "guard": "var(--muted)"}
_CONFIG = {
    "font": _FONT,
    "view": {"stroke": None},
    "axis": {
        "labelColor": "var(--fg)",
        "titleColor": "var(--fg)",
        "gridColor": "var(--grid)",
        "domainColor": "var(--muted)",
        "tickColor": "var(--muted)",
        "titleFontWeight": "normal",
    },
    "axisY": {"minExtent": 34},
    "legend": {
        "labelColor": "var(--fg)",
        "orient": "top",
        "title": None,
        "symbolType": "stroke",
        "symbolSize": 220,
        "symbolOpacity": 1,
        "symbolStrokeWidth": 2,
    },
    "text": {"color": "var(--fg)"},
}

Layer = dict[str, Any]
Row = dict[str, Any]


def weights(line: Timeline) -> str:
    """The live weight of each colour; mirrored shares are dashed."""
    rows: list[Row] = [
        {
            "t": _t(point.at),
            "series": f"{point.colour}, mirrored" if point.mirrored else point.colour,
            "percent": point.percent,
        }
        for point in line.weights()
    ]
    mirrored = {row["series"] for row in rows if str(row["series"]).endswith(", mirrored")}
    colour = _colours(line, mirrored)
    step = {"type": "line", "interpolate": "step-after", "strokeWidth": 2.5}
    layer = {
        "data": {"values": rows},
        "mark": step,
        "encoding": {
            "x": _time(line),
            "y": _number("percent", "weight, percent", [0, 100]),
            "color": colour,
            "strokeDash": _dashes(colour, {name: [6, 4] for name in mirrored}),
        },
    }
    return _drawn("weights", [layer], line)


def error_rates(line: Timeline) -> str:
    """The error rates so far, in percent, with the bounds that hold at every moment at once."""
    rows: list[Row] = [
        {
            "t": _t(rate.at),
            "series": rate.colour,
            "percent": 100 * rate.counts.errors / rate.counts.requests,
            "low": 100 * rate.low,
            "high": 100 * rate.high,
        }
        for rate in line.rates()
    ]
    gate = line.state.plan.gates.error_rate
    limit = None if gate is None or gate.max is None else 100 * gate.max
    last = {row["series"]: row for row in rows}.values()
    top = min(100.0, max([1.0, 2 * (limit or 0), *(1.3 * row["high"] for row in last)]))
    colour, number = _colours(line, ()), _number("percent", "errors, percent", [0, top])
    layers: list[Layer] = [
        {
            "data": {"values": rows},
            "mark": {"type": "area", "opacity": 0.18, "clip": True},
            "encoding": {"x": _time(line), "y": number | {"field": "low"}, "y2": {"field": "high"}, "color": colour},
        },
        {
            "data": {"values": rows},
            "mark": {"type": "line", "strokeWidth": 2, "clip": True},
            "encoding": {"x": _time(line), "y": number, "color": colour},
        },
    ]
    if limit is not None:
        layers += _thresholds({limit: f"max {limit:g} %"}, number)
    return _drawn("errors", layers, line)


def latency(line: Timeline, percentile: int, gate: LatencyGate | None) -> str:
    """One percentile of each colour, interval by interval, in milliseconds."""
    rows: list[Row] = [
        {"t": _t(one.at), "series": one.colour, "ms": one.milliseconds} for one in line.latencies(percentile)
    ]
    limit = None if gate is None else gate.max_ms
    top = 1.1 * max([1.0, float(limit or 0), *(row["ms"] for row in rows)])
    number = _number("ms", f"P{percentile}, milliseconds", [0, top])
    layers: list[Layer] = [
        {
            "data": {"values": rows},
            "mark": {"type": "line", "strokeWidth": 1.5, "point": {"size": 14, "filled": True}},
            "encoding": {"x": _time(line), "y": number, "color": _colours(line, ())},
        }
    ]
    if limit is not None:
        layers += _thresholds({float(limit): f"max_ms {limit:g}"}, number)
    return _drawn(f"p{percentile}", layers, line)


def evidence(line: Timeline, gate: str, points: Iterable[Evidence]) -> str:
    """The evidence of one gate on a log scale, with the values at which its tests fail."""
    rows: list[Row] = [
        {
            "t": _t(point.at),
            "series": point.test,
            "value": min(max(point.value, _LEAST_EVIDENCE), _HIGHEST_EVIDENCE),
        }
        for point in points
    ]
    tests = [test for test in _TESTS if any(row["series"] == test for row in rows)]
    limits = thresholds_of(gate, tests)
    top = max([100.0, *limits, *(1.5 * row["value"] for row in rows)])
    number = _number("value", "evidence, odds to 1 (log)", [_LEAST_EVIDENCE, top], log=True)
    colour = {"field": "series", "type": "nominal", "scale": {"domain": tests, "range": [_TESTS[one] for one in tests]}}
    layers: list[Layer] = [
        {
            "data": {"values": rows},
            "mark": {"type": "line", "strokeWidth": 2, "point": {"size": 16, "filled": True}},
            "encoding": {
                "x": _time(line),
                "y": number,
                "color": colour,
                "strokeDash": _dashes(colour, {"guard": [2, 3], "versus": [7, 3]}),
            },
        },
        *_thresholds(limits, number),
    ]
    return _drawn(f"evidence-{gate}", layers, line)


def thresholds_of(gate: str, tests: Sequence[str]) -> dict[float, str]:
    """The values of evidence that decide about a gate, with what they mean."""
    words: dict[float, str] = {PASSES_BELOW: f"{PASSES_BELOW:g}  passes below"}
    for test in tests:
        if test == "guard":
            words[GUARD_NEEDED] = f"{GUARD_NEEDED:g}  guard needed"
            continue
        value = FAILS_AT if gate.startswith("latency_") else CEILING_FAILS_AT if test == "ceiling" else VERSUS_FAILS_AT
        words[value] = f"{value:g}  both fail" if value in words else f"{value:g}  {test} fails"
    return words


def _drawn(name: str, layers: Sequence[Layer], line: Timeline) -> str:
    import vl_convert

    spec = {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "width": _WIDTH,
        "height": _HEIGHT,
        "background": None,
        "padding": {"left": 5, "top": 5, "right": _LABELS, "bottom": 5},
        "config": _CONFIG,
        "layer": [*layers, *_marks(line)],
    }
    svg = vl_convert.vegalite_to_svg(spec, allowed_base_urls=[])
    # Ids must be unique in the page that holds several pictures.
    return re.sub(r'(id="|url\(#)(?=clip|gradient)', rf"\g<1>{re.sub(r'[^a-z0-9]', '-', name)}-", svg)


def _marks(line: Timeline) -> list[Layer]:
    """A line for every decision, with its number above the picture."""
    rows = [{"t": _t(mark.at), "label": mark.label} for mark in line.marks()]
    x = _time(line)
    return [
        {
            "data": {"values": rows},
            "mark": {"type": "rule", "strokeDash": [2, 2], "color": "var(--mark)"},
            "encoding": {"x": x},
        },
        {
            "data": {"values": rows},
            "mark": {"type": "text", "dy": -7, "color": "var(--mark)", "fontWeight": "bold"},
            "encoding": {"x": x, "y": {"value": 0}, "text": {"field": "label"}},
        },
    ]


def _thresholds(limits: Mapping[float, str], number: Mapping[str, Any]) -> list[Layer]:
    rows = [{"value": value, "label": label} for value, label in limits.items()]
    y = dict(number) | {"field": "value"}
    return [
        {
            "data": {"values": rows},
            "mark": {"type": "rule", "strokeDash": [6, 3], "color": "var(--limit)"},
            "encoding": {"y": y},
        },
        {
            "data": {"values": rows},
            "mark": {"type": "text", "align": "left", "dx": 6, "fontSize": 10, "color": "var(--limit)"},
            "encoding": {"x": {"value": _WIDTH}, "y": y, "text": {"field": "label"}},
        },
    ]


def _time(line: Timeline) -> dict[str, Any]:
    scale = {"type": "utc", "domain": [_t(line.start), _t(line.end)], "nice": False}
    axis = {
        "title": None,
        "format": "%H:%M:%S" if line.end - line.start < 600 else "%H:%M",
        "labelOverlap": True,
        "tickCount": 8,
    }
    return {"field": "t", "type": "temporal", "scale": scale, "axis": axis}


def _number(field: str, title: str, domain: Sequence[float], *, log: bool = False) -> dict[str, Any]:
    scale: dict[str, Any] = {"domain": list(domain), "nice": False}
    axis: dict[str, Any] = {"title": title}
    if log:
        scale |= {"type": "log", "clamp": True}
        axis |= {"values": [0.01, 0.1, 1, 10, 100, 1e3, 1e4, 1e5, 1e6], "format": "~g"}
    return {"field": field, "type": "quantitative", "scale": scale, "axis": axis}


def _colours(line: Timeline, mirrored: Iterable[str]) -> dict[str, Any]:
    """The colours of the deployments: those that their names say, else the next free ones."""
    names = [line.state.colour, *line.state.stable_colours]
    if len(line.state.stable_colours) > 1:
        names.append(line.names.stable)
    free = [one for one in _OTHERS if one not in names]
    chosen = {name: name if name in _KNOWN else free.pop(0) if free else "fg" for name in names}
    chosen |= {name: chosen.get(name.removesuffix(", mirrored"), "fg") for name in mirrored}
    colours = {"domain": list(chosen), "range": [f"var(--{colour})" for colour in chosen.values()]}
    return {"field": "series", "type": "nominal", "scale": colours}


def _dashes(colour: Mapping[str, Any], dashed: Mapping[str, list[int]]) -> dict[str, Any]:
    domain = colour["scale"]["domain"]
    return {
        "field": "series",
        "type": "nominal",
        "scale": {"domain": domain, "range": [dashed.get(name, [1, 0]) for name in domain]},
    }


def _t(second: int) -> int:
    """Vega's time: milliseconds."""
    return second * 1000
