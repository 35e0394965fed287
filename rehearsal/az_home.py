"""The Azure CLI of a rehearsal shell: a separate folder in which it is signed in to the local Azure.

This module neither reads nor writes the user's ~/.azure, except for its extensions, which do not depend on a cloud. It
keeps what the user does with az in a rehearsal (defaults, other logins). It neither runs nor needs az. ADR 0017 gives
the reasons.
"""

import configparser
import json
import os
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from localazure.identity import CLOUD_NAME, SUBSCRIPTION_ID, TENANT_ID
from rehearsal.home import LocalHome

AZ_VARIABLES = (
    "AZURE_CONFIG_DIR",
    "AZURE_EXTENSION_DIR",
    "AZURE_CORE_INSTANCE_DISCOVERY",
    "AZURE_CORE_LOGIN_EXPERIENCE_V2",
    "AZURE_CORE_COLLECT_TELEMETRY",
)
SUBSCRIPTION = {
    "id": SUBSCRIPTION_ID,
    "name": "Local Azure",
    "state": "Enabled",
    "user": {"name": "systemAssignedIdentity", "type": "servicePrincipal", "assignedIdentityInfo": "MSI"},
    "isDefault": True,
    "tenantId": TENANT_ID,
    "environmentName": CLOUD_NAME,
    "homeTenantId": TENANT_ID,
    "managedByTenants": [],
}
"""As `az login --identity` of azure-cli 2.91.0 writes it."""


def az_variables(home: LocalHome, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that point az at the folder; `environment` is the one before the rehearsal."""
    configuration = environment.get("AZURE_CONFIG_DIR") or "~/.azure"
    # The folder in which az finds its extensions otherwise: an installed `ml` must not vanish.
    extensions = environment.get("AZURE_EXTENSION_DIR") or f"{configuration}/cliextensions"
    return {
        "AZURE_CONFIG_DIR": str(home.az),
        "AZURE_EXTENSION_DIR": str(Path(extensions).expanduser().absolute()),
        "AZURE_CORE_INSTANCE_DISCOVERY": "false",  # MSAL would ask login.microsoftonline.com who we are
        "AZURE_CORE_LOGIN_EXPERIENCE_V2": "off",  # do not ask for a subscription, as there is only one
        "AZURE_CORE_COLLECT_TELEMETRY": "false",
    }


def sign_in(home: LocalHome) -> None:
    """Prepare az's folder, so that its next command finds the local Azure and is signed in."""
    home.az.mkdir(mode=0o700, parents=True, exist_ok=True)
    # az stores the addresses of a cloud permanently; after a change of port it would still use the old one.
    (home.az / "cloudEndpoints.json").unlink(missing_ok=True)
    _write_profile(home.az / "azureProfile.json")
    _choose_cloud(home.az / "config")


def _write_profile(file: Path) -> None:
    profile = _read_json(file)
    subscriptions = profile.get("subscriptions")
    signed_in = isinstance(subscriptions, list) and any(
        isinstance(one, dict) and one.get("environmentName") == CLOUD_NAME and one.get("isDefault")
        for one in subscriptions
    )
    if not signed_in:
        installation = profile.get("installationId") or str(uuid.uuid4())
        _write(file, json.dumps({"installationId": installation, "subscriptions": [SUBSCRIPTION]}))


def _read_json(file: Path) -> dict[str, Any]:
    try:
        document = json.loads(file.read_text(encoding="utf-8-sig"))  # az writes a byte order mark
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}


def _choose_cloud(file: Path) -> None:
    """Set `[cloud] name` in az's configuration; everything else in it stays."""
    config = configparser.RawConfigParser()
    try:
        config.read(file, encoding="utf-8")
    except (configparser.Error, ValueError):
        config = configparser.RawConfigParser()  # az itself could not read it either
    if config.get("cloud", "name", fallback=None) == CLOUD_NAME:
        return
    if not config.has_section("cloud"):
        config.add_section("cloud")
    config.set("cloud", "name", CLOUD_NAME)
    temporary = file.with_suffix(f".{os.getpid()}")
    with temporary.open("w", encoding="utf-8") as stream:
        config.write(stream)
    temporary.chmod(0o600)
    temporary.replace(file)


def _write(file: Path, text: str) -> None:
    temporary = file.with_suffix(f".{os.getpid()}")
    temporary.write_text(text, encoding="utf-8")
    temporary.chmod(0o600)
    temporary.replace(file)
