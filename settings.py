"""The only reader of `pulumi.Config`: the stack file in, one frozen `Settings` or one `SettingsError` out.

Everything that is wrong with the file is reported together, sorted by key; each line has key, value, rule and fix. The
rules about single values are fields of the models in `stack_config.py`, `rollout_config.py` and `gate_config.py`; the
rules between sections are here, the words of pydantic's errors in `config_errors.py`. It knows neither the az ml YAML
of the models nor what is live in Azure.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection, Iterator, Mapping
from datetime import date

import pulumi
from pulumi.runtime.config import CONFIG
from pydantic import ValidationError

from config_errors import delay_problem, explain
from config_values import DELAY_PATTERN, MAX_MIRROR_PERCENT
from exit_codes import ExitCode
from network_config import Network
from private_zones import PUBLIC
from problem import Problem
from skus import SkuError, check_sku
from stack_config import Settings
from weights import DeclaredWeights

__all__ = ["Settings", "SettingsError", "load_settings", "parse_settings"]

NAMESPACE = "sluice"
LOCATION = "azure-native:location"
CLOUD, CLOUD_VARIABLE = "azure-native:environment", "ARM_ENVIRONMENT"
"""Where azure-native looks for the cloud, in this order."""
OTHER_NAMESPACES = frozenset({"azure-native", "pulumi"})
STRUCTURED = frozenset(
    {"access", "customer_key", "network", "tags", "storage", "compute", "existing", "limits", "endpoints", "rollout"}
)
"""Keys whose values are mappings: Pulumi hands them over as JSON text."""
ROLE_DELAY_VARIABLE = "SLUICE_ROLE_DELAY"
"""Environment variable that overrides `sluice:limits.role_delay`; 0s means no wait."""
NUMBERS = frozenset({"generation", "hbi", "locks"})
"""Keys whose values are numbers, or true and false: Pulumi passes them as strings, and `pulumi config set` writes them
in quotes."""


class SettingsError(pulumi.RunError):
    """The stack file is refused; `problems` has every reason, sorted by key."""

    exit_code = ExitCode.USAGE

    def __init__(self, problems: Collection[Problem], *, stack: str) -> None:
        self.problems = tuple(sorted(set(problems)))
        count = "1 problem" if len(self.problems) == 1 else f"{len(self.problems)} problems"
        lines = "".join(f"\n  {problem}" for problem in self.problems)
        super().__init__(f"The config of stack {stack} has {count}; nothing was changed:{lines}")


def load_settings(today: date) -> Settings:
    """Read the running stack's config; `today` decides which VM sizes are retired."""
    raw: dict[str, object] = {}
    for full_key, text in CONFIG.get().items():
        namespace, _, key = full_key.partition(":")
        if full_key == LOCATION:
            raw["location"] = text
        elif namespace == NAMESPACE and key != "cloud":
            raw[key] = _structured(text) if key in STRUCTURED else text
        elif namespace == NAMESPACE or _is_misspelt(namespace):
            raw[full_key] = text
    raw["cloud"] = CONFIG.get().get(CLOUD) or os.environ.get(CLOUD_VARIABLE) or PUBLIC
    return parse_settings(raw, stack=pulumi.get_stack(), today=today, role_delay=os.environ.get(ROLE_DELAY_VARIABLE))


def parse_settings(raw: Mapping[str, object], *, stack: str, today: date, role_delay: str | None = None) -> Settings:
    """Check the `sluice:` keys of a stack file (without the prefix, plus `location`) and return them typed.

    `today` decides which VM sizes are retired; `role_delay` wins over the stack file's.
    """
    problems: list[Problem] = []
    settings: Settings | None = None
    raw = {key: _structured(value) if key in NUMBERS else value for key, value in raw.items()}
    try:
        # JSON mode is strict about types and still reads arrays and enumerations, as a stack file has them.
        settings = Settings.model_validate_json(json.dumps({"stack": stack, **raw}, default=str))
    except ValidationError as error:
        problems += explain(error, stack=stack)
    problems += _between_sections(raw, stack=stack, today=today)
    if role_delay is not None and not re.match(DELAY_PATTERN, role_delay):
        problems.append(delay_problem(ROLE_DELAY_VARIABLE, role_delay))
    if settings is None or problems:
        raise SettingsError(problems, stack=stack)
    if role_delay is not None:
        limits = settings.limits.model_copy(update={"role_delay": role_delay})
        settings = settings.model_copy(update={"limits": limits})
    return settings


