"""What is wrong with this machine's set-up or with a stack, and the command that fixes it.

Every check is independent, so that one problem does not hide the next. It only reads: CLI, packages, plugin, login,
Azure, local Azure and, if a stack is known, its file and its locks.
"""

import importlib.metadata
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from command_errors import CommandError, UsageError
from diagnosis.finding import Finding, Health
from project import project_name, project_root, stack_name
from recovery.backend import backend_of
from recovery.locks import LockRule, Owner
from rehearsal.environment import way_back
from state_backend import backend_folder

PACKAGES = ("pulumi", "pulumi-azure-native", "azure-ai-ml", "azure-identity", "azure-storage-blob")
PLUGIN = "azure-native"


def examine(stack: str | None, environment: Mapping[str, str]) -> Iterator[Finding]:
    """Yield all findings, in the order in which they should be fixed."""
    checks: list[tuple[str, Callable[[], Finding]]] = [
        ("pulumi cli", lambda: _check_cli(environment)),
        ("packages", _check_packages),
        ("azure-native plugin", lambda: _check_plugin(environment)),
        ("backend", lambda: _check_backend(environment)),
        ("local Azure", _check_local_azure),
        ("login", _check_login),
        ("azure", lambda: _check_azure(environment)),
    ]
    back = way_back(environment)
    for name, check in checks:
        yield _in_a_rehearsal(_guarded(name, check), back)
    try:
        known = stack_name(stack)
    except (CommandError, OSError, RuntimeError):
        yield Finding(
            "stack", Health.NOTE, "no stack is named or selected, so none was checked", "sluice doctor --stack dev"
        )
        return
    yield _guarded("stack file", lambda: _check_stack_file(known, environment, back))
    yield _guarded("names in azure", lambda: _check_names(known))
    yield from _check_surroundings(known)
    yield _guarded("locks", lambda: _check_locks(known, dict(environment)))


def _guarded(name: str, check: Callable[[], Finding]) -> Finding:
    """Run a check; a check that fails to run is a problem itself and does not stop the others."""
    try:
        return check()
    except CommandError as error:
        return Finding(name, Health.PROBLEM, str(error))
    except Exception as error:
        return Finding(name, Health.PROBLEM, f"this could not be checked: {type(error).__name__}: {error}")


def _in_a_rehearsal(finding: Finding, back: str | None) -> Finding:
    """In a rehearsal shell, replace the fix by one of its commands: a real plugin or login would end the rehearsal."""
    ours = finding.check in ("azure-native plugin", "login", "azure", "local Azure")
    if back is None or finding.health is Health.GOOD or not (ours or (finding.check == "backend" and not finding.fix)):
        return finding
    return replace(finding, fix=back)


def _check_cli(environment: Mapping[str, str]) -> Finding:
    from toolchain.selection import look
    from toolchain.versions import show

    found, passed_over = look(environment)
    if found is None:
        return Finding("pulumi cli", Health.PROBLEM, "; ".join(passed_over) or "none was found", "make setup")
    text = f"{show(found.version)} ({found.origin}), {found.path}"
    return Finding("pulumi cli", Health.NOTE if passed_over else Health.GOOD, "; ".join([text, *passed_over]))


def _check_packages() -> Finding:
    lock = project_root() / "requirements.lock"
    if not lock.is_file():
        return Finding("packages", Health.NOTE, f"there is no {lock} to compare with")
    locked = dict(re.findall(r"^([\w.-]+)==([^\s;\\]+)", lock.read_text(encoding="utf-8"), re.MULTILINE))
    wrong = []
    for name in PACKAGES:
        try:
            installed = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            installed = "missing"
        if installed != locked.get(name, installed):
            wrong.append(f"{name} is {installed}, but the lock has {locked[name]}")
    if wrong:
        return Finding("packages", Health.PROBLEM, "; ".join(wrong), "make setup")
    return Finding("packages", Health.GOOD, ", ".join(f"{name} {locked.get(name, '?')}" for name in PACKAGES))


