"""The comment on a pull request: what a merge does to one stack, what stands for it and what against it.

Pure: a `PreviewReport` in, Markdown out. It shows names, weights, sizes and counts; it shows no value of a variable, no
property of a resource and no address. The order is fixed: one sentence, weights, proof, cost, risks, refusals, the way
back, resources.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from delivery.pull_request.preview_reading import ColourMove, EndpointMove, Reading, read_preview
from delivery.pull_request.preview_report import PreviewReport
from delivery.pull_request.preview_risks import risks_of
from delivery.pull_request.preview_sentence import sentence_of
from git_server.markdown import Section, code, escaped, fitted
from rollout.events import OPERATIONS, Change
from rollout.split import Split
from skus import find_sku, quota_cores
from stack_config import Settings

LIMIT = 60_000
"""Characters of a comment; GitHub takes 65,536."""
SUMMARY_LIMIT = 900_000
"""Characters of a job summary; GitHub takes 1 MiB of a step."""


def comment(report: PreviewReport, *, limit: int = LIMIT, elsewhere: str = "the summary of the job") -> str:
    """Return the text of the comment without its marker, at most `limit` characters."""
    room = limit - len(report.marker) - 1
    return fitted(list(_sections(report)), room, elsewhere=elsewhere)


def _sections(report: PreviewReport) -> Iterator[Section]:
    reading = read_preview(report.preview) if report.preview is not None else Reading()
    title = f"### {code(report.stack)}: preview{' on a local Azure' if report.is_local else ''}"
    published = ", ".join(map(code, report.publishes))
    first = f" The files of {published} are published first." if published else ""
    yield Section(head=(title, "", sentence_of(report, reading) + first))
    yield from _weights(report, reading)
    yield from _listed("Proof", [*_proofs(report)])
    yield from _listed("Cost", [*_costs(report, reading)])
    yield from _listed("Risks", [f"- {line}" for line in risks_of(report, reading)])
    yield from _listed("Refused", [f"- {escaped(failure)}" for failure in report.failures])
    yield from _listed("How to go back", [f"- {line}" for line in _ways_back(report, reading)])
    yield from _listed("Not known", [f"- {escaped(note)}" for note in report.notes])
    yield from _resources(report)
    previewed = f" of {code(report.commit[:12])}" if report.commit else ""
    yield Section(
        head=(f"<sub>Preview{previewed}, edited in place by each run of <code>sluice ci preview</code>.</sub>",)
    )


def _listed(title: str, lines: Sequence[str]) -> Iterator[Section]:
    if lines:
        yield Section(head=(f"**{title}**", ""), lines=tuple(lines))


def _weights(report: PreviewReport, reading: Reading) -> Iterator[Section]:
    moves = {move.endpoint: move for move in reading.endpoints}
    rows = []
    for key in sorted({*moves, *(report.after.rollout if report.after else ())}):
        now, after = _split_pair(key, moves.get(key), report)
        rows.append(f"| {code(key)} | {_split_text(now)} | {_split_text(after)} |")
    if rows:
        yield Section(head=("| weights | now | after |", "|---|---|---|"), lines=tuple(rows))


def _split_pair(key: str, move: EndpointMove | None, report: PreviewReport) -> tuple[Split | None, Split | None]:
    """The weights of an endpoint now and afterwards; the same where the preview does not touch them."""
    if move is not None and move.operation is not None:
        return move.before, move.after
    declared = declared_split(report.before if report.preview is None else report.after, key)
    return declared, declared_split(report.after, key) if report.preview is None else declared


def declared_split(settings: Settings | None, key: str) -> Split | None:
    """The weights that a stack file declares; None if it has no such endpoint."""
    if settings is None or key not in settings.endpoints:
        return None
    rollout = settings.rollout.get(key)
    return Split(traffic=rollout.traffic, mirror=rollout.mirror) if rollout else Split()


def _split_text(split: Split | None) -> str:
    return escaped(split.describe()) if split is not None else "–"


def _proofs(report: PreviewReport) -> Iterator[str]:
    for one in report.proofs:
        name = f"{code(one.colour)} of {code(one.endpoint)}"
        content = f", content {code(one.content)}" if one.content else ""
        if one.proof is None:
            yield f"- {name}{content}: no rollout has proven it. {escaped(one.problem or '')}".rstrip()
            continue
        proof = one.proof
        traffic = "**synthetic** traffic" if proof.synthetic else "real traffic"
        gates = (
            f"skipped gates: {', '.join(map(code, proof.skipped_gates))}" if proof.skipped_gates else "no gate skipped"
        )
        people = (
            f"approved by {', '.join(map(code, proof.approvers))}" if proof.approvers else "no step had an approver"
        )
        checked = (
            f"verified on {code(one.verified)}" if one.verified else f"**not verified**: {escaped(one.problem or '')}"
        )
        yield (
            f"- {name}{content}: proven in {code(proof.stack)} by rollout {code(proof.rollout)}, {proof.requests} "
            f"requests of {traffic}, {proof.errors} failed, {gates}, {people}; {checked}"
        )


def _costs(report: PreviewReport, reading: Reading) -> Iterator[str]:
    for move in (move for endpoint in reading.endpoints for move in endpoint.colours):
        name = f"{code(move.colour)} of {code(move.endpoint)}"
        if move.operation == "delete":
            if text := _capacity(move.sku, move.instances):
                yield f"- {name}: frees {text}"
            continue
        same = (move.sku, move.instances) == (move.sku_before, move.instances_before)
        if same or (text := _capacity(move.sku, move.instances)) is None:
            continue
        before = _capacity(move.sku_before, move.instances_before)
        yield f"- {name}: {text}{_most(move, report.after)}{f' (before: {before})' if before else ''}"


def _capacity(size: str | None, instances: int | None) -> str | None:
    """`3 × Standard_DS3_v2, 16 cores of the quota standardDSv2Family with Azure's reserve for upgrades`."""
    if size is None or instances is None:
        return None
    if (sku := find_sku(size)) is None:
        return f"{instances} × {code(size)}, quota not known"
    reserve = " with Azure's reserve for upgrades" if sku.reserves_for_upgrades else ""
    return f"{instances} × {code(size)}, {quota_cores(sku, instances)} cores of the quota {code(sku.family)}{reserve}"


def _most(move: ColourMove, settings: Settings | None) -> str:
    endpoint = settings.endpoints.get(move.endpoint) if settings else None
    chosen = endpoint.deployments.get(move.colour) if endpoint else None
    if chosen is None or chosen.autoscale is None or move.sku is None:
        return ""
    sku = find_sku(move.sku)
    cores = f", {quota_cores(sku, chosen.autoscale.max)} cores" if sku else ""
    return f"; autoscale up to {chosen.autoscale.max}{cores}"


def _ways_back(report: PreviewReport, reading: Reading) -> Iterator[str]:
    if report.preview is None:
        yield "Nothing was changed. Correct what is refused, or close this pull request."
        return
    if report.preview.is_empty:
        return
    for move in reading.endpoints:
        entered = [one.colour for one in move.colours if one.operation == "create"]
        left = [one.colour for one in move.colours if one.operation == "delete"]
        key = code(move.endpoint)
        if entered and move.operation != "create":
            yield (
                f"Revert this pull request while {', '.join(map(code, entered))} of {key} {_is(entered)} at 0 %. With "
                f"weight, run {code(f'sluice rollout rollback {move.endpoint} --stack {report.stack}')} first."
            )
        if move.moves_weights and move.operation == "update" and move.before is not None:
            yield f"Reverting this pull request gives {key} back {escaped(move.before.describe())}."
        if left:
            yield f"Reverting this pull request creates {', '.join(map(code, left))} of {key} again, at 0 %."
    replaced = [change for change in report.preview.changes if change.op == "replace" and change.custom]
    if replaced:
        yield (
            f"{len(replaced)} replaced {_resource(len(replaced))}: reverting replaces {_them(len(replaced))} once "
            "more, and data inside is not brought back."
        )
    if not reading.endpoints or reading.others:
        yield "Revert this pull request: the next delivery sets everything else as it was declared before."


def _resources(report: PreviewReport) -> Iterator[Section]:
    changes = [change for change in report.preview.changes if change.custom] if report.preview is not None else []
    if not changes:
        return
    by_operation: dict[str, list[Change]] = {}
    for change in changes:
        by_operation.setdefault(change.op, []).append(change)
    counts = ", ".join(f"{len(found)} {OPERATIONS.get(op, op)}" for op, found in by_operation.items())
    lines = [
        f"- {OPERATIONS.get(op, escaped(op))}: {_kind(change)} {code(change.name)}{_paths(change)}"
        for op, found in by_operation.items()
        for change in found
    ]
    summary = f"<details><summary>{len(changes)} {_resource(len(changes))}: {escaped(counts)}</summary>"
    yield Section(head=(summary, ""), lines=tuple(lines), foot=("", "</details>"))


def _kind(change: Change) -> str:
    return code(change.type.rpartition(":")[2])


def _paths(change: Change) -> str:
    """Which properties differ, as paths: `properties.instanceType`. Values are not shown."""
    return f" ({', '.join(map(code, change.diffs))})" if change.diffs and change.op != "create" else ""


def _is(names: Sequence[str]) -> str:
    return "is" if len(names) == 1 else "are"


def _resource(count: int) -> str:
    return "resource" if count == 1 else "resources"


def _them(count: int) -> str:
    return "it" if count == 1 else "them"