def _is_misspelt(namespace: str) -> bool:
    """Other namespaces belong to other programs, but a misspelling of this one's would be ignored silently."""
    if namespace in OTHER_NAMESPACES:
        return False
    from difflib import get_close_matches

    return bool(get_close_matches(namespace.lower(), [NAMESPACE], n=1, cutoff=0.7))


def _structured(text: object) -> object:
    """A mapping, or the text itself, which the models then refuse as not a mapping."""
    if not isinstance(text, str):
        return text
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def _between_sections(raw: Mapping[str, object], *, stack: str, today: date) -> Iterator[Problem]:
    """What no single section can know. Works on the raw values, so that it reports beside the models' errors."""
    endpoints = _mapping(raw.get("endpoints"))
    yield from _branches(raw, stack)
    yield from _without_effect(raw, stack)
    yield from _network_of_a_given_workspace(raw, stack)
    yield from _subnet_of_a_public_stack(raw, stack)
    yield from _required_proof(raw, stack)
    yield from _endpoint_names(endpoints, stack)
    yield from _skus(endpoints, stack, today)
    yield from _clusters(raw, stack, today)
    yield from _rollouts(_mapping(raw.get("rollout")), endpoints, _max_mirror(raw), stack)


def _branches(raw: Mapping[str, object], stack: str) -> Iterator[Problem]:
    if raw.get("branch") is not None:
        for key, rollout in _mapping(raw.get("rollout")).items():
            retire = _mapping(_mapping(rollout).get("plan")).get("retire", "keep")
            if retire in ("scale_down", "remove"):
                yield Problem(
                    f"sluice:rollout.{key}.plan.retire",
                    f'must be keep with sluice:branch, got "{retire}": the next sync would bring the old colour back '
                    "from the source branch",
                    f"Set retire: keep in Pulumi.{stack}.yaml, and remove the old colour by a pull request.",
                )
    if raw.get("after") is None:
        return
    if raw["after"] == stack:
        what = f'must name another stack, got "{stack}" itself'
        yield Problem("sluice:after", what, f"Fix it in Pulumi.{stack}.yaml.")
    if raw.get("branch") is None:
        yield Problem(
            "sluice:after",
            "needs sluice:branch, because it reads what the other stack's branch says was deployed",
            f"Set sluice:branch: sluice/{stack} in Pulumi.{stack}.yaml, and one in Pulumi.{raw['after']}.yaml.",
        )


def _without_effect(raw: Mapping[str, object], stack: str) -> Iterator[Problem]:
    """Keys about something that is given: this stack does not create it, so it cannot shape it."""
    given = _mapping(raw.get("existing"))
    key = next((key for key in ("storage", "workspace") if given.get(key) is not None), None)
    if key is not None and raw.get("storage") is not None:
        yield Problem(
            "sluice:storage",
            f"must not be set together with sluice:existing.{key}: it says how a new account is created",
            f"Remove one of them from Pulumi.{stack}.yaml.",
        )
    for key in ("customer_key", "hbi"):
        if given.get("workspace") is not None and raw.get(key) not in (None, False, "false"):
            yield Problem(
                f"sluice:{key}",
                "must not be set together with sluice:existing.workspace: it says how a new workspace is created",
                f"Remove one of them from Pulumi.{stack}.yaml.",
            )
    has_vault = given.get("vault") is not None or given.get("workspace") is not None
    if raw.get("locks") in (True, "true") and given.get("log_analytics") is not None and has_vault:
        yield Problem(
            "sluice:locks",
            "has nothing to lock: Log Analytics and the vault are given, and their owner locks them",
            f"Remove it from Pulumi.{stack}.yaml.",
        )


def _subnet_of_a_public_stack(raw: Mapping[str, object], stack: str) -> Iterator[Problem]:
    network = raw.get("network")
    mode = _mapping(network).get("mode", network)
    if _mapping(raw.get("existing")).get("subnet") is not None and mode == Network.PUBLIC.value:
        yield Problem(
            "sluice:existing.subnet",
            "needs a private stack: a public one has no private endpoints",
            f"Remove it from Pulumi.{stack}.yaml, or set sluice:network to private.",
        )


def _network_of_a_given_workspace(raw: Mapping[str, object], stack: str) -> Iterator[Problem]:
    extra = sorted(_mapping(raw.get("network")).keys() - {"mode"})
    if _mapping(raw.get("existing")).get("workspace") is not None and extra:
        yield Problem(
            "sluice:network",
            f"must not have {', '.join(extra)} with sluice:existing.workspace, whose network is its owner's",
            f"Remove them from Pulumi.{stack}.yaml, and leave the mode.",
        )


