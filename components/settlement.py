"""Whether Azure matches the declaration after an update, and if not, which command corrects it.

The engine compares what is declared with its own state, never with Azure: if weights were emptied or a deployment was
deleted by hand, it does nothing, and a plain update reports success. The program has read Azure at its start. Where
Azure differs from what it declares, it checks whether the engine acts: in a preview, the outputs of a resource that the
engine changes are not known yet; after an update, it reads Azure again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
from pulumi_azure_native import machinelearningservices as ml

from assessment.azure_reads import ReadFailure, answers_to
from assessment.declaration import EndpointDeclaration
from assessment.live import Reads
from endpoint_state import LiveEndpoint
from naming import Names
from weights import show

__all__ = ["Settlement", "settle"]


@dataclass(frozen=True, kw_only=True)
class Settlement:
    """What the outputs say about an endpoint: its weights, whether it is settled, and the command that continues."""

    traffic: Mapping[str, int]
    mirror: Mapping[str, int]
    settled: bool
    next: str | None

    def weight(self, name: str) -> int:
        """Percent of live requests that a deployment gets."""
        return self.traffic.get(name, 0)

    def mirrored(self, name: str) -> int:
        """Percent of live requests that are mirrored to a deployment."""
        return self.mirror.get(name, 0)


def settle(
    declaration: EndpointDeclaration,
    names: Names,
    endpoint: ml.OnlineEndpoint,
    deployments: Mapping[str, ml.OnlineDeployment],
) -> pulumi.Output[Settlement]:
    """Return what to put out; reports what waits, and warns of everything that the engine leaves different in Azure."""
    return pulumi.Output.from_input(_settle(_Question(declaration, names, endpoint, deployments)))


async def _settle(question: _Question) -> Settlement:
    found, warnings = question.declaration.live, list[str]()
    if question.differs:
        found, warnings = await (question.ask_engine() if pulumi.runtime.is_dry_run() else question.ask_azure())
    transition = question.declaration.transition
    settlement = Settlement(
        traffic=found.traffic if found and warnings else transition.traffic,
        mirror=found.mirror if found and warnings else transition.mirror,
        settled=transition.settled and not warnings,
        next=question.refresh if warnings else question.declaration.next,
    )
    if transition.waiting:
        reasons = "; ".join(transition.waiting)
        line = f"{question.declaration.name} is not settled: {reasons}. Next: {settlement.next}"
        pulumi.log.info(line, question.endpoint)
    for warning in [*warnings, *question.failed()]:
        pulumi.log.warn(warning, question.endpoint)
    return settlement


class _Question:
    """One endpoint: what was live at the program's start, what is declared, and the resources that should join them."""

    def __init__(
        self,
        declaration: EndpointDeclaration,
        names: Names,
        endpoint: ml.OnlineEndpoint,
        deployments: Mapping[str, ml.OnlineDeployment],
    ) -> None:
        self.declaration = declaration
        self.endpoint = endpoint
        self._names = names
        self._deployments = deployments

    @property
    def refresh(self) -> str:
        """The command that makes the engine look at Azure, then act."""
        return f"pulumi up --refresh --stack {self._names.stack}"

    @property
    def differs(self) -> bool:
        """Whether Azure has to change, or should have changed already."""
        return bool(self._missing) or self._weights_differ(self.declaration.live)

    def failed(self) -> list[str]:
        """Deployments that get requests in the state Failed: a refused deletion leaves one so (recorded).

        It continues to serve. No update ends that state by itself, so it is reported and nothing waits for it.
        """
        declaration = self.declaration
        found = declaration.live.deployments if declaration.live else {}
        asked = {**declaration.transition.traffic, **declaration.transition.mirror}
        return [
            f"The deployment {name} of {declaration.name} was Failed in Azure when this program started, and it gets "
            "requests: the last operation on it failed or was refused, such as a deletion by hand. See `sluice "
            f"deployment-logs {declaration.key} {name} --stack {self._names.stack}`. To recreate it, give its "
            "weight to another deployment: at 0 % the next pulumi up replaces it."
            for name, weight in asked.items()
            if weight and name in found and found[name].state == "failed"
        ]

    @property
    def _missing(self) -> list[str]:
        """Deployments that were not there when the program started."""
        live = self.declaration.live
        return [name for name in self._deployments if live is None or name not in live.deployments]

    def _weights_differ(self, live: LiveEndpoint | None) -> bool:
        transition = self.declaration.transition
        return live is None or live.traffic != transition.traffic or live.mirror != transition.mirror

    async def ask_engine(self) -> tuple[LiveEndpoint | None, list[str]]:
        """In a preview: what stays as it was read, because the engine changes nothing."""
        live, warnings = self.declaration.live, []
        if self._weights_differ(live) and await _is_left_alone(self.endpoint):
            warnings.append(self._absent() if live is None else self._weights(live))
        gone = [name for name in self._missing if await _is_left_alone(self._deployments[name])]
        return live, warnings + self._gone(gone)

    async def ask_azure(self) -> tuple[LiveEndpoint | None, list[str]]:
        """After an update: what Azure has now of all that it did not have before."""
        name = self.declaration.name
        for resource in (self.endpoint, *(self._deployments[one] for one in self._missing)):
            await resource.id.future()
        reads = Reads(self._names.workspace_group, self._names.workspace)
        endpoint_id = self._names.endpoint_id(name)
        reads.endpoint(endpoint_id, name)
        ids = {self._names.deployment_id(name, one): one for one in self._missing}
        for deployment_id, one in ids.items():
            reads.deployment(deployment_id, name, one)
        answers = await answers_to(reads.questions)
        failures = [answer for answer in answers.values() if isinstance(answer, ReadFailure)]
        if failures:
            return None, [self._unknown(failures)]
        answer = answers[endpoint_id]
        live = (
            LiveEndpoint.from_resources(name, answer, {})
            if answer is not None and not isinstance(answer, ReadFailure)
            else None
        )
        warnings = [self._absent()] if live is None else [self._weights(live)] if self._weights_differ(live) else []
        return live, warnings + self._gone(
            [one for deployment_id, one in ids.items() if answers[deployment_id] is None]
        )

    def _weights(self, live: LiveEndpoint) -> str:
        declaration, stack = self.declaration, self._names.stack
        last = (
            f"It was last changed by {live.changed_by or 'someone'} at {live.changed_at}. " if live.changed_at else ""
        )
        return (
            f"{declaration.name} has other weights in Azure ({_both(live.traffic, live.mirror)}) than declared "
            f"({_both(declaration.transition.traffic, declaration.transition.mirror)}). {last}Pulumi's state "
            f"already has the declared weights, so a plain pulumi up changes nothing. Run {self.refresh} to restore "
            f"the declared weights. To keep those in Azure, first write them into sluice:rollout.{declaration.key} in "
            f"Pulumi.{stack}.yaml."
        )

    def _absent(self) -> str:
        return self._deleted(f"The endpoint {self.declaration.name}")

    def _gone(self, names: Sequence[str]) -> list[str]:
        return [self._deleted(f"The deployment {name} of {self.declaration.name}") for name in names]

    def _deleted(self, what: str) -> str:
        return (
            f"{what} is declared but does not exist in Azure. It was deleted outside of this program: Pulumi's state "
            f"still has it, so a plain pulumi up does not recreate it. Run {self.refresh}."
        )

    def _unknown(self, failures: Sequence[ReadFailure]) -> str:
        reasons = "; ".join(f"{failure.what}: {failure.reason}" for failure in failures)
        return (
            f"{self.declaration.name} could not be read after the update ({reasons}), so the program cannot tell "
            f"whether it is as declared. Run {self.refresh}."
        )


async def _is_left_alone(resource: ml.OnlineEndpoint | ml.OnlineDeployment) -> bool:
    """Whether the engine neither creates nor updates a resource in this preview.

    A resource that it changes has unknown outputs until Azure has answered, such as the provisioning state.
    """
    return await pulumi.Output.all(resource.properties, resource.system_data).is_known()


def _both(traffic: Mapping[str, int], mirror: Mapping[str, int]) -> str:
    return f"live {show(traffic)}, mirrored {show(mirror)}"
