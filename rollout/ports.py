"""What the controller needs from the world, as protocols. Adapters implement them, tests use fakes.

Times are seconds since 1970. Where Azure, the engine or git cannot be reached, an adapter raises
`command_errors.UnavailableError` (exit code 4) with a message that an on-call engineer understands; it never returns
an empty answer instead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from endpoint_state import LiveEndpoint
from rollout.decision.order import Changed, Intent, Order
from rollout.events import Outcome, Preview
from rollout.evidence.intervals import GateResult, Interval
from rollout.instances import DeploymentEdit, Floor, Numbers
from rollout.record.event import Event, Kind
from rollout.record.state import RolloutState
from rollout.split import Split
from rollout_config import PlanSettings


class Clock(Protocol):
    """The time."""

    def now(self) -> int:
        """Seconds since 1970."""

    def sleep(self, seconds: float) -> None:
        """Wait; Ctrl-C raises KeyboardInterrupt."""


class Azure(Protocol):
    """The endpoint in Azure, through Resource Manager."""

    def endpoint(self) -> LiveEndpoint | None:
        """The endpoint with its deployments, read now; None if Azure says 404."""

    def set_split(self, split: Split) -> None:
        """PUT the weights without the engine. Only for break-glass."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What one reading of the metrics gave."""

    settled: tuple[Interval, ...] = ()
    """Complete intervals after the ones asked for, without a gap, in order."""
    young: tuple[Interval, ...] = ()
    """Intervals after the settled ones, as far as they have values: their counts mean "at least"."""
    settled_until: int
    """The end of the last settled interval, also of those known before."""
    problem: str | None = None
    """Why nothing can be said: unreachable, not whole numbers, series missing. Then `settled` is empty."""
    results: tuple[GateResult, ...] = ()
    """What `saturation` and `checks` conclude. FAIL means "not now"; the decision makes a hold of it."""


class Metrics(Protocol):
    """Azure Monitor and the checks of the plan."""

    def read(self, state: RolloutState, now: int) -> Reading:
        """Everything after `state.read_until` that has settled (after `state.settle_seconds`, two equal reads)."""

    def counted(self, colour: str, since: int, now: int) -> int | None:
        """Requests of a colour since a time, as the metric shows them now, settled or not; None: not readable."""


@dataclass(frozen=True, kw_only=True)
class Probed:
    """The counted requests that `verify` sent straight to the new colour."""

    sent: int
    start: int
    """When the first one was sent."""
    disagreement: float | None = None
    """Fraction of the sample outputs that differ from the stable colour's; None: no samples."""
    problem: str | None = None
    """Why the colour must not get weight: an answer that is not 200, too many differences."""


class Probes(Protocol):
    """Sends counted requests to one colour, by header."""

    def send(self, colour: str, stable: str | None) -> Probed:
        """Send 20 requests to `colour`, and the samples to both."""


class Autoscale(Protocol):
    """The autoscale settings in Azure, through Resource Manager."""

    def numbers(self, deployment: str) -> Numbers | None:
        """Minimum, maximum and default of each profile of a deployment's setting, read now; None: it has no setting."""


class Capacity(Protocol):
    """Instances, autoscale and quota."""

    def problem(self, split: Split) -> str | None:
        """Why the peak of the last day does not fit the instances that each colour may have; None if it fits."""

    def floor(self, stable: str, live: LiveEndpoint) -> Floor | None:
        """What to raise before the first weight; None if the stable colour keeps its instances anyway.

        Raises UsageError if it cannot be raised in the stack file.
        """


@dataclass(frozen=True, kw_only=True)
class Declared:
    """What the stack file says about the endpoint now."""

    split: Split
    stable: str | None = None
    plan: PlanSettings | None = None
    deployments: Mapping[str, Numbers] = field(default_factory=dict)
    """The declared deployments, each with its instance counts."""


class StackFile(Protocol):
    """The stack file in use."""

    def read(self) -> Declared:
        """What it declares now. Raises UsageError if it cannot be read."""

    def write(self, split: Split, stable: str | None = None) -> None:
        """Change the weights, and `stable` unless None, in place; nothing else differs afterwards."""

    def numbers(self, deployment: str) -> Numbers | None:
        """The instance counts of a deployment; None if the file does not declare it."""

    def apply(self, edit: DeploymentEdit) -> None:
        """Edit one deployment; a file that is so already stays. Raises UsageError if another value is there."""


@dataclass(frozen=True, kw_only=True)
class Message:
    """The message of a commit: subject, body, and trailers such as `Rollout`, `Step`, `From`, `To`, `Verdicts`."""

    subject: str
    trailers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""