def _check_plugin(environment: Mapping[str, str]) -> Finding:
    version = importlib.metadata.version(f"pulumi-{PLUGIN}")
    home = Path(environment.get("PULUMI_HOME") or Path.home() / ".pulumi")
    file = home / "plugins" / f"resource-{PLUGIN}-v{version}" / f"pulumi-resource-{PLUGIN}"
    if file.exists():
        return Finding("azure-native plugin", Health.GOOD, f"{version}, {file}")
    fix = f"pulumi plugin install resource {PLUGIN} {version}"
    if environment.get("PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION", "").lower() in ("1", "true"):
        return Finding("azure-native plugin", Health.PROBLEM, f"{version} is not in {home}", fix)
    text = f"{version} is not in {home}; the CLI downloads it when it first needs it"
    return Finding("azure-native plugin", Health.NOTE, text, fix)


def _check_backend(environment: Mapping[str, str]) -> Finding:
    folder = backend_folder(environment)
    if folder is None:
        if environment.get("PULUMI_BACKEND_URL") or environment.get("PULUMI_ACCESS_TOKEN"):
            return Finding("backend", Health.GOOD, environment.get("PULUMI_BACKEND_URL") or "Pulumi Cloud, by token")
        home = Path(environment.get("PULUMI_HOME") or Path.home() / ".pulumi")
        if (home / "credentials.json").is_file():
            return Finding("backend", Health.GOOD, f"as set by `pulumi login` in {home}")
        return Finding("backend", Health.PROBLEM, "the CLI is not logged in to any backend", "pulumi login")
    if not folder.is_dir():
        # No command: a new, empty folder would hide a misspelt name, and the stacks.
        text = f"the folder {folder} does not exist. Correct PULUMI_BACKEND_URL, or create the folder for a new backend"
        return Finding("backend", Health.PROBLEM, text)
    if not os.access(folder, os.W_OK):
        return Finding("backend", Health.PROBLEM, f"the folder {folder} is not writable", f"chmod u+w {folder}")
    return Finding("backend", Health.GOOD, f"folder {folder}")


def _check_local_azure() -> Finding:
    from rehearsal.home import local_home
    from rehearsal.server_process import is_healthy

    home = local_home(None)
    server = home.server()
    if server is None:
        pointed_at_it = "SLUICE_LOCAL_ARM" in os.environ
        health = Health.PROBLEM if pointed_at_it else Health.NOTE
        why = ", but this shell points at it" if pointed_at_it else ""
        return Finding("local Azure", health, f"does not run in {home.path}{why}", "sluice local start")
    if not is_healthy(server):
        text = f"process {server.pid} does not answer on {server.https}"
        return Finding("local Azure", Health.PROBLEM, text, "sluice local stop && sluice local start")
    wanted = os.environ.get("SLUICE_LOCAL_ARM")
    if wanted and wanted != server.https:
        text = f"runs on {server.https}, but this shell points at {wanted}"
        return Finding("local Azure", Health.PROBLEM, text, 'eval "$(sluice local env)"')
    return Finding("local Azure", Health.GOOD, f"runs on {server.https}, process {server.pid}")


def _check_login() -> Finding:
    from resource_manager.client import ArmClient

    arm = ArmClient()
    try:
        arm.token  # noqa: B018  asking for it is the check
    except CommandError as error:
        return Finding("login", Health.PROBLEM, str(error), "az login")
    return Finding("login", Health.GOOD, f"a token for {arm.base_url}")


def _check_azure(environment: Mapping[str, str]) -> Finding:
    from resource_manager.client import ArmClient

    subscription = environment.get("ARM_SUBSCRIPTION_ID") or environment.get("AZURE_SUBSCRIPTION_ID")
    if not subscription:
        fix = "export ARM_SUBSCRIPTION_ID=$(az account show --query id --output tsv)"
        return Finding("azure", Health.NOTE, "no subscription is set in this shell", fix)
    arm = ArmClient()
    if arm.get(f"/subscriptions/{subscription}", "2022-12-01") is None:
        fix = "az account list --output table"
        return Finding("azure", Health.PROBLEM, f"subscription {subscription} does not exist for this login", fix)
    return Finding("azure", Health.GOOD, f"subscription {subscription} on {arm.base_url}")


