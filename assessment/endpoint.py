"""Checks one endpoint of a stack, and returns what this update declares for it.

`stack.py` makes a draft of each endpoint and collects the problems of all of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path

from assessment.declaration import DIGEST_DIGITS, DeploymentDeclaration, EndpointDeclaration
from assessment.instances import autoscale_of, least_instances
from assessment.live import LiveStack
from assessment.problems import Refusal, collect
from assessment.provenance import provenance_of
from assessment.stack_warnings import registries_of
from assessment.tags import stack_tags, tags_of_others
from config_values import MAX_INSTANCES
from endpoint_state import DeclaredDeployment, DeclaredEndpoint, LiveDeployment, LiveEndpoint, Transition
from models.advice import unpinned_image, unpinned_packages
from models.content import RELEASES_FOLDER
from models.release_lock import read_lock, require_published
from models.spec import (
    LocalAsset,
    Model,
    content_digest,
    release_digest,
    unknown_variables,
)
from naming import Names
from network_config import Network
from problem import Problem
from rollout_config import RolloutSettings
from skus import SkuError, check_sku, find_sku
from stack_config import EndpointSettings, Settings
from transitions import validate_transition

__all__ = ["EndpointDraft", "check_without_files"]


def check_without_files(settings: Settings, live: LiveStack, name: str, folder: Path) -> None:
    """Check an endpoint whose files cannot be read, as if they said what is live; raise `TransitionError`.

    `folder` is the model's, which has the name of its key in the stack file.
    """
    key = folder.name
    endpoint, rollout = live.endpoints.get(name), settings.rollout.get(key, RolloutSettings())
    existing = endpoint.deployments if endpoint else {}
    declared = DeclaredEndpoint(
        stack=settings.stack,
        key=key,
        name=name,
        auth_mode=endpoint.auth_mode if endpoint else "",
        identity_ids=endpoint.identity_ids if endpoint else frozenset(),
        traffic=rollout.traffic,
        mirror=rollout.mirror,
        deployments={
            deployment: DeclaredDeployment(
                release=(existing[deployment].release if deployment in existing else None) or "",
                allow_live_change=True,
                instances=chosen.autoscale.min if chosen.autoscale else chosen.instances or MAX_INSTANCES,
                scales=chosen.autoscale is not None,
                idles=chosen.autoscale is not None and chosen.autoscale.idle_instances is not None,
                provenance=provenance_of(folder, chosen),
            )
            for deployment, chosen in settings.endpoints[key].deployments.items()
        },
    )
    state = live.around(endpoint)
    validate_transition(state, declared, rollout.stable, settings.limits)


@dataclass(frozen=True)
class EndpointDraft:
    """One endpoint with its files loaded and its live state read, but not checked yet."""

    settings: Settings
    names: Names
    live: LiveStack
    key: str
    name: str
    model: Model
    folder: Path
    today: date

    @property
    def _endpoint(self) -> EndpointSettings:
        return self.settings.endpoints[self.key]

    @property
    def _rollout(self) -> RolloutSettings:
        return self.settings.rollout.get(self.key, RolloutSettings())

    @property
    def _is_to_serve(self) -> bool:
        return any(self._rollout.traffic.values()) or any(self._rollout.mirror.values())

    def declare(self, problems: list[Refusal]) -> EndpointDeclaration | None:
        """Check the endpoint; None if something is wrong, which `problems` then holds."""
        before = len(problems)
        problems += self._file_problems()
        live = self.live.endpoints.get(self.name)
        state = self.live.around(live)
        stable, limits = self._rollout.stable, self.settings.limits
        transition = collect(problems, partial(validate_transition, state, self._declared(), stable, limits))
        # Also for a refused change: its content has to be published before it can be allowed.
        names = (
            transition.deployments if transition else self._endpoint.deployments if self.live.workspace_exists else ()
        )
        published = collect(problems, partial(self._published, tuple(names)))
        if transition is None or published is None or len(problems) > before:
            return None
        return EndpointDeclaration(
            key=self.key,
            name=self.name,
            model=self.model,
            transition=transition,
            live=live,
            role_delay_seconds=0 if live else self.settings.limits.role_delay_seconds,
            protect=self.settings.protect or self._is_to_serve,
            registries=self._registries(),
            next=self._next(transition),
            secret_vaults=self._endpoint.secret_vaults,
            connection_secrets=self._endpoint.connection_secrets,
            tags_of_others=self._tags_of_others(live),
            deployments=tuple(self._deployment(name, transition, published) for name in transition.deployments),
        )

    def _is_idle(self, name: str) -> bool:
        """Whether a deployment is to have no weight and is not the way back, whose instances a rollout may hold.

        Weights that wait count: the instances start before they are given.
        """
        rollout = self._rollout
        return name != rollout.stable and not rollout.traffic.get(name) and not rollout.mirror.get(name)

    def _tags_of_others(self, live: LiveEndpoint | None) -> frozenset[str]:
        own = stack_tags(self.settings), self.model.endpoint.tags, self.live.outputs.get("tags") or {}
        return tags_of_others(live.tags, *own) if live else frozenset()

    def _registries(self) -> dict[str, str]:
        """The registries of all declared deployments, including those that wait: roles take minutes to take effect."""
        used = [name for spec in self.model.deployments.values() for name in registries_of(spec)]
        ids = {name.lower(): self.settings.existing.registry_id(name) for name in sorted(used)}
        return {name: registry_id for name, registry_id in ids.items() if registry_id is not None}

    def _declared(self) -> DeclaredEndpoint:
        own, declared = self.names.endpoint_identity_id(self.key), self.model.endpoint.identity
        identities = (own,) if declared is None else declared.resource_ids
        return DeclaredEndpoint(
            stack=self.settings.stack,
            key=self.key,
            name=self.name,
            auth_mode=self.model.endpoint.auth_mode,
            identity_ids=frozenset(identities),
            traffic=self._rollout.traffic,
            mirror=self._rollout.mirror,
            deployments={
                name: DeclaredDeployment(
                    release=self._release(name),
                    allow_live_change=deployment.allow_live_change,
                    instances=least_instances(self.model.deployments[name], deployment),
                    scales=autoscale_of(self.model.deployments[name], deployment) is not None,
                    idles=deployment.autoscale is not None and deployment.autoscale.idle_instances is not None,
                    unpinned_image=unpinned_image(self.model.deployments[name]),
                    unpinned_packages=unpinned_packages(self.model.deployments[name]),
                    provenance=provenance_of(self.folder, deployment),
                )
                for name, deployment in self._endpoint.deployments.items()
            },
            kubernetes=self.model.endpoint.compute is not None,
        )

    def _release(self, name: str) -> str:
        sku = self._endpoint.deployments[name].sku
        return release_digest(self.model.deployments[name], sku)[:DIGEST_DIGITS]

    def _content(self, name: str, kept: LiveDeployment | None) -> str | None:
        """The content tag; None if a deployment without it stays as it is, because a new tag would be an update."""
        if kept is not None and kept.content is None and kept.release == self._release(name):
            return None
        return content_digest(self.model.deployments[name])[:DIGEST_DIGITS]

    def _file_of(self, name: str) -> str:
        """The file that describes a deployment."""
        pin = self._endpoint.deployments[name].release
        return f"models/{self.key}/{f'{RELEASES_FOLDER}/{pin[:DIGEST_DIGITS]}.json' if pin else f'{name}.yml'}"

    def _file_problems(self) -> Iterator[Problem]:
        """Problems of the az ml files that depend on this stack or on the day."""
        endpoint = self.model.endpoint
        closed = endpoint.public_network_access == "Disabled" and endpoint.compute is None
        if self.settings.network.mode is Network.PUBLIC and closed:
            yield Problem(
                "public_network_access",
                "public_network_access must not be disabled in a public stack, which has no private endpoint: no "
                "client could reach the endpoint",
                "Remove the line, or use a private stack",
                file=f"models/{self.key}/endpoint.yml",
            )
        if self.settings.network.mode is Network.PRIVATE and endpoint.public_network_access == "Enabled":
            yield Problem(
                "public_network_access",
                "public_network_access must not be enabled in a private stack, whose endpoints answer in its network "
                "only",
                "Remove the line: without it, an endpoint is public in a public stack and private in a private one",
                file=f"models/{self.key}/endpoint.yml",
            )
        if endpoint.identity is not None:
            yield from self._unused_rights()
        if self.settings.network.mode is Network.PRIVATE and endpoint.compute is not None:
            yield Problem(
                "compute",
                "compute must not be set in a private stack: Azure does not support Kubernetes compute in a workspace "
                "with a managed network",
                "Remove the line, so that Azure ML manages the instances, or use a public stack",
                file=f"models/{self.key}/endpoint.yml",
            )
        for name, spec in self.model.deployments.items():
            file = self._file_of(name)
            yield from self._variable_problems(name)
            yield from self._gpu_problems(name)
            if self._endpoint.deployments[name].sku is None and self.model.endpoint.compute is None:
                try:
                    check_sku(spec.instance_type, self.today)
                except SkuError as error:
                    yield Problem("instance_type", f"instance_type: {error.what}", error.fix, file=file)
            chosen = self._endpoint.deployments[name]
            fixed = chosen.instances is None and chosen.autoscale is None and self.model.endpoint.compute is None
            if fixed and spec.instance_count > MAX_INSTANCES:
                yield Problem(
                    "instance_count",
                    f"instance_count must be at most {MAX_INSTANCES}, which is Azure's limit for a deployment, got "
                    f"{spec.instance_count}",
                    f"Write {MAX_INSTANCES} or less",
                    file=file,
                )
            if (
                self.settings.network.mode is Network.PRIVATE
                and spec.body.get("egressPublicNetworkAccess") == "Disabled"
            ):
                yield Problem(
                    "egress_public_network_access",
                    "egress_public_network_access must not be disabled in a private stack: that is the older network "
                    "of single deployments, and the workspace has a managed one",
                    "Remove the line",
                    file=file,
                )

    def _gpu_problems(self, name: str) -> Iterator[Problem]:
        """A rule on GPUs never acts on a size without GPUs: its metric has no values."""
        chosen = self._endpoint.deployments[name]
        sku = find_sku(chosen.sku or self.model.deployments[name].instance_type)
        rules = chosen.autoscale.rules if chosen.autoscale else None
        if rules is None or sku is None or sku.has_gpus:
            return
        for key, rule in (("gpu", rules.gpu), ("gpu_memory", rules.gpu_memory)):
            if rule is not None:
                yield Problem(
                    f"sluice:endpoints.{self.key}.deployments.{name}.autoscale.rules.{key}",
                    f"needs a VM size with GPUs, and {sku.name} has none",
                    f"Remove the rule in Pulumi.{self.settings.stack}.yaml, or choose another size.",
                )

    def _unused_rights(self) -> Iterator[Problem]:
        """Rights of an identity that this stack does not create: its owner grants them."""
        for key in ("secret_vaults", "connection_secrets"):
            if getattr(self._endpoint, key):
                yield Problem(
                    f"sluice:endpoints.{self.key}.{key}",
                    f"has no effect, because models/{self.key}/endpoint.yml names an identity, and this program grants "
                    "rights only to the identities that it creates",
                    f"Remove it from Pulumi.{self.settings.stack}.yaml and ask the identity's owner for the right, or "
                    "remove identity from endpoint.yml.",
                )

    def _variable_problems(self, name: str) -> Iterator[Problem]:
        """A stack may give other values to the variables of a release; a new variable would be another release."""
        spec = self.model.deployments[name]
        known = ", ".join(sorted(spec.body.get("environmentVariables") or {})) or "none"
        for variable in unknown_variables(spec, self._endpoint.deployments[name].environment_variables):
            yield Problem(
                f"sluice:endpoints.{self.key}.deployments.{name}.environment_variables.{variable}",
                f"must be a variable that {self._file_of(name)} sets (it sets: {known})",
                f"Correct the name in Pulumi.{self.settings.stack}.yaml, or add the variable to environment_variables "
                f"of the release.",
            )

    def _published(self, deployments: tuple[str, ...]) -> dict[str, str]:
        """URI by digest of all local content that the deployments need."""
        specs = [self.model.deployments[name] for name in deployments]
        assets = {
            f"{spec.name}: {asset.kind}": asset
            for spec in specs
            for asset in (spec.model, spec.code)
            if isinstance(asset, LocalAsset)
        }
        if not assets:
            return {}
        found = require_published(
            read_lock(self.folder),
            self.settings.stack,
            assets,
            workspace_id=self.names.workspace_id,
            workspace_guid=self.live.workspace_guid,
        )
        return {asset.digest: asset.uri for asset in found.values()}

    def _next(self, transition: Transition) -> str | None:
        local = any(
            isinstance(a, LocalAsset) for spec in self.model.deployments.values() for a in (spec.model, spec.code)
        )
        if transition.next is None or self.live.workspace_exists or not local:
            return transition.next
        # Publishing writes to the workspace's storage, so the workspace must exist first.
        return f"sluice release publish {self.key} --stack {self.settings.stack} && {transition.next}"

    def _deployment(self, name: str, transition: Transition, published: Mapping[str, str]) -> DeploymentDeclaration:
        spec, chosen = self.model.deployments[name], self._endpoint.deployments[name]
        live = self.live.endpoints.get(self.name)
        found = live.deployments.get(name) if live else None
        autoscale = autoscale_of(spec, chosen)
        if autoscale is not None and self._is_idle(name):
            autoscale = autoscale.while_idle()
        failed_again = found is not None and found.state == "failed" and name in transition.replaced
        return DeploymentDeclaration(
            name=name,
            spec=spec,
            release=self._release(name),
            content=self._content(name, None if name in transition.replaced else found),
            instance_type=_instance_type(chosen.sku or spec.instance_type),
            instances=chosen.instances or (autoscale.default if autoscale else spec.instance_count),
            autoscale=autoscale,
            published=published,
            attempt=(found.attempt if found else 0) + failed_again,
            serving=any(name in weights for weights in _carried(transition, live)),
            weight=transition.traffic.get(name, 0),
            mirror=transition.mirror.get(name, 0),
            kept=None if name in transition.replaced else found,
        )


def _carried(transition: Transition, live: LiveEndpoint | None) -> list[Mapping[str, int]]:
    """Weights that are not 0, after this update and now."""
    after: list[Mapping[str, int]] = [transition.traffic, transition.mirror]
    return [*after, live.traffic, live.mirror] if live else after


def _instance_type(name: str) -> str:
    """Return a VM size in Azure's spelling: another spelling would be a change, which is impossible in place."""
    sku = find_sku(name)
    return sku.name if sku else name
