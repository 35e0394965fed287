"""The coverage page as Markdown, generated from the code and from the tests that prove it.

What a type is comes from the docstring of its behaviour, operations from the methods that are there, fields from what
the behaviours declare and the catalog knows, proofs from the markers of tests, switches from their table. Only
`prose` is written by hand. It reads the repository's tests, so it runs in a checkout only.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator

from localazure.arm.behaviour import Behaviour
from localazure.arm.resource_body import Shape
from localazure.coverage.claims import DATA, EVERY, FAULTS, SWITCHES, emulated, operations, proofs, shapes
from localazure.coverage.data_plane import data_plane_text
from localazure.coverage.deviations import DEVIATIONS, Deviation
from localazure.coverage.fields import Declared, behaviour_of, declared, stored
from localazure.coverage.monitoring import monitor_text
from localazure.coverage.proofs import CLIENTS, Proof
from localazure.coverage.prose import FAULTS_TEXT, FIELDS_TEXT, FOOT_TEXT, HEAD_TEXT, SWITCHES_TEXT, TYPES_TEXT
from localazure.faults.fault import MEANINGS
from localazure.switches import SERVER_SWITCHES

_SHOWN_PROOFS = 2
_MACHINE_LEARNING = "Microsoft.MachineLearningServices/"


def render() -> str:
    """The page as Markdown."""
    found = proofs()
    parts = [HEAD_TEXT.replace("{numbers}", _numbers(found)), *_tables(found), _undriven(found), FIELDS_TEXT]
    parts.append(_section("Every type", declared(Behaviour), [], _of(found, EVERY)))
    for shape in shapes():
        said = declared(behaviour_of(shape.arm))
        if said:
            parts.append(_section(shape.arm, said, stored(shape.arm), _of(found, shape.arm)))
    served = _of(found, DATA)
    parts += [data_plane_text(lambda what: _proof(served, "honours", what)), monitor_text()]
    parts.append(FAULTS_TEXT)
    proven = _of(found, FAULTS)
    parts += [f"| `{kind}` | {text} | {_proof(proven, 'honours', kind)} |\n" for kind, text in MEANINGS.items()]
    parts.append(SWITCHES_TEXT)
    switched = _of(found, SWITCHES)
    for switch in SERVER_SWITCHES:
        shown = f"{switch.name} {switch.value}".strip().replace("|", "\\|")
        parts.append(f"| `{shown}` | {switch.meaning} | {_proof(switched, 'honours', switch.name)} |\n")
    parts.append(FOOT_TEXT.replace("{deviations}", "\n".join(_deviation(item) for item in DEVIATIONS)))
    return "".join(parts)


def _numbers(found: list[Proof]) -> str:
    """Totals of the tables."""
    said = [declared(behaviour_of(shape.arm)) for shape in shapes()]
    effects, refusals = sum(len(one.honoured) for one in said), sum(len(one.refused) for one in said)
    told = f"{len(shapes())} types, {effects} fields with an effect, {refusals} with a rule by which they are refused"
    tests = len({proof.test for proof in found})
    return _wrapped(f"These are {told}, {len(MEANINGS)} kinds of faults; {tests} tests prove it line by line.").strip()


def _tables(found: list[Proof]) -> Iterator[str]:
    """Machine Learning, then the services around it."""
    for title, prefix, own in (("Machine Learning", _MACHINE_LEARNING, True), ("Around it", "Microsoft.", False)):
        yield TYPES_TEXT.replace("{title}", title)
        for shape in shapes():
            if shape.arm.startswith(_MACHINE_LEARNING) is own:
                yield _row(shape, shape.arm.removeprefix(prefix), _of(found, shape.arm))


def _row(shape: Shape, name: str, found: list[Proof]) -> str:
    kind = behaviour_of(shape.arm)
    what = (kind.__doc__ or "").strip().split("\n")[0].rstrip(".") + (" (list only)" if kind.lists_only else "")
    shown = f"[{name}](#{_anchor(shape.arm)})" if declared(kind) else name
    clients = {proof.client for proof in found if proof.client}
    driven = ", ".join(client for client in CLIENTS if client in clients) or "-"
    columns = [told for column, told in operations(shape).items() if column != "read"]
    return f"| {shown} | {what} | {' | '.join(columns)} | {driven} |\n"


def _undriven(found: list[Proof]) -> str:
    """Operations that only the tests' own requests exercise."""
    driven = {(proof.arm_type, proof.field) for proof in found if proof.claim == "drives" and proof.client}
    left = [
        f"{', '.join(sorted(missing))} of {shape.arm}"
        for shape in shapes()
        if (missing := {one for one in emulated(shape) if (shape.arm, one) not in driven})
    ]
    return "\n" + _wrapped(f"No test drives these with such a client: {'; '.join(left) or 'none'}.")


def _section(title: str, said: Declared, kept: list[str], found: list[Proof]) -> str:
    lines = [f"\n### {title}\n"]
    for claim, fields, column in (("honours", said.honoured, "effect"), ("refuses", said.refused, "refused when")):
        if fields:
            lines.append(f"\n| field | {column} | proof |\n|---|---|---|\n")
            lines += [f"| `{field}` | {text} | {_proof(found, claim, field)} |\n" for field, text in fields.items()]
    if kept:
        lines.append("\n" + _wrapped("Stored: " + ", ".join(f"`{field}`" for field in kept) + "."))
    if said.unkept:
        told = "; ".join(f"`{field}`" + (f" ({why})" if why else "") for field, why in said.unkept.items())
        lines.append("\n" + _wrapped(f"Neither kept nor refused: {told}."))
    return "".join(lines)


def _of(found: Iterable[Proof], arm_type: str) -> list[Proof]:
    return [proof for proof in found if proof.arm_type == arm_type]


def _proof(found: list[Proof], claim: str, field: str) -> str:
    """List real clients first, each with one test."""
    fitting = sorted((one for one in found if (one.claim, one.field) == (claim, field)), key=_by_client)
    shown: dict[str, str] = {}
    for one in fitting:
        test = one.test.removeprefix("localazure/")
        shown.setdefault(one.client, f"{one.client}: `{test}`" if one.client else f"`{test}`")
    told = list(shown.values())[:_SHOWN_PROOFS]
    more = len({one.test for one in fitting}) - len(told)
    return "<br>".join(told) + (f" and {more} more" if more else "")


def _by_client(proof: Proof) -> int:
    return [*CLIENTS, ""].index(proof.client)


def _anchor(title: str) -> str:
    return "".join(letter for letter in title.lower() if letter.isalnum() or letter in " -_").replace(" ", "-")


def _deviation(item: Deviation) -> str:
    read = "" if item.seen_in else " (Read in a recording that cannot be replayed here.)"
    return _wrapped(f"- {item.name}: {item.reason}{read}", "  ").rstrip("\n")


def _wrapped(text: str, indent: str = "") -> str:
    wrapped = textwrap.wrap(text, 120, subsequent_indent=indent, break_on_hyphens=False, break_long_words=False)
    return "\n".join(wrapped) + "\n"
