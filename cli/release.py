"""`sluice release publish`: uploads models' local files to a stack's workspace and records them in the release locks.

stacks/names.py finds the workspace by name, as the program does; stacks/destination.py finds its storage, and
models/publisher.py uploads. For any number of models, azure-ai-ml starts once and the caller signs
in once.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.arguments import add_stack_argument
from cli.progress import UploadProgress
from cli.release_list import add_list_commands
from cli.release_pin import add_pin_commands
from cli.release_verify import add_verify_command
from command_errors import UsageError
from exit_codes import ExitCode
from project import project_root, stack_name
from stacks.file import file_among_stacks, read_settings, settings_of

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

    from delivery.releases.release_bytes import OtherStack
    from models.publisher import Destination, Publication
    from models.spec import Model


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `sluice release`."""
    commands = parser.add_subparsers(dest="release_command", metavar="COMMAND", required=True)
    command = commands.add_parser(
        "publish",
        help="upload model and code by content, write the release lock",
        description="Uploads the local files of models/MODEL to the storage of the stack's workspace, by content hash "
        "and with your own identity, and records their addresses in release.lock.yml. A pinned release takes its bytes "
        "from the folder if they match, else from its commit, else from the storage of --from. Safe to repeat.",
    )
    command.add_argument("models", metavar="MODEL", nargs="*", help="folder below models/, e.g. fraud-detection")
    command.add_argument("--all", action="store_true", help="every model that the stack's file declares")
    command.add_argument(
        "--deployment", "-d", action="append", help="only this one (repeatable); default: all that the folder describes"
    )
    command.add_argument(
        "--from", dest="other", metavar="STACK", help="stack whose storage has what neither folder nor commit has"
    )
    command.add_argument(
        "--json",
        action="store_true",
        help="print the result as JSON (a list for several models); progress goes to stderr",
    )
    add_stack_argument(command)
    command.set_defaults(run=publish_models)
    add_pin_commands(commands)
    add_list_commands(commands)
    add_verify_command(commands)


def publish_models(options: argparse.Namespace) -> int:
    """Run `sluice release publish`."""
    from delivery.releases.publication import parcel_of
    from delivery.releases.release_bytes import CommitTrees
    from models.publisher import as_values, publish, total_bytes

    logging.getLogger("azure").addHandler(logging.NullHandler())  # the errors contain its relevant warnings
    stack = stack_name(options.stack)
    folders, again = _asked(options, stack)
    pins = _pins(stack, folders, options.deployment)
    models = _load(folders, options.deployment, pins)
    publications: list[Publication] = []
    with contextlib.ExitStack() as open_until_the_end:
        trees = open_until_the_end.enter_context(CommitTrees(project_root()))
        other = _other_stack(options.other, open_until_the_end)
        parcels = [
            parcel_of(folder, model, pins[folder], project_root(), trees, other) for folder, model in models.items()
        ]
        if any(parcel.assets for parcel in parcels):
            credential, destination = publishing_place(stack)
            names = ", ".join(parcel.lock.model for parcel in parcels if parcel.assets)
            _say(f"publishing {names} to {destination.storage_account}/{destination.container} (stack {stack})")
            with container_of(destination, credential) as container, UploadProgress(total_bytes(parcels)) as progress:
                publications = publish(
                    [parcel for parcel in parcels if parcel.assets],
                    stack,
                    destination,
                    container,
                    progress,
                    again=again,
                )
    done = {publication.lock.model: publication for publication in publications}
    results: list[dict[str, object]] = []
    for parcel in parcels:
        publication = done.get(parcel.lock.model)
        empty: dict[str, object] = {"model": parcel.lock.model, "stack": stack, "assets": []}
        results.append(as_values(publication, stack) if publication else empty)
        line = _summary(publication) if publication else f"{parcel.lock.model}: no local files, nothing to publish"
        print(line, file=sys.stderr if options.json else sys.stdout)
    if options.json:
        single = len(options.models) == 1 and not options.all
        print(json.dumps(results[0] if single else results, indent=2))
    return ExitCode.DONE


