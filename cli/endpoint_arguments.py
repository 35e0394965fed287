"""The arguments that name an endpoint, and the endpoint that they lead to."""

import argparse
import os
import shlex

from cli.arguments import add_stack_argument
from command_errors import UsageError
from endpoint_client.address import EndpointAddress, check_name, endpoint_of
from project import stack_name


def add_endpoint_arguments(parser: argparse.ArgumentParser) -> None:
    """Add ENDPOINT and the options that locate it."""
    parser.add_argument("endpoint", metavar="ENDPOINT", help="key in the stack file, or name in Azure")
    add_stack_argument(parser)
    parser.add_argument("--resource-group", help="with --workspace: look there, without a stack")
    parser.add_argument("--workspace")
    parser.add_argument("--subscription", help="default: AZURE_SUBSCRIPTION_ID")


def find_endpoint(options: argparse.Namespace) -> EndpointAddress:
    """Return the endpoint that the command line names, without checking that it exists."""
    check_name(options.endpoint, "an endpoint")
    if options.resource_group or options.workspace:
        subscription = options.subscription or os.environ.get("AZURE_SUBSCRIPTION_ID")
        if not (options.resource_group and options.workspace and subscription):
            raise UsageError(
                "give --resource-group and --workspace together, and the subscription with --subscription or "
                "AZURE_SUBSCRIPTION_ID."
            )
        place = (subscription, options.resource_group, options.workspace)
        flags = zip(("--subscription", "--resource-group", "--workspace"), place, strict=True)
        given = " ".join(f"{flag} {shlex.quote(value)}" for flag, value in flags)
        return EndpointAddress(*place, options.endpoint, options.endpoint, given)
    return endpoint_of(stack_name(options.stack), options.endpoint)
