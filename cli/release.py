"""`sluice release publish`: uploads a model's local files to a stack's workspace and records them in the release lock.

It finds the workspace by name, as the program does, and its default datastore and storage account by asking Azure; no
address is built by hand. Uploading is models/publisher.py's work.
"""

import argparse
import json
import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.errors import CommandError, ExitCode, UnavailableError, UsageError
from cli.project import add_stack_argument, project_root, stack_name

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

    from cli.arm import ArmClient
    from models.publisher import Destination
    from settings import Settings

DATASTORE = "workspaceblobstore"  # the default datastore, which every workspace has
MACHINE_LEARNING_API = "2024-04-01"
STORAGE_API = "2023-05-01"
SUBSCRIPTION_VARIABLES = ("ARM_SUBSCRIPTION_ID", "AZURE_SUBSCRIPTION_ID")  # the order in which azure-native looks


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `sluice release`."""
    group = subparsers.add_parser("release", help="publish a model's files to a stack's workspace")
    commands = group.add_subparsers(dest="release_command", metavar="COMMAND", required=True)
    parser = commands.add_parser(
        "publish",
        help="upload model and code by content, write the release lock",
        description="Uploads the local files of models/MODEL to the storage of the stack's workspace, by content hash "
        "and with your own identity, and records where they lie in release.lock.yml. Safe to repeat.",
    )
    parser.add_argument("model", metavar="MODEL", help="folder below models/, e.g. fraud-detection")
    parser.add_argument(
        "--deployment", "-d", action="append", help="only this one (repeatable); default: all that the folder describes"
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON; progress goes to stderr")
    add_stack_argument(parser)
    parser.set_defaults(run=publish_model)


def publish_model(options: argparse.Namespace) -> int:
    """Run `sluice release publish`."""
    from models.errors import PublishError, StorageUnavailableError
    from models.loader import list_deployments, load_model
    from models.publisher import as_json, local_assets, publish
    from models.release import read_lock

    logging.getLogger("azure").addHandler(logging.NullHandler())  # its warnings are in the errors, where they matter
    folder, stack = model_folder(options.model), stack_name(options.stack)
    model = load_model(folder, options.deployment or list_deployments(folder))
    lock = read_lock(folder)
    assets = local_assets(model)
    if not assets:
        _say(f"{model.name} has no local files: all its models and code are references. Nothing to publish.")
        if options.json:
            print(json.dumps({"model": model.name, "stack": stack, "assets": []}))
        return ExitCode.DONE
    credential, destination = _find(stack)
    _say(f"publishing {model.name} to {destination.storage_account}/{destination.container} (stack {stack})")
    try:
        with _container(destination, credential) as container:
            publication = publish(assets, lock, stack, destination, container, _say)
    except StorageUnavailableError as error:
        raise UnavailableError(str(error)) from error
    except PublishError as error:
        raise UsageError(str(error)) from error
    if options.json:
        print(as_json(publication, stack))
    else:
        count = "nothing was" if publication.uploaded_files == 0 else f"{publication.uploaded_files} file(s)"
        lock_state = "written; commit it" if publication.lock_changed else "unchanged"
        print(f"{model.name}: {count} uploaded, {publication.lock.path.name} {lock_state} ({publication.lock.path})")
    return ExitCode.DONE


def model_folder(name: str) -> Path:
    """Return the folder of a model. Raises UsageError with the models there are."""
    from models.finding import did_you_mean

    models = project_root() / "models"
    if "/" not in name and name not in (".", "..") and (models / name / "endpoint.yml").is_file():
        return models / name
    there = sorted(path.parent.name for path in models.glob("*/endpoint.yml"))
    raise UsageError(
        f"there is no model {name!r}: models/{name}/endpoint.yml does not exist.{did_you_mean(name, there)} "
        f"Known: {', '.join(there) or 'none'}."
    )


def read_settings(stack: str) -> tuple["Settings", str]:
    """Return a stack's settings and its subscription, from the file that the next `pulumi up` reads."""
    import yaml

    from settings import parse_settings

    named = os.environ.get("PULUMI_OPTION_CONFIG_FILE")
    path = Path(named) if named else project_root() / f"Pulumi.{stack}.yaml"
    try:
        config = (yaml.safe_load(path.read_text(encoding="utf-8")) or {}).get("config") or {}
    except FileNotFoundError as error:
        raise UsageError(f"stack {stack} has no file {path}. Give --stack, or make the file.") from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError, AttributeError) as error:
        raise UsageError(f"{path} cannot be read: {error}. Correct it.") from error
    raw: dict[str, object] = {
        key.removeprefix("sluice:"): value for key, value in config.items() if key.startswith("sluice:")
    }
    if "azure-native:location" in config:
        raw["location"] = config["azure-native:location"]
    named_subscriptions = [config.get("azure-native:subscriptionId"), *map(os.environ.get, SUBSCRIPTION_VARIABLES)]
    subscription = next((str(one) for one in named_subscriptions if one), None)
    if subscription is None:
        raise UsageError(
            "the subscription is not known: neither azure-native:subscriptionId nor ARM_SUBSCRIPTION_ID is set. "
            "Run `export ARM_SUBSCRIPTION_ID=$(az account show --query id --output tsv)`."
        )
    return parse_settings(raw, stack=stack), subscription


