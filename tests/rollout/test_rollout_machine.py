"""Anything may happen to a rollout at any time; whatever does, its rules hold, and it ends once the trouble is over."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from command_errors import CommandError
from rollout.decision.order import Direction
from rollout.record.event import Kind
from rollout.record.fold import fold
from rollout.record.state import HoldKind, Phase
from rollout.split import Split, split_at
from rollout_config import PlanSettings
from tests.rollout.record.rollouts import BLUE, GREEN
from tests.rollout.world import QUICK, Killed, Room, good

pytestmark = pytest.mark.slow

PLAN = PlanSettings.from_values(
    {
        **QUICK.as_values(),
        "steps": [
            {"mirror": 20, "bake": "2m"},
            {"weight": 10, "bake": "4m"},
            {"weight": 50, "bake": "3m", "approve": True},
            {"weight": 100, "bake": "4m"},
        ],
        "min_requests": 100,
        "gates": {"error_rate": {"max": 0.02}},
    }
)
SCALED = {"autoscale.min": 3, "autoscale.max": 10, "autoscale.default": 3}
ALLOWED = [BLUE, *(split_at(BLUE, "green", step) for step in PLAN.steps)]


class Trouble(RuleBasedStateMachine):
    """One rollout in a world where everything fails now and then."""

    @initialize(late=st.sampled_from([0, 0, 45]), floor=st.booleans())
    def begin(self, late: int, floor: bool) -> None:
        self.folder = tempfile.TemporaryDirectory()
        plan = PLAN.model_copy(update={"hold_stable": floor})
        deployments = {"blue": dict(SCALED), "green": {"instances": 3}}
        self.room = Room(Path(self.folder.name), plan=plan, deployments=deployments)
        blue = self.room.azure.deployments["blue"]
        self.room.azure.deployments["blue"] = replace(blue, instances=8)
        self.floor = 8 if floor else 3
        self.room.azure.routing_lag = late
        self.crashed = False

    def teardown(self) -> None:
        if hasattr(self, "room"):
            try:
                self.end()
            finally:
                self.folder.cleanup()

    @rule(ticks=st.integers(1, 8))
    def tick(self, ticks: int) -> None:
        for _ in range(ticks):
            try:
                self.room.tick()
            except CommandError:
                self.room.clock.sleep(30)
            except Killed:
                self.crashed = True
                return

    @precondition(lambda self: self.crashed)
    @rule(clone=st.booleans())
    def restart(self, clone: bool) -> None:
        self.crashed = False
        if clone:
            self.room.clone()
        else:
            self.room.boot()

    @rule(rate=st.sampled_from([0.002, 0.002, 0.05, 0.5]))
    def green_changes(self, rate: float) -> None:
        self.room.metrics.error_rate = lambda split, age: rate

    @rule(rate=st.sampled_from([0.002, 0.002, 0.3]))
    def blue_changes(self, rate: float) -> None:
        self.room.metrics.shared_error_rate = rate

    @rule(faults=st.lists(st.sampled_from(["429", "409", "500", "lost", "failed", "locked", "pending"]), max_size=4))
    def the_engine_will_fail(self, faults: list[str]) -> None:
        self.room.engine.faults = faults

    @rule(fault=st.sampled_from(["late", "zero", "missing", "error"]), seconds=st.sampled_from([60, 300]))
    def metrics_fail(self, fault: str, seconds: int) -> None:
        self.room.metrics.fault, self.room.metrics.fault_until = fault, self.room.clock.now() + seconds

    @rule(silent=st.booleans())
    def azure_is_silent(self, silent: bool) -> None:
        self.room.azure.unreachable = silent

    @rule(point=st.sampled_from([1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 14, 20, 21, 22, 23, 24, 25, 26, 28, 29, 30]))
    def will_be_killed(self, point: int) -> None:
        self.room.crash_at = point

    @precondition(lambda self: not self.room.state.is_over)
    @rule(
        split=st.sampled_from(
            [Split(traffic={"blue": 60, "green": 40}), ALLOWED[2], Split(traffic={"blue": 100}, mirror={"green": 50})]
        )
    )
    def another_client_sets(self, split: Split) -> None:
        self.room.azure.put(split, by="bob")

    @precondition(lambda self: not self.room.state.is_over)
    @rule(percent=st.sampled_from([10, 35]))
    def a_merge_edits(self, percent: int) -> None:
        self.room.file.split = Split(traffic={"blue": 100 - percent, "green": percent})

    @rule(state=st.sampled_from(["Succeeded", "Succeeded", "Updating", "Failed"]))
    def green_is(self, state: str) -> None:
        green = self.room.azure.deployments["green"]
        self.room.azure.deployments["green"] = replace(green, provisioning_state=state)

    @rule(small=st.sampled_from([None, None, "3 instances are too few"]))
    def capacity(self, small: str | None) -> None:
        self.room.capacity.too_small = small

    @precondition(lambda self: not self.crashed)
    @rule(
        kind=st.sampled_from([Kind.PAUSED, Kind.RESUMED, Kind.APPROVED, Kind.APPROVED]),
        answer=st.sampled_from([None, "restore", "adopt"]),
    )
    def a_person_says(self, kind: Kind, answer: str | None) -> None:
        self.say(kind, by="ada", reason="so", step=2, drift=answer)

    @precondition(lambda self: not self.crashed)
    @rule(
        kind=st.sampled_from([Kind.REJECTED, Kind.PROMOTED, Kind.ROLLBACK_REQUESTED]),
        often=st.integers(0, 3),
    )
    def a_person_ends_it(self, kind: Kind, often: int) -> None:
        if often == 0:
            self.say(kind, by="ada", reason="so", step=2, outcome="rolled_back")

    @rule(minutes=st.sampled_from([10, 60]))
    def nothing_watches(self, minutes: int) -> None:
        self.room.clock.sleep(minutes * 60)

    def say(self, kind: Kind, **data: object) -> None:
        """A command of a person reads the whole record first."""
        self.room.journal.refresh()
        if self.room.state.back is None and not self.room.state.is_over:
            self.room.say(kind, **data)

    @invariant()
    def rules(self) -> None:
        if hasattr(self, "room"):
            self.keeps_the_rules()

    def keeps_the_rules(self) -> None:
        journal = self.room.journal
        events = journal.chain.events
        assert journal.chain.broken is None
        assert fold(events) == journal.state, "the state is the fold of the record"
        step, gone_back, opened, promoted, asked = -1, False, None, False, set()
        for event in events:
            data = event.data
            if event.kind is Kind.INTENT:
                to, direction = Split.from_values(data["to"]), Direction(data["direction"])
                assert to in ALLOWED, "weights are those of a step or the baseline"
                assert sum(to.traffic.values()) == 100
                assert not to.traffic.keys() & to.mirror.keys()
                assert opened is None or direction is Direction.BACK, "one open change"
                assert not gone_back or direction is Direction.BACK, "no step follows the way back"
                if direction is Direction.FORWARD:
                    assert data["step"] == min(step + 1, 3)
                    assert data["step"] != 2 or 2 in asked, "an approved step"
                    if step >= 0 and not promoted:
                        assert set(data["verdicts"].values()) == {"pass"}
                gone_back = gone_back or direction is Direction.BACK
                opened = event.seq, data["step"]
            elif event.kind in {Kind.APPLIED, Kind.WITHDRAWN}:
                assert opened is not None
                assert data["intent"] == opened[0]
                step = opened[1] if event.kind is Kind.APPLIED else step
                opened = None
            elif event.kind is Kind.RECONCILED:
                opened = None
            elif event.kind is Kind.PROMOTED:
                promoted = True
            elif event.kind is Kind.APPROVED:
                asked.add(data["step"])
        if step >= 0 and not journal.state.is_over:
            assert self.room.azure.autoscale["blue"]["autoscale.min"] == self.floor, "the stable colour keeps its floor"
        starts = [interval.start for interval in journal.state.intervals]
        assert starts == sorted(set(starts)), "every interval once, in order"

    def end(self) -> None:
        """The trouble is over, and a person answers what is asked: then the rollout ends, and everything agrees."""
        room = self.room
        room.engine.faults, room.crash_at, room.capacity.too_small = [], None, None
        room.azure.unreachable, room.azure.updating_until, room.azure.routing_lag = False, 0, 0
        room.azure.state = "Succeeded"
        room.metrics.fault, room.metrics.shared_error_rate = None, 0.002
        room.metrics.error_rate = good
        self.green_is("Succeeded")
        room.boot()
        for _ in range(300):
            tick = room.tick()
            if tick.state.is_over and tick.state.reserved is None:
                break
            held = tick.state.held
            if held is not None:
                if held.kind is HoldKind.APPROVAL:
                    self.say(Kind.APPROVED, by="eve", reason="", step=2)
                elif held.kind is HoldKind.DRIFT:
                    self.say(Kind.RESUMED, by="eve", reason="", drift="restore")
                elif held.kind in {HoldKind.PAUSED, HoldKind.ENGINE, HoldKind.INCONCLUSIVE}:
                    self.say(Kind.RESUMED, by="eve", reason="", drift=None)
        else:
            raise AssertionError(f"it did not end: {tick.text} ({tick.act})")
        room.tick()
        self.keeps_the_rules()
        done = room.state.phase is Phase.DONE
        assert room.azure.split == (GREEN if done else BLUE) or room.state.ended is None
        assert room.azure.autoscale["blue"] == room.file.deployments["blue"] == SCALED
        room.assert_agreed()


TestTrouble = Trouble.TestCase
TestTrouble.settings = settings(max_examples=max(20, settings.default.max_examples // 4), stateful_step_count=20)