def _check_stack_file(stack: str, environment: Mapping[str, str], back: str | None) -> Finding:
    from rehearsal.pulumi_guard import CONFIG_FILE
    from stacks.file import stack_file_error

    copy = environment.get(CONFIG_FILE)
    if back and copy and not Path(copy).is_file():
        return Finding("stack file", Health.PROBLEM, f"the copy {copy} is gone", back)
    error = stack_file_error(stack)  # the checks of the shell report a subscription that is not known
    if error is not None:
        return Finding("stack file", Health.PROBLEM, str(error))
    return Finding("stack file", Health.GOOD, f"stack {stack} is well formed")


def _check_names(stack: str) -> Finding:
    from resource_manager.client import ArmClient
    from settings import SettingsError
    from stacks.names import read_names, require_free_vault, require_own_group

    check = "names in azure"
    try:
        settings, names = read_names(stack)
    except (SettingsError, UsageError):
        return Finding(check, Health.NOTE, "not checked, because the stack file is wrong")
    try:
        arm = ArmClient()
        require_own_group(arm, settings, names)
        require_free_vault(arm, settings, names)
    except UsageError as error:
        return Finding(check, Health.PROBLEM, str(error))
    except CommandError:
        return Finding(check, Health.NOTE, "not checked, because Azure could not be asked, see above")
    return Finding(
        check, Health.GOOD, f"no other stack has {names.resource_group}, and no deleted vault holds {names.key_vault}"
    )


def _check_surroundings(stack: str) -> Iterator[Finding]:
    """What the stack needs around it; nothing where its file is wrong or Azure cannot be asked, which is said above."""
    from diagnosis import surroundings
    from resource_manager.client import ArmClient
    from settings import SettingsError
    from stacks.names import read_names

    try:
        settings, names = read_names(stack)
        arm = ArmClient()
        arm.token  # noqa: B018  asking for it is the check
    except (SettingsError, CommandError):
        return
    checks: dict[str, Callable[[], Iterator[Finding]]] = {
        "providers": lambda: surroundings.check_providers(arm, names.subscription_id),
        "rights": lambda: surroundings.check_permissions(arm, settings, names),
        "workspace identity": lambda: surroundings.check_identity(arm, settings, names),
        "endpoint names": lambda: surroundings.check_endpoint_names(arm, settings, names),
        "log analytics": lambda: surroundings.check_kept_logs(arm, settings, names),
        "addresses": lambda: surroundings.check_addresses(arm, settings),
    }
    for name, check in checks.items():
        try:
            yield from list(check())
        except CommandError as error:
            yield Finding(name, Health.PROBLEM, str(error))
        except Exception as error:
            yield Finding(name, Health.PROBLEM, f"this could not be checked: {type(error).__name__}: {error}")


def _check_locks(stack: str, environment: dict[str, str]) -> Finding:
    rule = LockRule()
    try:
        backend = backend_of(environment)
        if backend is None:
            text = "the locks of this backend cannot be seen from here, only those of file:// and azblob://"
            return Finding("locks", Health.NOTE, text)
        locks = backend.locks(project_name(project_root()), stack)
    except CommandError as error:
        return Finding("locks", Health.PROBLEM, str(error))
    dead = [lock for lock in locks if rule.owner(lock) is Owner.DEAD]
    if dead:
        text = f"stack {stack} is locked by a dead update ({dead[0]})"
        return Finding("locks", Health.PROBLEM, text, f"sluice recover --stack {stack}")
    cancel = f"If no update of the stack is running, run `pulumi cancel --stack {stack}`"
    for lock in locks:  # without a command to copy: `pulumi cancel` also removes the lock of a running update
        if rule.owner(lock) is Owner.UNKNOWN:
            return Finding("locks", Health.PROBLEM, f"stack {stack} is locked by {lock}. {cancel}")
    for lock in locks:
        if rule.owner(lock) is Owner.ELSEWHERE:
            text = f"stack {stack} is locked from another machine ({lock}), where its update may be running. {cancel}"
            return Finding("locks", Health.NOTE, text)
    if locks:
        return Finding("locks", Health.NOTE, f"an update of stack {stack} is running ({locks[0]})")
    return Finding("locks", Health.GOOD, f"stack {stack} is not locked")