def find_destination(arm: "ArmClient", workspace_id: str, stack: str) -> "Destination":
    """Ask Azure for the workspace's default datastore and its storage account."""
    from models.publisher import Destination

    workspace = arm.get(workspace_id, MACHINE_LEARNING_API)
    if workspace is None:
        raise UsageError(
            f"the workspace of stack {stack} does not exist yet: {workspace_id}. "
            f"Run `pulumi up --stack {stack}` first: it makes the workspace; deployments wait for published files."
        )
    datastore = arm.get(f"{workspace_id}/datastores/{DATASTORE}", MACHINE_LEARNING_API)
    if datastore is None:
        raise CommandError(
            f"workspace {workspace_id.rpartition('/')[2]} has no datastore {DATASTORE}, which Azure ML makes with "
            "every workspace. Restore it in the studio (Data > Datastores), or make the workspace anew."
        )
    account_id = str(_property(workspace, "storageAccount"))
    account = arm.get(account_id, STORAGE_API)
    name, container = str(_property(datastore, "accountName")), str(_property(datastore, "containerName"))
    if account is None or account_id.rpartition("/")[2].lower() != name.lower():
        raise CommandError(
            f"datastore {DATASTORE} is in storage account {name}, but the workspace's own is {account_id}"
            f"{' and does not exist' if account is None else ''}. Repair the datastore, or make the workspace anew."
        )
    endpoints = _property(account, "primaryEndpoints")
    blob = endpoints.get("blob") if isinstance(endpoints, dict) else None
    if not isinstance(blob, str):
        raise CommandError(f"storage account {name} has no address for blobs. Check that it is made for blobs at all.")
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


def _find(stack: str) -> tuple["TokenCredential", "Destination"]:
    from azure.identity import DefaultAzureCredential

    from cli.arm import ArmClient
    from cli.stack_names import read_names

    _, names = read_names(stack)
    credential = DefaultAzureCredential()
    return credential, find_destination(ArmClient(credential), names.workspace_id, stack)


def _container(destination: "Destination", credential: "TokenCredential") -> Any:
    """Return the client of the datastore's container; its retries take seconds, because a person waits."""
    from azure.storage.blob import ContainerClient

    return ContainerClient(
        account_url=destination.blob_endpoint,
        container_name=destination.container,
        credential=credential,
        retry_total=3,
        initial_backoff=1,
        increment_base=2,
        connection_timeout=10,
        logging_enable=False,
    )


def _property(resource: dict[str, Any], name: str) -> Any:
    properties = resource.get("properties")
    value = properties.get(name) if isinstance(properties, dict) else None
    if value is None:
        raise CommandError(
            f"Azure's answer for {resource.get('id')} has no {name}. Try again: it may be in the making."
        )
    return value


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
