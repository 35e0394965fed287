"""The models of the gates of a rollout plan: what the new colour must keep to before it gets more requests.

A gate without a bound is refused here. Whether a gate can decide anything at the endpoint's traffic is a question for
`rollout/plan/lint.py`. Imports no Pulumi.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from config_values import Duration, Key, Section, seconds_of

URL_PATTERN = r"^https?://[^\s/]+(/\S*)?$"
"""An HTTP address without spaces."""

FUNCTION_PATTERN = r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*:[A-Za-z_][A-Za-z0-9_]*$"
"""A module of the repository and a function in it, `module:function`."""

Share = Annotated[float, Field(gt=0, le=1)]
Milliseconds = Annotated[float, Field(gt=0)]
Ratio = Annotated[float, Field(ge=1)]
UsagePercent = Annotated[float, Field(gt=0, le=100)]
Url = Annotated[str, StringConstraints(pattern=URL_PATTERN)]
Function = Annotated[str, StringConstraints(pattern=FUNCTION_PATTERN)]


class Gate(Section):
    """What all gates have."""

    dry_run: bool = False
    """Record and show what the gate says, and do not act on it."""


def _refuse_empty(gate: Gate, *bounds: str) -> None:
    if all(getattr(gate, bound) is None for bound in bounds):
        *others, last = bounds
        raise PydanticCustomError(
            "gate_empty", "must have a bound ({bounds})", {"bounds": f"{', '.join(others)} or {last}"}
        )


class ErrorRateGate(Gate):
    """Errors of the model: 5xx, 408, and 424 unless the model itself answered 4xx."""

    max: Share | None = None
    """Highest error rate, 0 to 1."""
    vs_stable: Ratio | None = None
    """Highest ratio to the error rate of the other colours in the same minutes."""

    @model_validator(mode="after")
    def _has_a_bound(self) -> Self:
        _refuse_empty(self, "max", "vs_stable")
        return self


class ClientErrorRateGate(Gate):
    """4xx answers that the callers' input may have caused; compared with the other colours only."""

    vs_stable: Ratio
    """Highest ratio to the rate of the other colours in the same minutes."""


class LatencyGate(Gate):
    """One percentile of the latency."""

    max_ms: Milliseconds | None = None
    """Highest latency in milliseconds."""
    vs_stable: Ratio | None = None
    """Highest ratio to the latency of the other colours in the same minutes."""

    @model_validator(mode="after")
    def _has_a_bound(self) -> Self:
        _refuse_empty(self, "max_ms", "vs_stable")
        return self


class SaturationGate(Gate):
    """How busy the new colour's instances are. Holds a rollout; it fails only at the step's deadline."""

    cpu: UsagePercent | None = None
    """Highest CPU utilisation in percent."""
    memory: UsagePercent | None = None
    """Highest memory utilisation in percent."""
    throttled: Share | None = None
    """Highest share of requests that the endpoint refuses with 429, 0 to 1."""

    @model_validator(mode="after")
    def _has_a_bound(self) -> Self:
        _refuse_empty(self, "cpu", "memory", "throttled")
        return self


class CheckSettings(Gate):
    """A check of your own: an address that answers 200, or a function of this repository that returns true.

    Holds a rollout; it fails only at the step's deadline.
    """

    url: Url | None = None
    """Address that is asked with GET."""
    function: Function | None = None
    """Function of this repository, module:function."""
    timeout: Duration = "10s"
    """How long an answer may take; later is an error of the check."""

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if (self.url is None) == (self.function is None):
            raise PydanticCustomError("check_kind", "must have either url or function, not both and not neither")
        return self

    @property
    def timeout_seconds(self) -> int:
        """The timeout as a number."""
        return seconds_of(self.timeout)


class GatesSettings(Section):
    """What each step has to pass."""

    error_rate: ErrorRateGate | None = None
    """Errors of the model."""
    client_error_rate: ClientErrorRateGate | None = None
    """Other 4xx answers."""
    latency_p50: LatencyGate | None = None
    """Median latency."""
    latency_p90: LatencyGate | None = None
    """Latency that 90 % of the requests keep to."""
    latency_p95: LatencyGate | None = None
    """Latency that 95 % of the requests keep to."""
    latency_p99: LatencyGate | None = None
    """Latency that 99 % of the requests keep to; needs about 100 requests a minute to say anything."""
    saturation: SaturationGate | None = None
    """CPU, memory and refused requests of the new colour."""
    checks: dict[Key, CheckSettings] = Field(default_factory=dict)
    """Checks of your own, by name."""

    @property
    def latency(self) -> Mapping[float, LatencyGate]:
        """The latency gates by quantile: 0.5, 0.9, 0.95, 0.99."""
        gates = {0.5: self.latency_p50, 0.9: self.latency_p90, 0.95: self.latency_p95, 0.99: self.latency_p99}
        return {quantile: gate for quantile, gate in gates.items() if gate is not None}

    def named(self) -> Iterator[tuple[str, Gate]]:
        """Every gate with its name: its key in the stack file, such as `latency_p95` or `checks.smoke`."""
        for name in type(self).model_fields:
            gate = getattr(self, name)
            if isinstance(gate, Gate):
                yield name, gate
        for name, check in self.checks.items():
            yield f"checks.{name}", check
