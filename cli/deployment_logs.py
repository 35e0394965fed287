"""`sluice deployment-logs`: the end of a deployment's container log, which Azure keeps for one instance.

Searching and history belong to Log Analytics.
"""

import argparse

from cli.endpoint_arguments import add_endpoint_arguments, find_endpoint
from command_errors import UnavailableError, UsageError
from endpoint_client.address import MACHINE_LEARNING_API, check_name, missing_deployment
from exit_codes import ExitCode
from resource_manager.client import ArmClient

# The names on the command line and in Azure.
CONTAINERS = {"inference-server": "InferenceServer", "storage-initializer": "StorageInitializer"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `sluice deployment-logs`."""
    add_endpoint_arguments(parser)
    parser.add_argument("deployment", metavar="DEPLOYMENT")
    parser.add_argument("--lines", "-n", type=int, default=100)
    parser.add_argument("--container", choices=CONTAINERS, default="inference-server")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the log."""
    if options.lines < 1:
        raise UsageError(f"--lines must be at least 1, got {options.lines}.")
    check_name(options.deployment, "a deployment")
    address, arm = find_endpoint(options), ArmClient()
    asked = {"containerType": CONTAINERS[options.container], "tail": options.lines}
    answer = arm.post(f"{address.id}/deployments/{options.deployment}/getLogs", MACHINE_LEARNING_API, asked)
    if answer is None:
        raise missing_deployment(arm, address, options.deployment)
    content = answer.get("content")
    if not isinstance(content, str):
        raise UnavailableError(
            f"Azure's answer for deployment {options.deployment} of endpoint {address.name} contains no log. "
            "Try again: the container may not have started yet."
        )
    print(content)
    return ExitCode.DONE
