"""Where a stack's models are published: the default datastore of its workspace, found by asking Azure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from command_errors import CommandError, UsageError

if TYPE_CHECKING:
    from models.publisher import Destination
    from resource_manager.client import ArmClient

DATASTORE = "workspaceblobstore"  # the default datastore, which every workspace has
MACHINE_LEARNING_API = "2024-04-01"
STORAGE_API = "2023-05-01"


def find_destination(arm: ArmClient, workspace_id: str, stack: str) -> Destination:
    """Ask Azure for the workspace's default datastore and its storage account; compose no address.

    Raises UsageError if the workspace does not exist yet, CommandError if Azure's answers do not fit together.
    """
    from models.publisher import Destination

    workspace = arm.get(workspace_id, MACHINE_LEARNING_API)
    if workspace is None:
        raise UsageError(
            f"the workspace of stack {stack} does not exist yet: {workspace_id}. "
            f"Run `pulumi up --stack {stack}` first: it creates the workspace; deployments wait for published files."
        )
    datastore = arm.get(f"{workspace_id}/datastores/{DATASTORE}", MACHINE_LEARNING_API)
    if datastore is None:
        raise CommandError(
            f"workspace {workspace_id.rpartition('/')[2]} has no datastore {DATASTORE}, which Azure ML creates with "
            "every workspace. Restore it in the studio (Data > Datastores), or recreate the workspace."
        )
    account_id = str(_property(workspace, "storageAccount"))
    account = arm.get(account_id, STORAGE_API)
    name, container = str(_property(datastore, "accountName")), str(_property(datastore, "containerName"))
    if account is None or account_id.rpartition("/")[2].lower() != name.lower():
        raise CommandError(
            f"datastore {DATASTORE} is in storage account {name}, but the workspace's own is {account_id}"
            f"{' and does not exist' if account is None else ''}. Repair the datastore, or recreate the workspace."
        )
    endpoints = _property(account, "primaryEndpoints")
    blob = endpoints.get("blob") if isinstance(endpoints, dict) else None
    if not isinstance(blob, str):
        raise CommandError(f"storage account {name} has no address for blobs. Check that its kind supports blobs.")
    return Destination(
        workspace_id=workspace_id,
        workspace_guid=str(_property(workspace, "workspaceId")),
        datastore=DATASTORE,
        storage_account=name,
        storage_account_id=account_id,
        blob_endpoint=f"{blob.rstrip('/')}/",
        container=container,
        public=str(account["properties"].get("publicNetworkAccess") or "Enabled").lower() == "enabled",
    )


def _property(resource: dict[str, Any], name: str) -> Any:
    properties = resource.get("properties")
    value = properties.get(name) if isinstance(properties, dict) else None
    if value is None:
        raise CommandError(
            f"Azure's answer for {resource.get('id')} has no {name}. Try again: Azure may still be creating it."
        )
    return value
