"""What the engine reported, read from its event log: changes, diagnostics and the summary, as plain values.

The log holds one engine event per line, as JSON. This module starts no process; `rollout.engine` does.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from rollout.split import Split

ENDPOINT_TYPE = "azure-native:machinelearningservices:OnlineEndpoint"
# What the engine reports for a resource that it leaves unchanged.
QUIET_OPERATIONS = frozenset({"same", "read", "refresh", "read-discard", "remove-pending-replace", "read-replacement"})
# A replacement arrives as several events (create-replacement, replace, delete-replaced); one of them counts.
REPLACE_PARTS = frozenset({"create-replacement", "delete-replaced", "discard-replaced", "import-replacement"})
OPERATIONS: Mapping[str, str] = {
    **{"create": "created", "update": "updated", "replace": "replaced", "delete": "deleted"},
    **{"import": "imported", "read": "read", "refresh": "refreshed"},
}
"""What people read for an operation of the engine."""
PROGRAM_ENDED = "an unhandled error occurred: program exited"
_NO_CHANGES = ("default", "subscription-")
"""What the names of such providers begin with."""
_COLOUR = re.compile(r"<\{%.*?%\}>")
_TRAFFIC = re.compile(r"properties\.(traffic|mirrorTraffic)($|[.\[])")


@dataclass(frozen=True, kw_only=True)
class Change:
    """One resource that the engine plans to change, or has changed."""

    op: str
    urn: str
    type: str
    name: str
    custom: bool = True
    parent: str = ""
    provider: str = ""
    protected: bool = False
    """The engine refuses to delete it."""
    diffs: tuple[str, ...] = ()
    old_inputs: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, Any] = field(default_factory=dict)

    @property
    def declared_split(self) -> Split:
        """The weights that an endpoint is to get."""
        properties = self.inputs.get("properties") or {}
        return Split(traffic=properties.get("traffic") or {}, mirror=properties.get("mirrorTraffic") or {})

    def __str__(self) -> str:
        detail = f" [{', '.join(self.diffs)}]" if self.diffs else ""
        return f"{self.op} {self.type} {self.name}{detail}"


@dataclass(frozen=True, kw_only=True)
class Diagnostic:
    """A message of the engine, the program or the provider, without colour codes."""

    severity: str
    message: str
    urn: str = ""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Everything one operation reported."""

    changes: tuple[Change, ...] = ()
    failed: tuple[Change, ...] = ()
    done: tuple[Change, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()

    @property
    def errors(self) -> tuple[str, ...]:
        """The distinct error messages, in order; "program exited" is included only if there is no other message."""
        messages = dict.fromkeys(item.message for item in self.diagnostics if item.severity == "error")
        reasons = [message for message in messages if not message.startswith(PROGRAM_ENDED)]
        return tuple(reasons or messages)


@dataclass(frozen=True, kw_only=True)
class Preview(Outcome):
    """What an update would do."""

    @property
    def is_empty(self) -> bool:
        """Nothing would change."""
        return not self.changes

    def is_one_traffic_update(self, endpoint: str) -> bool:
        """Return whether exactly one resource changes in place: this endpoint (Azure name), and only its weights."""
        if len(self.changes) != 1:
            return False
        change = self.changes[0]
        return (
            change.op == "update"
            and change.type == ENDPOINT_TYPE
            and change.inputs.get("endpointName") == endpoint
            and bool(change.diffs)
            and all(_TRAFFIC.match(path) for path in change.diffs)
        )

    def is_weights_update(self, endpoint: str, to: Split) -> bool:
        """Return whether it is such an update, and to these weights."""
        return self.is_one_traffic_update(endpoint) and self.changes[0].declared_split == to


def change_of(metadata: Mapping[str, Any]) -> Change:
    """Return the change that an engine event describes."""
    urn = str(metadata["urn"])
    state = metadata.get("new") or metadata.get("old") or {}
    details = metadata.get("detailedDiff") or {}
    return Change(
        op=str(metadata["op"]),
        urn=urn,
        type=str(metadata["type"]),
        name=urn.rsplit("::", 1)[-1],
        custom=bool(state.get("custom")),
        parent=state.get("parent") or "",
        provider=state.get("provider") or metadata.get("provider") or "",
        protected=bool((metadata.get("old") or state).get("protect")),
        diffs=tuple(sorted(details)) or tuple(metadata.get("diffs") or ()),
        old_inputs=(metadata.get("old") or {}).get("inputs") or {},
        inputs=(metadata.get("new") or {}).get("inputs") or {},
    )


def _is_about_a_provider(event: Mapping[str, Any]) -> bool:
    """Return whether an event concerns a provider that changes nothing in Azure: one that the engine creates and drops
    by itself, or the program's for what it reads in another subscription (`assessment/subscriptions.py`)."""
    for kind in ("resourcePreEvent", "resOutputsEvent"):
        if kind in event:
            metadata = event[kind]["metadata"]
            name = str(metadata["urn"]).rsplit("::", 1)[-1]
            return str(metadata["type"]).startswith("pulumi:providers:") and name.startswith(_NO_CHANGES)
    return False


def read_events(lines: Iterable[str]) -> list[dict[str, Any]]:
    """Return the events of a log; an incomplete last line, left by a kill, is skipped."""
    events = []
    for line in lines:
        if not line.endswith("\n"):
            break
        if line.strip():
            events.append(json.loads(line))
    return events


def outcome_of(events: Iterable[Mapping[str, Any]]) -> Outcome:
    """Combine the events of one operation; if a log holds a preview and then an update, the update counts."""
    changes: dict[tuple[str, str], Change] = {}
    done: dict[tuple[str, str], Change] = {}
    failed: list[Change] = []
    diagnostics: list[Diagnostic] = []
    for event in events:
        if _is_about_a_provider(event):
            continue
        if "preludeEvent" in event:
            changes, done, failed = {}, {}, []
        elif "resourcePreEvent" in event:
            change = change_of(event["resourcePreEvent"]["metadata"])
            if change.op not in QUIET_OPERATIONS | REPLACE_PARTS:
                changes[change.urn, change.op] = change
        elif "resOutputsEvent" in event:
            change = change_of(event["resOutputsEvent"]["metadata"])
            if change.op == "refresh":
                # A refresh reports what it found only afterwards; the planning pass reports nothing.
                if change.diffs:
                    changes[change.urn, change.op] = change
            elif change.op not in QUIET_OPERATIONS and not event["resOutputsEvent"].get("planning"):
                done[change.urn, change.op] = change
        elif "resOpFailedEvent" in event:
            failed.append(change_of(event["resOpFailedEvent"]["metadata"]))
        elif "diagnosticEvent" in event:
            diagnostic = event["diagnosticEvent"]
            text = _COLOUR.sub("", diagnostic["message"]).strip()
            if text and diagnostic["severity"] != "debug" and not diagnostic.get("ephemeral"):
                diagnostics.append(
                    Diagnostic(severity=diagnostic["severity"], message=text, urn=diagnostic.get("urn", ""))
                )
    return Outcome(
        changes=tuple(changes.values()),
        failed=tuple(failed),
        done=tuple(done.values()),
        diagnostics=tuple(diagnostics),
    )
