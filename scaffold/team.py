"""A new team: one stack file and one bootstrap config per environment, from what `sluice new team` was given.

Pure except for the look at the files that exist. The stack files are read back as strictly as `pulumi up` reads them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from ipaddress import IPv4Network
from pathlib import Path

import yaml

from bootstrap.environment import read_environment
from naming import NAME_PATTERN, Names
from network_plan import SMALLEST_ENDPOINT_SUBNET
from problem import Problem
from scaffold.errors import ScaffoldError
from scaffold.writing import in_the_way, write_files
from settings import SettingsError, parse_settings
from strict_yaml import as_scalar, read_yaml

__all__ = ["NewTeam", "write_team"]

BOOTSTRAP = "bootstrap"
_NAME = "2 to 24 lower-case letters, digits and single dashes, starting with a letter"


@dataclass(frozen=True, kw_only=True)
class NewTeam:
    """What was asked for."""

    name: str
    location: str
    environments: tuple[str, ...]
    """In the order in which a release passes through them."""
    address_space: str | None = None
    """Range that the environments divide; None: public stacks."""
    repository: str | None = None
    """owner/name on GitHub."""
    subject_prefix: str | None = None
    """How subjects of the repository's ID tokens begin, as GitHub prints it."""
    generation: int = 1
    """From 2 on, part of names: for a team that was removed and comes back."""

    def stack(self, environment: str) -> str:
        """The name of an environment's stack."""
        return f"{self.name}-{environment}"

    @property
    def stacks(self) -> tuple[str, ...]:
        """The names of the stacks."""
        return tuple(self.stack(one) for one in self.environments)

    def next_steps(self) -> list[str]:
        """The commands that continue, with what they are for."""
        first, command = self.stacks[0], self.prefix_command
        return [
            *([] if self.subject_prefix else [f"{command}  # into bootstrap:github of each file in bootstrap/"]),
            *(
                f"pulumi --cwd {BOOTSTRAP} up --stack {one}  # the platform team: docs/bootstrap.md"
                for one in self.stacks
            ),
            "sluice new endpoint KEY --from sklearn",
            f"pulumi stack init {first}",
            f"sluice preflight --stack {first}",
            f"pulumi up --stack {first}",
        ]

    @property
    def prefix_command(self) -> str:
        """Prints how subjects of the repository's ID tokens begin."""
        return f"gh api repos/{self.repository or 'OWNER/REPO'}/actions/oidc/customization/sub --jq .sub_claim_prefix"


def write_team(team: NewTeam, root: Path) -> tuple[Path, ...]:
    """Write the files of a team into a checkout and return them. Raises ScaffoldError with everything that is wrong."""
    what = f"the new team {team.name}"
    problems = list(_problems(team))
    if problems:
        problems += in_the_way(dict.fromkeys(_paths(team, root), ""), root)
        raise ScaffoldError(what, problems)
    ranges = _ranges(team)
    stacks = {
        root / f"Pulumi.{team.stack(one)}.yaml": _stack_file(team, index, ranges[index])
        for index, one in enumerate(team.environments)
    }
    bootstraps = {
        root / BOOTSTRAP / path.name: _bootstrap_file(team, one)
        for path, one in zip(stacks, team.environments, strict=True)
    }
    texts = {**stacks, **bootstraps}
    problems += in_the_way(texts, root)
    problems += _meetings(team, root)
    for path, text in stacks.items():
        problems += _refused(path.stem.removeprefix("Pulumi."), text)
    for path, text in bootstraps.items():
        keys = {key.partition(":")[2]: value for key, value in read_yaml(text)["config"].items()}
        found = read_environment(keys, file=f"{BOOTSTRAP}/{path.name}")[1]
        # Without a prefix it names no pipeline yet, which bootstrap refuses until somebody has filled it in.
        problems += [one for one in found if one.where or team.subject_prefix]
    if problems:
        raise ScaffoldError(what, problems)
    write_files(texts, what=what, root=root)
    return tuple(texts)


def _paths(team: NewTeam, root: Path) -> Iterator[Path]:
    for stack in team.stacks:
        if re.fullmatch(r"[A-Za-z0-9_.-]+", stack):
            yield root / f"Pulumi.{stack}.yaml"
            yield root / BOOTSTRAP / f"Pulumi.{stack}.yaml"


def _problems(team: NewTeam) -> Iterator[Problem]:
    if not _is_name(team.name):
        yield Problem("NAME", f'must be {_NAME}, got "{team.name}"', "Give another name.")
    if not re.fullmatch(r"[a-z][a-z0-9]*", team.location):
        yield Problem(
            "--location",
            f'must be a region\'s short name, such as westeurope, got "{team.location}"',
            "`az account list-locations --query '[].name'` lists them.",
        )
    for environment in sorted({one for one in team.environments if not _is_name(one)}):
        yield Problem("--environments", f'must be {_NAME} each, got "{environment}"', "Write them as dev,prod.")
    for environment, times in Counter(team.environments).items():
        if times > 1:
            yield Problem("--environments", f'must name each once, got "{environment}" {times} times', "Remove one.")
    yield from _range_problems(team)
    if team.repository is not None and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+", team.repository):
        yield Problem("--repository", f'must be owner/name, got "{team.repository}"', "Write it as on GitHub.")
    if team.subject_prefix is not None and not re.fullmatch(r"[^\s\"\\]+", team.subject_prefix):
        yield Problem(
            "--subject-prefix",
            f'must have neither spaces nor quotes, got "{team.subject_prefix}"',
            f"Copy what `{team.prefix_command}` prints.",
        )