def _asked(options: argparse.Namespace, stack: str) -> tuple[list[Path], str]:
    """Return the folders of the models to publish, and the command that publishes the same."""
    if options.all == bool(options.models):
        raise UsageError(
            "name the models to publish, or give --all for every model of the stack's file"
            f"{', not both' if options.all else ''}: sluice release publish fraud-detection --stack {stack}"
        )
    if options.deployment and (options.all or len(set(options.models)) > 1):
        raise UsageError("--deployment goes with one MODEL: deployments of two models can have the same name.")
    names = list(read_settings(stack)[0].endpoints) if options.all else list(dict.fromkeys(options.models))
    if not names:
        raise UsageError(f"stack {stack} declares no endpoint (sluice:endpoints), so there is nothing to publish.")
    what = "--all" if options.all else " ".join(names)
    return model_folders(names), f"sluice release publish {what} --stack {stack}"


def _pins(stack: str, folders: Sequence[Path], deployments: Sequence[str] | None) -> dict[Path, dict[str, str]]:
    """The releases that the stack file pins, by model and deployment."""
    endpoints = settings_of(stack).endpoints
    found: dict[Path, dict[str, str]] = {}
    for folder in folders:
        declared = endpoints[folder.name].deployments if folder.name in endpoints else {}
        found[folder] = {
            name: one.release
            for name, one in declared.items()
            if one.release is not None and (deployments is None or name in deployments)
        }
    return found


def _load(
    folders: Sequence[Path], deployments: Sequence[str] | None, pins: Mapping[Path, Mapping[str, str]]
) -> dict[Path, Model]:
    """Return the models of these folders. Raises one error with all their problems."""
    from models.errors import ModelError
    from models.loader import list_deployments, load_models

    asked = {folder: {**dict.fromkeys(deployments or list_deployments(folder)), **pins[folder]} for folder in folders}
    loaded = load_models(asked)
    errors = [model for model in loaded.values() if isinstance(model, ModelError)]
    if errors:
        raise UsageError("\n".join(str(error) for error in errors))
    return {folder: model for folder, model in loaded.items() if not isinstance(model, ModelError)}


def _other_stack(name: str | None, open_until_the_end: contextlib.ExitStack) -> OtherStack | None:
    """The storage that `--from` names."""
    if name is None:
        return None
    from azure.core.exceptions import ResourceNotFoundError

    from delivery.releases.release_bytes import OtherStack

    credential, destination = publishing_place(name, file_among_stacks(name))
    container = open_until_the_end.enter_context(container_of(destination, credential))

    def open_blob(blob: str) -> Any:
        try:
            return container.get_blob_client(blob).download_blob()
        except ResourceNotFoundError:
            return None

    return OtherStack(stack=name, open=open_blob)


def _summary(publication: Publication) -> str:
    count = publication.uploaded_files
    uploaded = "nothing was" if count == 0 else "1 file was" if count == 1 else f"{count} files were"
    return f"{publication.lock.model}: {uploaded} uploaded, {_lock_state(publication)}"


def _lock_state(publication: Publication) -> str:
    """Describe what happened to the lock; one outside the repository (a rehearsal's) must not be committed."""
    from models.release_lock import LOCKS_VARIABLE

    lock = publication.lock
    if not os.environ.get(LOCKS_VARIABLE):
        return f"{lock.path.name} {'written; commit it' if publication.lock_changed else 'unchanged'} ({lock.path})"
    state = "written" if publication.lock_changed else "unchanged"
    return f"{lock.path.name} {state} outside the repository, because {LOCKS_VARIABLE} is set ({lock.path})"


def model_folders(names: Sequence[str]) -> list[Path]:
    """Return the folders of models. Raises one UsageError for all that do not exist, with the models that do."""
    from problem import did_you_mean

    models = project_root() / "models"
    there = sorted(path.parent.name for path in models.glob("*/endpoint.yml"))
    missing = [name for name in names if name not in there]
    if missing:
        lines = [
            f"there is no model {name!r}: models/{name}/endpoint.yml does not exist.{did_you_mean(name, there)}"
            for name in missing
        ]
        known = ", ".join(there) or "none"
        raise UsageError("\n".join([*lines, f"Known: {known}. Check the name, or create the folder."]))
    return [models / name for name in names]


def publishing_place(stack: str, file: Path | None = None) -> tuple[TokenCredential, Destination]:
    """Return the caller's login and the storage of a stack's workspace. Raises UsageError and UnavailableError."""
    from credentials.login import azure_credential
    from resource_manager.client import ArmClient
    from stacks.destination import find_destination
    from stacks.names import read_names, require_own_group

    settings, names = read_names(stack, file)
    credential = azure_credential()
    arm = ArmClient(credential)
    require_own_group(arm, settings, names)
    return credential, find_destination(arm, names.workspace_id, stack)


def container_of(destination: Destination, credential: TokenCredential) -> Any:
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


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
