"""`sluice release freeze` and `sluice release pin`: write down what a colour is, and hold a stack to it."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any

from cli.arguments import add_stack_argument
from exit_codes import ExitCode
from project import project_root

if TYPE_CHECKING:
    from delivery.releases.freeze import Frozen
    from delivery.releases.pinning import Pinned


def add_pin_commands(commands: Any) -> None:
    """Add `freeze` and `pin` to the commands of `sluice release`."""
    command: argparse.ArgumentParser = commands.add_parser(
        "freeze",
        help="write the release document of a colour",
        description="Writes models/MODEL/releases/<content>.json: what models/MODEL/COLOUR.yml says, with the hash of "
        "every file of model and code. Every such file must be what the commit has, byte for byte. Safe to repeat.",
    )
    command.add_argument("model", metavar="MODEL", help="folder below models/, e.g. fraud-detection")
    command.add_argument("colour", metavar="COLOUR", help="deployment, e.g. green")
    command.add_argument("--json", action="store_true", help="print the result as JSON")
    command.set_defaults(run=freeze_release)
    command = commands.add_parser(
        "pin",
        help="freeze what a colour is in Azure, and pin it in the stack file",
        description="Freezes the release that the live deployment's tag names, and sets its `release:` in the stack "
        "file, so that it stays what it is whatever the folder says. The next preview changes nothing. Reads Azure and "
        "changes nothing there.",
    )
    command.add_argument("endpoint", metavar="ENDPOINT", help="key in the stack file, e.g. fraud-detection")
    command.add_argument("colour", metavar="COLOUR", help="deployment, e.g. green")
    add_stack_argument(command)
    command.add_argument("--commit", help="take the files from this commit, not from the folder")
    command.add_argument("--json", action="store_true", help="print the result as JSON")
    command.set_defaults(run=pin_release)


def freeze_release(options: argparse.Namespace) -> int:
    """Run `sluice release freeze`."""
    from cli.release import model_folders
    from delivery.releases.freeze import freeze

    model_folders([options.model])
    frozen = freeze(project_root(), options.model, options.colour)
    document = frozen.document
    if options.json:
        print(json.dumps({**_values(frozen), "new": frozen.is_new}, indent=2))
    elif frozen.is_new:
        print(f"{document.path} written, from commit {document.commit[:12]}; commit it")
    else:
        print(f"{document.path} has this content already, from commit {document.commit[:12]}; nothing was changed")
    return ExitCode.DONE


def pin_release(options: argparse.Namespace) -> int:
    """Run `sluice release pin`."""
    from cli.rollout_session import site_of
    from command_errors import UsageError
    from delivery.releases.pinning import Request, pin
    from problem import did_you_mean

    site = site_of(options)
    deployments = site.settings.endpoints[site.key].deployments
    if options.colour not in deployments:
        raise UsageError(
            f"{site.stack_file.name} declares no deployment {options.colour} of {site.key} (declared: "
            f"{', '.join(deployments) or 'none'}).{did_you_mean(options.colour, deployments)}"
        )
    endpoint = site.azure.endpoint()
    request = Request(
        root=project_root(),
        stack=site.stack,
        endpoint=site.key,
        colour=options.colour,
        settings=deployments[options.colour],
        live=endpoint.deployments.get(options.colour) if endpoint else None,
        commit=options.commit,
    )
    pinned = pin(request, site.declared)
    if options.json:
        values = {"document": pinned.document.path, "content": pinned.document.content, "new": pinned.document_is_new}
        print(json.dumps({**values, "stack_file": str(site.stack_file), "set": dict(pinned.values)}, indent=2))
    else:
        _tell(pinned, options.colour, site.stack_file.name)
    return ExitCode.DONE


def _values(frozen: Frozen) -> dict[str, object]:
    document = frozen.document
    return {"document": document.path, "content": document.content, "commit": document.commit}


def _tell(pinned: Pinned, colour: str, file: str) -> None:
    document = pinned.document
    state = "written" if pinned.document_is_new else "unchanged"
    print(f"{document.path} {state}, from commit {document.commit[:12]}")
    if pinned.values:
        print(f"{file}: {colour} is pinned: {', '.join(f'{name}: {value}' for name, value in pinned.values.items())}")
    else:
        print(f"{file}: {colour} was pinned to {document.short} before; nothing was changed")
    for note in pinned.notes:
        print(f"note: {note}", file=sys.stderr)
    if pinned.values or pinned.document_is_new:
        print("Commit both files: the next preview changes nothing.")
