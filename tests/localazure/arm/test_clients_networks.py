"""MLClient, unmodified: the managed network of a workspace, its rules, a datastore of the user's own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from localazure import identity
from tests.localazure.platform_bodies import GROUP, HERE
from tests.waiting import HANGS

pytestmark = pytest.mark.integration


@pytest.mark.proves(
    "MachineLearningServices/workspaces",
    drives=["PUT", "DELETE", "provisionManagedNetwork", "resyncKeys", "diagnose"],
    client="MLClient",
)
@pytest.mark.proves("deployments/operations", drives=["list"], client="MLClient")  # its progress lines
@pytest.mark.proves("workspaces/outboundRules", drives=["get", "list", "PUT", "DELETE"], client="MLClient")
@pytest.mark.proves("workspaces/datastores", drives=["get", "list", "PUT", "DELETE", "listSecrets"], client="MLClient")
@pytest.mark.proves("workspaces/datastores", honours=["properties.credentials"], client="MLClient")
def test_mlclient_manages_a_closed_workspace(start_local_azure):
    azure = start_local_azure()
    assert azure.request("PUT", GROUP, HERE).status_code == 201
    script = Path(__file__).parent / "ml_client_networks.py"
    command = [sys.executable, str(script), identity.SUBSCRIPTION_ID, "rg1"]
    done = subprocess.run(command, env=azure.environment(), capture_output=True, text=True, timeout=HANGS, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "Creating Key Vault" in done.stderr, "what the template makes is listed while it is made"
    assert json.loads(done.stdout.partition("SEEN ")[2]) == {
        "provisioned": "Active",
        "rule": "example.org",
        "rules": ["models", "wheels"],
        "left": ["wheels"],
        "datastore": "mine",
        "secret": "c2VjcmV0",
        "datastores": False,
        "diagnosis": True,
    }
