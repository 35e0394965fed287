"""`sluice new`: the files that a new team or a new endpoint starts with. `scaffold/` has the logic."""

from __future__ import annotations

import argparse
import json

from exit_codes import ExitCode
from project import project_root


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `sluice new`."""
    commands = parser.add_subparsers(dest="new_command", metavar="COMMAND", required=True)
    team = commands.add_parser(
        "team",
        help="write the stack files and the bootstrap config of a team",
        description="Writes Pulumi.<team>-<environment>.yaml and the bootstrap config of each environment: all of them "
        "or none, and never over an existing file. It changes nothing in Azure.",
    )
    team.add_argument("name", metavar="NAME", help="2 to 24 lower-case letters, digits and single dashes")
    team.add_argument("--location", required=True, metavar="REGION", help="Azure region, such as westeurope")
    team.add_argument(
        "--environments",
        required=True,
        metavar="E1,E2",
        help="in the order in which a release passes through them, such as dev,prod",
    )
    team.add_argument(
        "--address-space",
        metavar="RANGE",
        help="private stacks, which divide this range, such as 10.90.0.0/20; default: public stacks",
    )
    team.add_argument("--repository", metavar="OWNER/REPO", help="its repository on GitHub, for the bootstrap config")
    team.add_argument(
        "--subject-prefix",
        metavar="PREFIX",
        help="how subjects of the repository's ID tokens begin: what the command in the bootstrap config prints",
    )
    team.add_argument(
        "--generation", type=int, default=1, metavar="N", help="of a team that was removed: `sluice remove` prints it"
    )
    team.add_argument("--json", action="store_true", help="print files and next commands as JSON")
    team.set_defaults(run=new_team)
    endpoint = commands.add_parser(
        "endpoint",
        help="write the folder of a model",
        description="Writes models/KEY, which `sluice model check` accepts, or nothing. It changes no stack file.",
    )
    endpoint.add_argument("key", metavar="KEY", help="name of the folder, and key in the stack files")
    endpoint.add_argument(
        "--from",
        dest="source",
        required=True,
        metavar="SOURCE",
        help="sklearn, mlflow or onnx: a sample that serves; or a folder with the files that `az ml` deploys, which is "
        "copied",
    )
    endpoint.add_argument("--json", action="store_true", help="print the folder and what to add as JSON")
    endpoint.set_defaults(run=new_endpoint)


def new_team(options: argparse.Namespace) -> int:
    """Run `sluice new team`."""
    from scaffold.team import NewTeam, write_team

    team = NewTeam(
        name=options.name,
        location=options.location,
        environments=tuple(options.environments.split(",")),
        address_space=options.address_space,
        repository=options.repository,
        subject_prefix=options.subject_prefix,
        generation=options.generation,
    )
    root = project_root()
    files = [str(path.relative_to(root)) for path in write_team(team, root)]
    if options.json:
        print(json.dumps({"files": files, "next": team.next_steps()}, indent=2))
        return ExitCode.DONE
    for file in files:
        print(f"wrote {file}")
    print("Next:")
    for step in team.next_steps():
        print(f"  {step}")
    return ExitCode.DONE


def new_endpoint(options: argparse.Namespace) -> int:
    """Run `sluice new endpoint`."""
    from scaffold.endpoint import next_lines, write_endpoint

    root = project_root()
    folder = write_endpoint(options.key, options.source, root)
    lines = next_lines(options.key, folder)
    if options.json:
        print(json.dumps({"folder": str(folder.relative_to(root)), "next": lines}, indent=2))
        return ExitCode.DONE
    print(f"wrote {folder.relative_to(root)}")
    print("\n".join(lines))
    return ExitCode.DONE
