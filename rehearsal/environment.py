"""The environment that points plain `pulumi`, azure-ai-ml and azure-identity of one shell at a local Azure.

It computes variables and writes only below the local Azure's home (certificate bundle, plugin, copy of a stack file);
the work tree is unchanged. The shell itself saves overridden values in SLUICE_SAVED_*, so that `--unset` restores them
and no value of another login is ever printed.
"""

import math
import os
import shlex
import shutil
import ssl
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from command_errors import UnavailableError
from localazure.identity import CLIENT_ID, CLOUD_NAME, SUBSCRIPTION_ID, TENANT_ID
from project import project_root
from rehearsal import pulumi_guard
from rehearsal.az_home import AZ_VARIABLES, az_variables, sign_in
from rehearsal.home import GUARD_FOLDER, HOME_VARIABLE, LocalHome, local_home
from toolchain import cli_environment

SAVED = "SLUICE_SAVED_"
EXPORTED = (
    "PULUMI_HOME",
    "PULUMI_BACKEND_URL",
    "PULUMI_CONFIG_PASSPHRASE",
    "PULUMI_SKIP_UPDATE_CHECK",
    "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION",
    "ARM_SUBSCRIPTION_ID",
    "ARM_TENANT_ID",
    "ARM_CLIENT_ID",
    "ARM_USE_MSI",
    "ARM_METADATA_HOSTNAME",
    "ARM_DISABLE_INSTANCE_DISCOVERY",
    "ARM_CLOUD_METADATA_URL",
    "AZUREML_CURRENT_CLOUD",
    "REGISTRY_DISCOVERY_ENDPOINT_URL",
    "IDENTITY_ENDPOINT",
    "IDENTITY_HEADER",
    "AZURE_TOKEN_CREDENTIALS",
    "AZURE_SUBSCRIPTION_ID",
    *AZ_VARIABLES,
    "PULUMI_OPTION_PRESERVE_CONFIG",
    "SLUICE_LOCAL_ARM",
    HOME_VARIABLE,
    "SLUICE_RELEASE_LOCKS",
    "SLUICE_ROLE_DELAY",
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_FILE",
    "CURL_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",
    "NO_PROXY",
    "no_proxy",
    "PATH",
)
# Each of these would override, or mix with, the variables set below.
REMOVED = (
    "AZURE_CLIENT_ID",
    "AZURE_CLIENT_SECRET",
    "AZURE_CLIENT_CERTIFICATE_PATH",
    "AZURE_CLIENT_CERTIFICATE_PASSWORD",
    "AZURE_FEDERATED_TOKEN_FILE",
    "AZURE_TENANT_ID",
    "AZURESUBSCRIPTION_CLIENT_ID",  # what a step of a service connection in Azure Pipelines logs in with
    "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID",
    "AZURESUBSCRIPTION_TENANT_ID",
    "AZURE_USERNAME",
    "AZURE_PASSWORD",
    "AZURE_AUTHORITY_HOST",
    "AZURE_POD_IDENTITY_AUTHORITY_HOST",
    "IDENTITY_SERVER_THUMBPRINT",
    "IMDS_ENDPOINT",
    "MSI_ENDPOINT",
    "MSI_SECRET",
    "ARM_CLIENT_SECRET",
    "ARM_CLIENT_CERTIFICATE_PATH",
    "ARM_CLIENT_CERTIFICATE_PASSWORD",
    "ARM_ENVIRONMENT",
    "ARM_OIDC_TOKEN",
    "ARM_OIDC_TOKEN_FILE_PATH",
    "ARM_USE_DEFAULT_AZURE_CREDENTIAL",
    "ARM_USE_OIDC",
    "AZUREML_DEV_URL_MFE",
    "AZURE_CLOUD_NAME",  # az: overrides the cloud of its configuration
    "AZURE_STORAGE_ACCOUNT",  # az storage: these name an account of the real Azure, or hold its key
    "AZURE_STORAGE_ACCOUNT_URL",
    "AZURE_STORAGE_DOMAIN",  # these two: gocloud.dev, for a backend azblob://
    "AZURE_STORAGE_PROTOCOL",
    "AZURE_STORAGE_SERVICE_ENDPOINT",
    "AZURE_STORAGE_KEY",
    "AZURE_STORAGE_CONNECTION_STRING",
    "AZURE_STORAGE_SAS_TOKEN",
    "PULUMI_CONFIG_PASSPHRASE_FILE",
    "PULUMI_DEBUG_PROVIDERS",
)
IS_SET = "SLUICE_LOCAL_ARM"
"""Set in every shell that evaluated the lines."""
STACK_VARIABLES = ("PULUMI_STACK", "PULUMI_OPTION_CONFIG_FILE")
LOOPBACK = "localhost,127.0.0.1"
# The last api-version whose answer is a list of clouds, the only form that az accepts (`_convert_arm_to_cli` in
# cloud.py of azure-cli-core 2.91.0). azure-ai-ml and `resource_manager.client` accept both forms; the Pulumi plugin
# builds its own address.
METADATA_VERSION = "2019-05-01"