def _required_proof(raw: Mapping[str, object], stack: str) -> Iterator[Problem]:
    """A stack that demanded its own proof could give no release its first weight, and so prove none."""
    if _mapping(raw.get("limits")).get("require_proof") == stack:
        what = f'must name another stack, which proves releases before this one, got "{stack}" itself'
        yield Problem("sluice:limits.require_proof", what, f"Fix it in Pulumi.{stack}.yaml.")


def _endpoint_names(endpoints: Mapping[str, object], stack: str) -> Iterator[Problem]:
    """Names that are given twice; default names are left out, because they hold a hash of the subscription."""
    seen: dict[str, str] = {}
    for key, value in endpoints.items():
        name = _mapping(value).get("name")
        if not isinstance(name, str):
            continue
        if name in seen:
            yield Problem(
                f"sluice:endpoints.{key}",
                f'must have another name in Azure than sluice:endpoints.{seen[name]}, got "{name}" twice',
                f"Set sluice:endpoints.{key}.name in Pulumi.{stack}.yaml.",
            )
        seen.setdefault(name, key)


def _skus(endpoints: Mapping[str, object], stack: str, today: date) -> Iterator[Problem]:
    for key, value in endpoints.items():
        for name, deployment in _mapping(_mapping(value).get("deployments")).items():
            sku = _mapping(deployment).get("sku")
            if not isinstance(sku, str):
                continue
            try:
                check_sku(sku, today)
            except SkuError as error:
                path = f"sluice:endpoints.{key}.deployments.{name}.sku"
                yield Problem(path, error.what, f"{error.fix} Fix it in Pulumi.{stack}.yaml.".lstrip())


def _clusters(raw: Mapping[str, object], stack: str, today: date) -> Iterator[Problem]:
    """Sizes of clusters, and a build cluster where nothing needs one."""
    compute, file = _mapping(raw.get("compute")), f"Pulumi.{stack}.yaml"
    batch = _mapping(compute.get("batch"))
    clusters = {"build": compute.get("build"), "batch.cpu": batch.get("cpu"), "batch.gpu": batch.get("gpu")}
    for name, cluster in clusters.items():
        size = _mapping(cluster).get("sku")
        if not isinstance(size, str):
            continue
        path = f"sluice:compute.{name}.sku"
        try:
            sku = check_sku(size, today)
        except SkuError as error:
            yield Problem(path, error.what, f"{error.fix} Fix it in {file}.".lstrip())
            continue
        if name == "batch.gpu" and sku is not None and not sku.has_gpus:
            yield Problem(path, f"must have GPUs, and {sku.name} has none", f"Choose another size in {file}.")
    if compute and _mapping(raw.get("existing")).get("workspace") is not None:
        yield Problem(
            "sluice:compute",
            "must not stand beside sluice:existing.workspace: the clusters of a workspace are its owner's",
            f"Remove it from {file}, and declare the clusters where the workspace is declared.",
        )
    network = raw.get("network")
    mode = network.get("mode") if isinstance(network, Mapping) else network
    if compute.get("build") is not None and mode == "public":
        yield Problem(
            "sluice:compute.build",
            "needs a private stack: the registry of a public one builds the images itself",
            f"Remove it from {file}.",
        )


def _rollouts(
    rollout: Mapping[str, object], endpoints: Mapping[str, object], max_mirror: int, stack: str
) -> Iterator[Problem]:
    for key, value in rollout.items():
        if key not in endpoints:
            declared = ", ".join(sorted(endpoints)) or "none"
            yield Problem(
                f"sluice:rollout.{key}",
                f"names an endpoint that sluice:endpoints does not declare (declared: {declared})",
                f"Fix it in Pulumi.{stack}.yaml.",
            )
            continue
        section, deployments = _mapping(value), _mapping(_mapping(endpoints[key]).get("deployments"))
        yield from DeclaredWeights(
            stack=stack,
            key=key,
            traffic=_mapping(section.get("traffic")),
            mirror=_mapping(section.get("mirror")),
            deployments=deployments.keys(),
            stable=section.get("stable"),
            max_mirror=max_mirror,
        ).problems()


def _max_mirror(raw: Mapping[str, object]) -> int:
    """The stack's limit if it is one at all; the models report it otherwise."""
    value = _mapping(raw.get("limits")).get("max_mirror")
    return value if isinstance(value, int) and not isinstance(value, bool) else MAX_MIRROR_PERCENT


def _mapping(value: object) -> Mapping[str, object]:
    """The value, or nothing to check if the models report that it is no mapping."""
    return value if isinstance(value, Mapping) else {}
