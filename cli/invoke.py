"""`sluice invoke`: one request to an endpoint through azure-ai-ml, as a smoke test.

azure-ai-ml repeats a request that was answered with 500, 503 or 504: to count answers, use `sluice load`.
It keeps the request's headers in a dictionary of the module and so carries the deployment and the key of one call into
the next; `fresh_headers` ends that.
"""

import argparse
import contextlib
import json
import warnings
from collections.abc import Iterator
from pathlib import Path

from cli.errors import CommandError, ExitCode, UsageError
from cli.workspace import EndpointAddress, add_endpoint_arguments, find_endpoint, ml_client


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `sluice invoke`."""
    parser = subparsers.add_parser("invoke", help="send a request file to an endpoint")
    add_endpoint_arguments(parser)
    parser.add_argument("--request-file", type=Path, required=True, help="JSON")
    parser.add_argument("--deployment", help="send straight to this deployment; default: as the weights say")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Send the request and print the answer."""
    check_request_file(options.request_file)
    print(invoke(find_endpoint(options), options.request_file, options.deployment))
    return ExitCode.DONE


def check_request_file(file: Path) -> None:
    """azure-ai-ml fails with a bare JSON error, or none, on these."""
    try:
        json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read the request file {file}: {error.strerror}.") from error
    except ValueError as error:
        raise UsageError(f"{file} is no JSON: {error}. Scoring requests are JSON documents.") from error


def invoke(address: EndpointAddress, request_file: Path, deployment: str | None) -> str:
    """The endpoint's answer."""
    client = ml_client(address)
    from azure.ai.ml.exceptions import ValidationException
    from azure.core.exceptions import HttpResponseError, ServiceRequestError, ServiceResponseError

    where = f"endpoint {address.name}" + (f", deployment {deployment}" if deployment else "")
    try:
        with fresh_headers(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the library's own notices about experimental classes
            answer = client.online_endpoints.invoke(
                address.name, request_file=str(request_file), deployment_name=deployment
            )
    except ValidationException as error:
        raise UsageError(f"{where}: {error.message}") from error
    except HttpResponseError as error:
        raise CommandError(f"{where}: {_explained(error.status_code, error.message)}") from error
    except (ServiceRequestError, ServiceResponseError) as error:
        raise CommandError(f"{where}: no answer: {error.message}") from error
    except TypeError as error:  # the library's answer to status 408
        raise CommandError(f"{where}: the model did not answer in time (408). See `sluice deployment-logs`.") from error
    return str(answer)


@contextlib.contextmanager
def fresh_headers() -> Iterator[None]:
    """azure-ai-ml's module-wide headers, as they were before any call, and again afterwards."""
    from azure.ai.ml.constants._endpoint import EndpointInvokeFields

    headers = EndpointInvokeFields.DEFAULT_HEADER
    for name in [name for name in headers if name.lower() != "content-type"]:
        del headers[name]
    before = dict(headers)
    try:
        yield
    finally:
        headers.clear()
        headers.update(before)


def _explained(status: int | None, message: str) -> str:
    reason = {
        404: "nothing serves there: no deployment has weight, or the endpoint does not exist",
        424: "the model failed: see `sluice deployment-logs`",
        429: "too many requests at once for this number of instances",
    }.get(status or 0)
    return f"{status} {message.strip()}" + (f" ({reason})" if reason else "")