class Repository(Protocol):
    """The clone that holds stack file and record. Without `--commit` it does nothing, without `--push` no network."""

    def sync(self) -> str | None:
        """Fetch the branch; return the text of this rollout's record on the remote, None if there is none."""

    def publish(self, message: Message, *, patient: bool = True, edit: DeploymentEdit | None = None) -> None:
        """Commit stack file and record, and push. Raises `Overtaken`, `PushRefused` or `PushUnanswered`.

        Of the stack file the weights are committed, and the `edit` of a deployment, which the file here may lack yet:
        it gets it once the remote has it. An edit that does not fit the remote's file raises UsageError.

        On `Overtaken`, file and record are those of the remote again; on `PushRefused` the commit is undone, and both
        are as before the call. `patient=False` (a way back) gives up after 10 s and never touches the files, because
        it runs beside an update that reads them.
        """


class Engine(Protocol):
    """The Pulumi engine on one stack. Each method raises `EngineError`."""

    def preview(self, *, refresh: bool = False, targets: Sequence[str] = ()) -> Preview:
        """What an update would change, of `targets` only if there are any."""

    def up(self, *, skip_preview: bool = True, refresh: bool = False, targets: Sequence[str] = ()) -> Outcome:
        """Update the stack, or only the `targets`."""


class EngineLocks(Protocol):
    """The locks that updates of the stack hold in the engine's backend, and the names of those updates."""

    def remove_dead(self) -> bool:
        """Remove what a dead update left; whether there was anything. Raises WaitingError while an update may run."""

    def holder(self) -> str | None:
        """Who holds a lock and is not known to be dead; None if there is none, or the backend does not say."""

    def last_update(self) -> str | None:
        """What the backend's history calls the update that ended last; None if the backend does not say."""


class Record(Protocol):
    """The record of a rollout and the state that it adds up to."""

    @property
    def state(self) -> RolloutState:
        """The fold of all events."""

    def refresh(self) -> None:
        """Take in what was written to the file since: by another process, or by `Repository.publish` when overtaken."""

    def append(self, kind: Kind, data: Mapping[str, Any]) -> Event:
        """Write one event, synced to disk. Raises `RecordUnwritable`, except on the way back, which goes on without."""


class InstanceChange(Protocol):
    """Changes of instance counts and deployments, around the weights: each one previewed, targeted update.

    Each method writes to the record what it is about to do and what was done, is safe to repeat after a crash at any
    point, and overwrites no value that somebody else has edited.
    """

    def raise_floor(self, record: Record, floor: Floor, *, restore: bool = False) -> Changed:
        """Raise the floor, or go on with it: `reserving`, push, file, preview, up, a reading, `reserved`.

        With `restore`, over what somebody else has written: a person asked for it.
        """

    def give_back(self, record: Record, floor: Floor) -> Changed:
        """Give the floor back, except what was edited since: push, file, preview, up, a reading, `returned`."""

    def retire(self, record: Record, deployment: str, how: str) -> Changed:
        """`scale_down` or `remove` a colour that has no weight: `retiring`, push, file, preview, up, `retired`.

        A colour that has weight again, or another release, is kept, and `retired` says so.
        """

    def problem(self, floor: Floor) -> str | None:
        """Why Azure does not hold the floor any more; None if it does."""


class Change(Protocol):
    """One change of weights: intent, stack file, commit and push, preview, up, read twice, `applied`.

    Each method writes to the record what happened (`intent`, `attempt`, `withdrawn`, `applied`, `break_glass`,
    `reconciled`), and returns how it ended. After `applied` of an order that has an outcome, `closing` is appended as
    the data of `ended`, in the same commit.
    """

    def make(
        self, record: Record, order: Order, closing: Mapping[str, Any] | None, spent: Mapping[str, float] | None = None
    ) -> Changed:
        """Append the intent and carry it out. `spent`: seconds of the tick's parts before, for `applied`."""

    def resume(self, record: Record, intent: Intent, closing: Mapping[str, Any] | None) -> Changed:
        """Carry out an open intent that Azure does not have: file, commit and push as far as missing, then up."""

    def confirm(self, record: Record, intent: Intent, closing: Mapping[str, Any] | None) -> Changed:
        """Azure has `to`: file and commit as far as missing, targeted up with refresh, `applied {found: true}`."""

    def withdraw(self, record: Record, intent: Intent, reason: str) -> Changed:
        """Put the file back to `from` and append `withdrawn`. Azure still has `from`."""

    def break_glass(self, record: Record, intent: Intent, closing: Mapping[str, Any] | None) -> Changed:
        """Set `to` through Azure, without the engine, and append `break_glass`. Only for a way back."""

    def reconcile(self, record: Record, intent: Intent, closing: Mapping[str, Any] | None) -> Changed:
        """After break-glass: file, targeted up with refresh, preview empty, `reconciled`. OPEN while it cannot."""