def _range_problems(team: NewTeam) -> Iterator[Problem]:
    if team.address_space is None:
        return
    try:
        space = IPv4Network(team.address_space)
    except ValueError as error:
        yield Problem(
            "--address-space",
            f"must be an IPv4 range: {error}",
            "Write the first address and the size, such as 10.90.0.0/20.",
        )
        return
    if not space.is_private:
        yield Problem("--address-space", f"must be a private range, got {space}", "Ask your network team for one.")
    largest = SMALLEST_ENDPOINT_SUBNET - 2
    if space.prefixlen + _bits(team) > largest:
        yield Problem(
            "--address-space",
            f"must leave a /{largest} or more to each of {len(team.environments)} environments, got {space}",
            f"Give a /{largest - _bits(team)} or a larger range.",
        )


def _is_name(text: str) -> bool:
    return bool(re.match(NAME_PATTERN, text)) and 2 <= len(text) <= 24 and "\n" not in text


def _bits(team: NewTeam) -> int:
    """How many halvings give every environment a part."""
    return max(len(team.environments) - 1, 0).bit_length()


def _ranges(team: NewTeam) -> list[str | None]:
    """The part of each environment, all of one size."""
    if team.address_space is None:
        return [None] * len(team.environments)
    parts = IPv4Network(team.address_space).subnets(prefixlen_diff=_bits(team))
    return [str(part) for part, _ in zip(parts, team.environments, strict=False)]


def _refused(stack: str, text: str) -> tuple[Problem, ...]:
    """What `pulumi up` would refuse about a stack file."""
    config = read_yaml(text)["config"]
    raw = {key.removeprefix("sluice:"): value for key, value in config.items() if key.startswith("sluice:")}
    try:
        parse_settings({**raw, "location": config["azure-native:location"]}, stack=stack, today=date.today())
    except SettingsError as error:
        return error.problems
    return ()


def _meetings(team: NewTeam, root: Path) -> Iterator[Problem]:
    """Stacks of the checkout that would have the same names in Azure."""
    taken: dict[str, str] = {}
    for path in sorted(root.glob("Pulumi.*.yaml")):
        try:
            config = read_yaml(path.read_text(encoding="utf-8"))["config"]
            stack, owner = path.stem.removeprefix("Pulumi."), str(config["sluice:team"])
            environment = config.get("sluice:environment")
        except (OSError, UnicodeDecodeError, yaml.YAMLError, TypeError, KeyError, AttributeError):
            continue  # other commands report what is wrong with it
        taken[_names(owner, stack, environment).resource_group] = f"stack {stack} of team {owner}"
    for stack, environment in zip(team.stacks, team.environments, strict=True):
        other = taken.get(_names(team.name, stack, environment).resource_group)
        if other and not (root / f"Pulumi.{stack}.yaml").exists():
            yield Problem(
                f"environment {environment}",
                f"would have the same names in Azure as {other}",
                "Choose another name for the team or the environment.",
            )


def _names(team: str, stack: str, environment: str | None) -> Names:
    return Names(team=team, stack=stack, environment=environment, subscription_id="")


def _stack_file(team: NewTeam, index: int, address_space: str | None) -> str:
    environment = team.environments[index]
    before = team.stack(team.environments[index - 1]) if index else None
    lines = [
        f"# Stack {team.stack(environment)}. All keys: docs/configuration.md.",
        "config:",
        f"  azure-native:location: {as_scalar(team.location)}",
        f"  sluice:team: {as_scalar(team.name)}",
        "  # Part of every Azure name, and a tag of every resource. Cannot change once the stack exists.",
        f"  sluice:environment: {as_scalar(environment)}",
    ]
    if team.generation != 1:
        lines += [
            "  # Part of the names that Azure keeps after a deletion: an earlier generation was removed.",
            f"  sluice:generation: {team.generation}",
        ]
    if address_space is None:
        lines += [
            "  # Reachable with a role from anywhere. Cannot become private while the stack exists.",
            "  sluice:network: public",
        ]
    else:
        lines += [
            f"  # This environment's part of {team.address_space}. Further keys, such as dns: docs/configuration.md.",
            f"  sluice:network: {{mode: private, address_space: {address_space}}}",
        ]
    if before is not None:
        lines += [
            f"  # A release gets weight here when {before} has proven it.",
            f"  sluice:limits: {{max_step: 25, min_live_instances: 2, require_pinned: true, require_proof: {before}}}",
        ]
    lines += [
        "  # Tags that your company asks for.",
        '  # sluice:tags: {CostCenter: "4711"}',
        "  # Endpoints by their folders in models/ (`sluice new endpoint KEY --from sklearn` writes one), such as",
        f"  #   KEY: {{deployments: {{blue: {{instances: {2 if before else 1}}}}}}}",
        "  sluice:endpoints: {}",
        "  # Their weights, such as",
        "  #   KEY: {stable: blue, traffic: {blue: 100}}",
        "  sluice:rollout: {}",
    ]
    return "\n".join(lines) + "\n"


def _bootstrap_file(team: NewTeam, environment: str) -> str:
    github = f'bootstrap:github: {{subject_prefixes: ["{team.subject_prefix or "..."}"]}}'
    lines = [
        f"# What the platform team creates once for stack {team.stack(environment)}. All keys: docs/bootstrap.md.",
        "config:",
        f"  azure-native:location: {as_scalar(team.location)}",
        f"  bootstrap:team: {as_scalar(team.name)}",
        f"  bootstrap:environment: {as_scalar(environment)}",
        "  # How subjects of the repository's ID tokens begin. This prints it:",
        f"  #   {team.prefix_command}",
        f"  {github}" if team.subject_prefix else f"  # {github}",
        "  # Object ids of the Entra groups in sluice:access, and ARM ids outside of the stack's group that it uses.",
        "  # bootstrap:groups: []",
        "  # bootstrap:outside: []",
    ]
    return "\n".join(lines) + "\n"
