"""`sluice deployment-logs`: the end of a deployment's container log, through azure-ai-ml.

It prints what Azure keeps of one instance; searching and history belong to Log Analytics.
"""

import argparse

from cli.errors import CommandError, ExitCode, UsageError
from cli.workspace import add_endpoint_arguments, find_endpoint, ml_client

CONTAINERS = ("inference-server", "storage-initializer")


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `sluice deployment-logs`."""
    parser = subparsers.add_parser("deployment-logs", help="print the logs of a deployment")
    add_endpoint_arguments(parser)
    parser.add_argument("deployment", metavar="DEPLOYMENT")
    parser.add_argument("--lines", "-n", type=int, default=100)
    parser.add_argument("--container", choices=CONTAINERS, default=CONTAINERS[0])
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the log."""
    if options.lines < 1:
        raise UsageError(f"--lines must be at least 1, got {options.lines}.")
    address = find_endpoint(options)
    client = ml_client(address)
    from azure.core.exceptions import HttpResponseError, ResourceNotFoundError

    where = f"deployment {options.deployment} of endpoint {address.name}"
    try:
        text = client.online_deployments.get_logs(
            options.deployment, address.name, lines=options.lines, container_type=options.container
        )
    except ResourceNotFoundError as error:
        raise UsageError(f"{where} does not exist. Check the name in the stack file.") from error
    except HttpResponseError as error:
        raise CommandError(f"{where}: {error.message.strip()}") from error
    print(text)
    return ExitCode.DONE
