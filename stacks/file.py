"""A stack's settings outside the program: read from the file that the next `pulumi up` uses, without running it.

The file is read as strictly as Pulumi reads it. The Pulumi CLI decrypts encrypted values, because only it can; a file
without encrypted values is read without the CLI.
"""

import json
import os
import subprocess
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from command_errors import UsageError
from project import project_root
from rehearsal.environment import way_back

if TYPE_CHECKING:
    from settings import Settings

SUBSCRIPTION = "azure-native:subscriptionId"
SUBSCRIPTION_VARIABLES = ("ARM_SUBSCRIPTION_ID", "AZURE_SUBSCRIPTION_ID")  # the order in which azure-native looks
LOCATION = "azure-native:location"
PREFIX = "sluice:"
CONFIG_FILE = "PULUMI_OPTION_CONFIG_FILE"


class SubscriptionUnknown(UsageError):
    """The file is valid, but neither it nor the environment names the subscription."""


def stack_file_path(stack: str) -> Path:
    """Return the file that the next `pulumi up` reads: what PULUMI_OPTION_CONFIG_FILE names, else the project's."""
    named = os.environ.get(CONFIG_FILE)
    return Path(named) if named else project_root() / f"Pulumi.{stack}.yaml"


def file_among_stacks(stack: str) -> Path:
    """Return the file of one of several stacks: beside the one that PULUMI_OPTION_CONFIG_FILE names, or the project's.

    An operation on it needs that variable to name it: see `variables_of`.
    """
    named = os.environ.get(CONFIG_FILE)
    return Path(named).with_name(f"Pulumi.{stack}.yaml") if named else project_root() / f"Pulumi.{stack}.yaml"


def stacks_of_team(team: str) -> list[str]:
    """Return the names of the stacks whose files say sluice:team: `team`, sorted. Raises UsageError for a bad file."""
    named = os.environ.get(CONFIG_FILE)
    files = sorted((Path(named).parent if named else project_root()).glob("Pulumi.*.yaml"))
    stacks = {file.stem.removeprefix("Pulumi."): file for file in files}
    return [stack for stack, file in stacks.items() if _config(stack, file).get(f"{PREFIX}team") == team]


def variables_of(stack: str, file: Path) -> dict[str, str]:
    """Return this process's environment for a Pulumi CLI that works on a stack whose file is `file`."""
    variables = {**os.environ, "PULUMI_STACK": stack}
    return variables | {CONFIG_FILE: str(file)} if os.environ.get(CONFIG_FILE) else variables


def read_settings(stack: str, file: Path | None = None) -> tuple["Settings", str]:
    """Return a stack's settings and its subscription. Raises UsageError and SettingsError.

    `file` is the stack file, None for the one that the next `pulumi up` reads.
    """
    settings, config = _settings(stack, file or stack_file_path(stack))
    subscription = str(config[SUBSCRIPTION]) if config.get(SUBSCRIPTION) else subscription_of_the_shell()
    if subscription is None:
        raise SubscriptionUnknown(
            f"the subscription is not known: neither {SUBSCRIPTION} nor ARM_SUBSCRIPTION_ID is set. "
            "Run `export ARM_SUBSCRIPTION_ID=$(az account show --query id --output tsv)`."
        )
    return settings, subscription


def settings_of(stack: str) -> "Settings":
    """Return a stack's settings, whatever its subscription. Raises UsageError and SettingsError."""
    return _settings(stack, stack_file_path(stack))[0]


def _settings(stack: str, file: Path) -> tuple["Settings", dict[str, Any]]:
    """Return a stack's settings and all of its config."""
    from settings import parse_settings

    config = _config(stack, file)
    raw = {key.removeprefix(PREFIX): value for key, value in config.items() if key.startswith(PREFIX)}
    if LOCATION in config:
        raw["location"] = config[LOCATION]
    return parse_settings(raw, stack=stack, today=date.today()), config


def subscription_of_the_shell() -> str | None:
    """Return the subscription that the environment names, in the order in which azure-native looks."""
    return next((found for name in SUBSCRIPTION_VARIABLES if (found := os.environ.get(name))), None)


def stack_file_error(stack: str) -> Exception | None:
    """Return the error that lists what is wrong with a stack's file; None for a valid one.

    A subscription that is not known does not count: it may be set elsewhere.
    """
    from settings import SettingsError

    try:
        read_settings(stack)
    except SubscriptionUnknown:
        return None
    except (SettingsError, UsageError) as error:
        return error
    return None


def _config(stack: str, path: Path) -> dict[str, Any]:
    """Return the `config` section of the stack file, with every encrypted value in plain text."""
    from models.document import DocumentError, read_document

    if not path.is_file():
        back = way_back(os.environ) if os.environ.get(CONFIG_FILE) else None
        if back is not None:
            raise UsageError(f"{path}, this shell's copy of the stack file, is gone. Run `{back}`.")
        raise UsageError(f"stack {stack} has no file {path}. Give another --stack, or create the file.")
    try:
        config = read_document(path).content.get("config")
    except DocumentError as error:
        raise UsageError(f"{path} cannot be read: {error}. Correct it.") from error
    config = {} if config is None else config
    if not isinstance(config, dict) or not all(isinstance(key, str) for key in config):
        raise UsageError(f"{path} cannot be read: `config` must be a mapping of keys to values. Correct it.")
    encrypted = sorted(key for key, value in config.items() if _is_encrypted(value))
    return {**config, **_decrypted(stack, path, encrypted)} if encrypted else config


def _is_encrypted(value: Any) -> bool:
    if isinstance(value, Mapping):
        return set(value) == {"secure"} or any(map(_is_encrypted, value.values()))
    return isinstance(value, list) and any(map(_is_encrypted, value))


def _decrypted(stack: str, path: Path, keys: list[str]) -> dict[str, Any]:
    """Return the values of these keys, which the Pulumi CLI decrypts with the stack's key."""
    wanted = [key for key in keys if key.startswith(PREFIX) or key in (LOCATION, SUBSCRIPTION)]
    if not wanted:
        return {}
    command = ["pulumi", "--non-interactive", "config", "--json", "--show-secrets", "--stack", stack]
    try:
        answer = subprocess.run(
            command,
            cwd=project_root(),
            env=variables_of(stack, path),
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
        )
        error = next((line for line in reversed(answer.stderr.splitlines()) if line.strip()), "no reason given")
    except OSError as reason:
        answer, error = None, str(reason)
    if answer is None or answer.returncode:
        raise UsageError(
            f"{path}: {', '.join(wanted)} is encrypted, and the Pulumi CLI cannot decrypt it: "
            f"{error.strip().removeprefix('error: ')}. Give it access to the stack's key, or write the value in plain "
            "text (pulumi config set without --secret): nothing under sluice: but an environment variable is a secret."
        )
    values = json.loads(answer.stdout)
    return {key: values[key].get("objectValue", values[key].get("value")) for key in wanted if key in values}