@dataclass(frozen=True)
class LocalEnvironment:
    """Variables to set and to unset."""

    exports: Mapping[str, str]
    removed: tuple[str, ...] = REMOVED
    notes: tuple[str, ...] = field(default=())

    def applied_to(self, environment: Mapping[str, str]) -> dict[str, str]:
        """The environment for a child process."""
        kept = {name: value for name, value in environment.items() if name not in self.removed}
        return {**kept, **self.exports}

    def shell_lines(self, environment: Mapping[str, str]) -> list[str]:
        """Lines for `eval` in a POSIX shell that has `environment`.

        Each ends in a semicolon, because `eval $(...)` without quotes joins them into one line.
        """
        lines = []
        evaluated_before = IS_SET in environment  # then the variables are ours, and the others are saved already
        for name in (*EXPORTED, *STACK_VARIABLES, *self.removed):
            if name in environment and not evaluated_before:
                lines.append(f'export {SAVED}{name}="${name}";')
        lines += [f"export {name}={shlex.quote(value)};" for name, value in self.exports.items()]
        lines.append(f"unset {' '.join(self.removed)};")
        return lines


def unset_lines(environment: Mapping[str, str]) -> list[str]:
    """Return lines for `eval` that undo `shell_lines`: they restore saved values and unset everything else.

    Return no lines for a shell that `shell_lines` did not set up, or that was restored already.
    """
    if IS_SET not in environment:
        return []
    lines = []
    for name in (*EXPORTED, *STACK_VARIABLES):
        if SAVED + name in environment:
            lines.append(f'export {name}="${SAVED}{name}"; unset {SAVED}{name};')
        elif name != "PATH":
            lines.append(f"unset {name};")
    for name in REMOVED:
        if SAVED + name in environment:
            lines.append(f'export {name}="${SAVED}{name}"; unset {SAVED}{name};')
    return lines


def without_us(environment: Mapping[str, str]) -> dict[str, str]:
    """Return `environment` as it was before it evaluated the lines."""
    if IS_SET not in environment:
        return dict(environment)
    ours = (*EXPORTED, *STACK_VARIABLES)
    kept = {name: value for name, value in environment.items() if name not in ours and not name.startswith(SAVED)}
    saved = {name.removeprefix(SAVED): value for name, value in environment.items() if name.startswith(SAVED)}
    return kept | saved


def way_back(environment: Mapping[str, str]) -> str | None:
    """Return the commands that repair a shell of `sluice local env`, whatever is missing; None for other shells."""
    from rehearsal.server_process import is_healthy

    if IS_SET not in environment:
        return None
    stack = environment.get("PULUMI_STACK")
    again = f'eval "$(sluice local env{f" --stack {shlex.quote(stack)}" if stack else ""})"'
    server = local_home(None).server()
    if server is None:
        return f"sluice local start && {again}"
    return again if is_healthy(server) else f"sluice local stop && sluice local start && {again}"


