"""What MLClient does with a workspace's managed network, unmodified. Runs in a process of its own; prints what it saw.

Arguments: subscription, resource group.
"""

import json
import sys
import warnings

warnings.simplefilter("ignore")

from azure.ai.ml import MLClient  # noqa: E402  # azure-ai-ml warns while it is imported
from azure.ai.ml.entities import (  # noqa: E402  # likewise
    AccountKeyConfiguration,
    AzureBlobDatastore,
    FqdnDestination,
    ManagedNetwork,
    Workspace,
)
from azure.identity import DefaultAzureCredential  # noqa: E402  # likewise


def main() -> None:
    subscription, group = sys.argv[1:]
    seen = {}
    client = MLClient(DefaultAzureCredential(), subscription, group)
    network = ManagedNetwork(
        isolation_mode="AllowOnlyApprovedOutbound",
        outbound_rules=[FqdnDestination(name="wheels", destination="*.example.com")],
    )
    client.workspaces.begin_create(Workspace(name="closed", location="westeurope", managed_network=network)).result()
    seen["provisioned"] = client.workspaces.begin_provision_network(workspace_name="closed").result().status
    client = MLClient(DefaultAzureCredential(), subscription, group, "closed")
    rules = client.workspace_outbound_rules
    rules.begin_create("closed", FqdnDestination(name="models", destination="example.org")).result()
    seen["rule"] = rules.get("closed", "models").destination
    seen["rules"] = sorted(rule.name for rule in rules.list("closed") if rule.category == "UserDefined")
    rules.begin_remove("closed", "models").result()
    seen["left"] = sorted(rule.name for rule in rules.list("closed") if rule.category == "UserDefined")
    store = AzureBlobDatastore(
        name="mine",
        account_name="elsewhere",
        container_name="box",
        credentials=AccountKeyConfiguration(account_key="c2VjcmV0"),
    )
    seen["datastore"] = client.datastores.create_or_update(store).name
    seen["secret"] = client.datastores.get("mine", include_secrets=True).credentials.account_key
    client.datastores.delete("mine")
    seen["datastores"] = "mine" in [one.name for one in client.datastores.list()]
    client.workspaces.begin_sync_keys("closed").result()
    seen["diagnosis"] = client.workspaces.begin_diagnose("closed").result() is not None
    client.workspaces.begin_delete("closed", delete_dependent_resources=False).result()
    print("SEEN " + json.dumps(seen))


if __name__ == "__main__":
    main()
