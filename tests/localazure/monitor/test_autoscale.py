"""What autoscale decides: rules, bounds, cool-downs, schedules. Pure; the clock is a number."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localazure.monitor.autoscale import Current, active_profile, decide, last_start
from localazure.monitor.autoscale_setting import hastened, read_setting
from localazure.monitor.errors import SettingError, SettingNotEmulated

DEPLOYMENT = "/subscriptions/s/deployments/blue"
NOW = datetime(2026, 11, 18, 12, 0, tzinfo=ZoneInfo("UTC")).timestamp()  # a Wednesday


def rule(direction="Increase", operator="GreaterThan", threshold=70.0, value="1", metric="Cpu", **more: Any):
    """One rule as ARM has it; `trigger` and `action` change single fields."""
    trigger = {
        "metricName": metric,
        "metricResourceUri": DEPLOYMENT,
        "timeGrain": "PT1M",
        "timeWindow": "PT5M",
        "statistic": "Average",
        "timeAggregation": "Average",
        "operator": operator,
        "threshold": threshold,
    } | more.get("trigger", {})
    action = {"direction": direction, "type": "ChangeCount", "value": value, "cooldown": "PT10M"} | more.get(
        "action", {}
    )
    return {"metricTrigger": trigger, "scaleAction": action}


def profile(*rules, low=1, high=10, default=2, name="default", **more: Any):
    capacity = {"minimum": str(low), "maximum": str(high), "default": str(default)}
    return {"name": name, "capacity": capacity, "rules": list(rules), **more}


def setting(*profiles, **more: Any):
    return read_setting({"targetResourceUri": DEPLOYMENT, "enabled": True, "profiles": list(profiles), **more})


def after(wanted, current: int, *, now: float = NOW, last: float | None = None, **values: Any) -> int:
    """The count that is decided when each metric has one value in each of five minutes, or the given grains."""

    def read(trigger):
        value = values.get(trigger.metric)
        return [[value]] * 5 if isinstance(value, int | float) else value

    return decide(wanted, read, now, Current(current, last)).instances


OUT, IN = rule(), rule("Decrease", "LessThan", 30)


@pytest.mark.parametrize(("cpu", "expected"), [(71, 4), (70, 3), (31, 3), (29, 2)])
def test_out_above_a_threshold_in_below_another(cpu, expected):
    assert after(setting(profile(OUT, IN)), 3, Cpu=cpu) == expected


def test_any_rule_scales_out_and_the_greatest_result_counts():
    wanted = setting(profile(OUT, rule(value="3", metric="Rpm"), IN))
    assert after(wanted, 3, Cpu=90, Rpm=90) == 6
    assert after(wanted, 3, Cpu=90, Rpm=10) == 4
    assert after(wanted, 3, Cpu=10, Rpm=90) == 6


def test_scaling_in_needs_all_of_its_rules_and_takes_the_smallest_step():
    wanted = setting(profile(OUT, IN, rule("Decrease", "LessThan", 30, value="3", metric="Rpm")))
    assert after(wanted, 6, Cpu=10, Rpm=50) == 6
    assert after(wanted, 6, Cpu=10, Rpm=None) == 6
    assert after(wanted, 6, Cpu=10, Rpm=10) == 5


def test_bounds_bind_at_once_and_limit_every_step():
    wanted = setting(profile(rule(value="5"), rule("Decrease", "LessThan", 30, value="5"), low=2, high=6))
    assert after(wanted, 1, Cpu=50, last=NOW) == 2
    assert after(wanted, 9, Cpu=90, last=NOW) == 6
    assert after(wanted, 5, Cpu=90) == 6
    assert after(wanted, 3, Cpu=10) == 2


def test_nothing_happens_within_a_cool_down():
    wanted = setting(profile(OUT, IN))
    assert after(wanted, 3, Cpu=90, last=NOW - 599) == 3
    assert after(wanted, 3, Cpu=90, last=NOW - 600) == 4
    assert after(wanted, 3, Cpu=10, last=NOW - 599) == 3
    assert after(wanted, 3, Cpu=10, last=NOW - 600) == 2


def test_it_does_not_scale_in_when_that_would_scale_out_again():
    in_ = rule("Decrease", "LessThan", 65, metric="CpuUtilizationPercentage", value="2")
    wanted = setting(profile(rule(metric="CpuUtilizationPercentage"), in_))
    assert after(wanted, 4, CpuUtilizationPercentage=30) == 2  # 60 on two instances
    assert after(wanted, 4, CpuUtilizationPercentage=50) == 3  # 100 on two, 67 on three
    assert after(wanted, 4, CpuUtilizationPercentage=60) == 4


@pytest.mark.proves("autoscalesettings", honours=["properties.profiles.capacity"])
def test_the_default_count_holds_when_metrics_cannot_be_read():
    wanted = setting(profile(OUT, IN, default=4))
    assert after(wanted, 2) == 4
    assert after(wanted, 6) == 6
    assert after(wanted, 2, Cpu=[[], []]) == 4


@pytest.mark.parametrize(
    ("statistic", "aggregation", "expected"),
    [
        *(("Average", "Average", 25), ("Max", "Average", 30), ("Min", "Minimum", 10), ("Sum", "Total", 100)),
        *(("Average", "Last", 35), ("Max", "Maximum", 40), ("Count", "Average", 2), ("Average", "Count", 2)),
    ],
)
def test_values_of_instances_and_of_minutes_are_aggregated_as_the_trigger_asks(statistic, aggregation, expected):
    fields = {"statistic": statistic, "timeAggregation": aggregation}
    wanted = setting(profile(rule(operator="Equals", threshold=expected, trigger=fields)))
    assert after(wanted, 2, Cpu=[[10, 20], [30, 40]]) == 3


def test_a_metric_can_be_divided_by_the_number_of_instances():
    wanted = setting(profile(rule(threshold=100, trigger={"dividePerInstance": True})))
    assert after(wanted, 4, Cpu=400) == 4
    assert after(wanted, 4, Cpu=401) == 5


@pytest.mark.parametrize(
    ("kind", "direction", "value", "expected"),
    [
        *(("ChangeCount", "Increase", "2", 6), ("ChangeCount", "Decrease", "2", 2)),
        *(("PercentChangeCount", "Increase", "50", 6), ("PercentChangeCount", "Decrease", "10", 3)),
        *(("ExactCount", "Increase", "9", 9), ("ExactCount", "Decrease", "2", 2), ("ExactCount", "Increase", "2", 4)),
    ],
)
@pytest.mark.proves("autoscalesettings", honours=["properties.profiles.rules.scaleAction"])
def test_actions(kind, direction, value, expected):
    wanted = setting(profile(rule(direction, "GreaterThan", 0, action={"type": kind, "value": value})))
    assert after(wanted, 4, Cpu=1) == expected


def test_a_disabled_setting_does_nothing():
    assert after(setting(profile(OUT, low=5, default=5), enabled=False), 1, Cpu=99) == 1


# Schedules


def weekly(*days: str, hour: int = 8, minute: int = 0, zone: str = "UTC"):
    return {
        "frequency": "Week",
        "schedule": {"timeZone": zone, "days": list(days), "hours": [hour], "minutes": [minute]},
    }


def at(day: int, hour: int, minute: int = 0, zone: str = "UTC") -> float:
    """November 2026; the 18th is a Wednesday."""
    return datetime(2026, 11, day, hour, minute, tzinfo=ZoneInfo(zone)).timestamp()


@pytest.mark.proves("autoscalesettings", honours=["properties.profiles.fixedDate", "properties.profiles.recurrence"])
def test_fixed_dates_go_before_recurrences_and_these_before_the_regular_profile():
    dates = {"timeZone": "UTC", "start": "2026-11-18T10:00:00Z", "end": "2026-11-18T14:00:00"}
    days = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday")
    wanted = setting(
        profile(),
        profile(name="work", recurrence=weekly(*days)),
        profile(name='{"name":"Auto created default scale condition","for":"work"}', recurrence=weekly(*days, hour=18)),
        profile(name="sale", fixedDate=dates),
    )

    def name(now: float) -> str:
        found = active_profile(wanted.profiles, now)
        assert found is not None
        return found.name

    assert name(at(18, 12)) == "sale"
    assert name(at(18, 9)) == "work"
    assert name(at(18, 14)) == "work"
    assert "Auto created" in name(at(18, 18))
    assert "Auto created" in name(at(18, 7, 59))
    assert "Auto created" in name(at(22, 12))  # Sunday: Friday evening's goes on
    assert active_profile(setting(profile()).profiles, NOW) is not None
    only = setting(profile(name="sale", fixedDate=dates)).profiles
    assert active_profile(only, at(18, 15)) is None


@pytest.mark.proves("autoscalesettings", honours=["properties.profiles.recurrence"])
def test_a_recurrence_begins_at_its_local_time_also_when_the_clocks_change():
    zone, name = "Europe/Berlin", "W. Europe Standard Time"
    schedule = setting(profile(recurrence=weekly("Sunday", "Monday", hour=8, zone=name))).profiles[0].when
    assert last_start(schedule, at(16, 8, zone=zone)) == at(16, 8, zone=zone)
    assert last_start(schedule, at(16, 7, 59, zone=zone)) == at(15, 8, zone=zone)
    october = datetime(2026, 10, 25, 8, tzinfo=ZoneInfo(zone)).timestamp()  # summer time ended at 3 o'clock
    assert last_start(schedule, october + 60) == october


@given(st.floats(0, 4e9), st.integers(0, 6), st.integers(0, 23), st.sampled_from(("UTC", "Pacific Standard Time")))
def test_a_weekly_schedule_began_less_than_eight_days_ago(now, day, hour, zone):
    names = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
    schedule = setting(profile(recurrence=weekly(names[day], hour=hour, zone=zone))).profiles[0].when
    assert 0 <= now - last_start(schedule, now) < 8 * 86400


# Properties

RULES = st.lists(
    st.builds(
        lambda direction, operator, threshold, value, kind: rule(
            direction, operator, threshold, str(value), action={"type": kind}
        ),
        st.sampled_from(("Increase", "Decrease")),
        st.sampled_from(("GreaterThan", "LessThan", "GreaterThanOrEqual", "NotEquals")),
        st.integers(0, 100),
        st.integers(1, 60),
        st.sampled_from(("ChangeCount", "PercentChangeCount", "ExactCount")),
    ),
    max_size=5,
)
BOUNDS = st.lists(st.integers(0, 20), min_size=3, max_size=3).map(sorted)


@given(RULES, BOUNDS, st.integers(0, 30), st.one_of(st.none(), st.integers(0, 100)), st.floats(0, 2000))
def test_whatever_the_rules_the_count_stays_within_bounds_and_moves_in_their_direction(
    rules, bounds, current, cpu, ago
):
    low, default, high = bounds
    wanted = setting(profile(*rules, low=low, high=high, default=default))
    result = after(wanted, current, Cpu=cpu, last=NOW - ago)
    assert low <= result <= high
    if low <= current <= high and cpu is not None:
        directions = {one.increases for one in wanted.profiles[0].rules}
        assert result <= current or True in directions
        assert result >= current or False in directions
    assert after(wanted, current, Cpu=cpu, last=NOW - ago) == result


@given(RULES, st.integers(1, 20), st.integers(0, 100))
def test_within_every_cool_down_rules_change_nothing(rules, current, cpu):
    assert after(setting(profile(*rules, high=20)), current, Cpu=cpu, last=NOW - 1) == current


# Reading


@pytest.mark.proves(
    "autoscalesettings",
    refuses=[
        "properties.profiles",
        "properties.profiles.capacity",
        "properties.profiles.rules.metricTrigger",
        "properties.profiles.rules.scaleAction",
        "properties.profiles.recurrence",
    ],
)
def test_all_problems_of_a_setting_are_reported_together():
    broken = rule("Sideways", "Above", "hot", value="0", trigger={"timeWindow": "PT1M"}, action={"cooldown": "P30D"})
    with pytest.raises(SettingError) as caught:
        setting(
            profile(broken, low=5, high=2, recurrence=weekly("Someday", zone="Europe/Berlin")), profile(), profile()
        )
    said = str(caught.value)
    for part in ("minimum <= default", "direction", "operator", "threshold", "value", "timeWindow", "cooldown"):
        assert part in said
    for part in ("Windows name", "someday", "Only one profile"):
        assert part in said


@pytest.mark.parametrize(
    "changed",
    [
        profile(rule(action={"type": "ServiceAllowedNextValue"})),
        profile(recurrence=weekly("Monday") | {"frequency": "Day"}),
    ],
)
@pytest.mark.proves(
    "autoscalesettings", refuses=["properties.profiles.rules.scaleAction", "properties.profiles.recurrence"]
)
def test_what_only_azure_can_do_is_refused(changed):
    with pytest.raises(SettingNotEmulated):
        setting(changed)


@settings(max_examples=30)
@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5), lambda inner: st.lists(inner)))
def test_any_document_is_a_setting_or_an_error(document):
    for properties in ({"profiles": document}, {"profiles": [{"capacity": document, "rules": [document]}]}):
        with pytest.raises(SettingError):
            read_setting(properties)


def test_a_hastened_setting_has_seconds_for_minutes():
    wanted = hastened(setting(profile(OUT)), 60).profiles[0].rules[0]
    assert (wanted.trigger.grain_seconds, wanted.trigger.window_seconds, wanted.cooldown_seconds) == (1, 5, 10)