def local_environment(home: LocalHome, stack: str | None = None, *, fresh: bool = False) -> LocalEnvironment:
    """Return the environment of the running local Azure in `home`, with a copied stack if one is named."""
    server = home.require_server()
    before = without_us(os.environ)
    bundle = str(write_ca_bundle(home, os.environ))
    prepare_pulumi_home(home)
    sign_in(home)
    exports = {
        "PULUMI_HOME": str(home.pulumi_home),
        "PULUMI_BACKEND_URL": f"file://{home.state}",
        "PULUMI_CONFIG_PASSPHRASE": "",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "PULUMI_OPTION_PRESERVE_CONFIG": "true",  # `pulumi stack rm` would delete the stack file beside the project's
        "ARM_SUBSCRIPTION_ID": SUBSCRIPTION_ID,
        "ARM_TENANT_ID": TENANT_ID,
        "ARM_CLIENT_ID": CLIENT_ID,
        "ARM_USE_MSI": "true",
        "ARM_METADATA_HOSTNAME": server.https.removeprefix("https://"),
        "ARM_DISABLE_INSTANCE_DISCOVERY": "true",
        "ARM_CLOUD_METADATA_URL": f"{server.https}/metadata/endpoints?api-version={METADATA_VERSION}",
        "AZUREML_CURRENT_CLOUD": CLOUD_NAME,
        "REGISTRY_DISCOVERY_ENDPOINT_URL": f"{server.https}/",
        "IDENTITY_ENDPOINT": f"{server.http}/msi/token",
        "IDENTITY_HEADER": "local",
        "AZURE_TOKEN_CREDENTIALS": "ManagedIdentityCredential",
        "AZURE_SUBSCRIPTION_ID": SUBSCRIPTION_ID,
        **az_variables(home, before),
        "SLUICE_LOCAL_ARM": server.https,
        HOME_VARIABLE: str(home.path),
        "SLUICE_RELEASE_LOCKS": str(home.release_locks),
        "SLUICE_ROLE_DELAY": f"{math.ceil(server.role_delay_seconds)}s",
        "REQUESTS_CA_BUNDLE": bundle,
        "SSL_CERT_FILE": bundle,
        "CURL_CA_BUNDLE": bundle,
        "NODE_EXTRA_CA_CERTS": bundle,
        "NO_PROXY": _no_proxy(before.get("NO_PROXY", "")),
        "no_proxy": _no_proxy(before.get("no_proxy", "")),
        "PATH": write_guard(home, os.environ),
    }
    if stack is None:
        return LocalEnvironment(exports)
    from rehearsal.stack_copy import copy_stack

    environment = LocalEnvironment(exports)
    copied = copy_stack(home, stack, environment.applied_to(os.environ), fresh=fresh)
    exports |= {"PULUMI_STACK": stack, "PULUMI_OPTION_CONFIG_FILE": str(copied.file)}
    return LocalEnvironment(exports, notes=copied.notes)


def write_guard(home: LocalHome, environment: Mapping[str, str]) -> str:
    """Put `rehearsal.pulumi_guard` in front of the Pulumi CLI; returns the PATH on which both are found."""
    from rehearsal.stack_copy import prepare_folder

    elsewhere = without_guards(environment.get("PATH", os.defpath))
    path = cli_environment({**environment, "PATH": elsewhere})["PATH"]
    real = shutil.which("pulumi", path=path)
    guard = Path(pulumi_guard.__file__).resolve()
    root = project_root()
    command = [sys.executable, "-I", "-S", str(guard), str(real), str(root), str(prepare_folder(home, root))]
    home.guard.mkdir(parents=True, exist_ok=True)
    _write(home.guard / "pulumi", f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n', mode=0o755)
    return os.pathsep.join([str(home.guard), path])


def without_guards(path: str) -> str:
    """Return a PATH without the folders that `write_guard` put on it, for any home."""
    return os.pathsep.join(folder for folder in path.split(os.pathsep) if Path(folder).name != GUARD_FOLDER)


def write_ca_bundle(home: LocalHome, environment: Mapping[str, str]) -> Path:
    """Write the system certificates (those that the caller's environment names) and the local authority to one file."""
    local = home.path / "ca.pem"
    if not local.is_file():
        raise UnavailableError(
            f"{local} is missing. Restart the local Azure: `sluice local stop{home.flag}`, then "
            f"`sluice local start{home.flag}`."
        )
    named = environment.get(f"{SAVED}SSL_CERT_FILE") or environment.get("SSL_CERT_FILE")
    if not named or Path(named) == home.ca_bundle:
        named = ssl.get_default_verify_paths().cafile
    system = Path(named).read_text(encoding="utf-8") if named and Path(named).is_file() else _certifi()
    text = f"{system.rstrip()}\n{local.read_text(encoding='utf-8')}"
    if not home.ca_bundle.is_file() or home.ca_bundle.read_text(encoding="utf-8") != text:
        _write(home.ca_bundle, text, mode=0o644)
    return home.ca_bundle


def _write(file: Path, text: str, *, mode: int) -> None:
    """Replace a file in one step: a shell that starts now finds either the old file or the new one."""
    temporary = file.with_suffix(f".{os.getpid()}")
    temporary.write_text(text, encoding="utf-8")
    temporary.chmod(mode)
    temporary.replace(file)


def _certifi() -> str:
    import certifi

    return Path(certifi.where()).read_text(encoding="utf-8")


def prepare_pulumi_home(home: LocalHome) -> None:
    """Create the folders of the file backend and the plugin stand-in; write nothing outside the home."""
    from localazure.provider.install import install

    home.state.mkdir(parents=True, exist_ok=True)
    home.release_locks.mkdir(parents=True, exist_ok=True)
    install(home.pulumi_home, Path(sys.executable))


def _no_proxy(current: str) -> str:
    return f"{current},{LOOPBACK}" if current else LOOPBACK
