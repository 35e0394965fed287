"""`sluice promote`: carries a proven release into the file of the next stack, in the checkout or as a pull request."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from command_errors import UsageError
from exit_codes import ExitCode
from project import project_root

if TYPE_CHECKING:
    from delivery.promotion.promote import Promotion
    from delivery.promotion.promotion_branch import Published
    from git_server.port import GitServer


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `sluice promote`."""
    parser.description = (
        "Takes the newest valid proof of what serves in one stack, and pins that release in the file of another one, "
        "without weight: release document, proofs and stack file. It changes nothing in Azure. Safe to repeat."
    )
    parser.add_argument("endpoint", metavar="ENDPOINT", help="key in the stack file, e.g. fraud-detection")
    parser.add_argument("--from", dest="source", metavar="STACK", required=True, help="stack that proved the release")
    parser.add_argument("--to", dest="target", metavar="STACK", required=True, help="stack that is to serve it")
    parser.add_argument(
        "--colour",
        help="its name there; default: as in the other stack, else the first free of blue, green, amber, violet",
    )
    parser.add_argument(
        "--branch", action="store_true", help="push a branch promote/<stack>/<endpoint>-<8 hex>; the checkout stays"
    )
    parser.add_argument("--open-pr", action="store_true", help="push the branch, and open or update its pull request")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.set_defaults(run=promote)


def promote(options: argparse.Namespace) -> int:
    """Run `sluice promote`."""
    from cli.release_verify import remote_records, verifier_of
    from delivery.promotion.promote import plan_promotion
    from delivery.promotion.promotion_branch import PromotionBranch
    from delivery.promotion.promotion_request import PromotionRequest
    from delivery.releases.checkout_files import CheckoutFiles
    from delivery.releases.checkout_releases import CheckoutReleases

    root = project_root()
    clone = remote_records(root)
    request = PromotionRequest(
        endpoint=options.endpoint, source=options.source, target=options.target, colour=options.colour
    )
    plan = partial(
        plan_promotion,
        request,
        releases=CheckoutReleases(root, options.endpoint),
        verifier=verifier_of(root, clone),
        target_files=clone.of_target,
        now=int(time.time()),
    )
    if options.branch or options.open_pr:
        published = PromotionBranch(clone, plan, _server() if options.open_pr else None).publish()
        _report(options, published.promotion, published)
        return ExitCode.DONE
    files = CheckoutFiles(root)
    promotion = plan(files)
    files.write(promotion.files)
    _report(options, promotion, None)
    return ExitCode.DONE


def _server() -> GitServer:
    from git_server.selection import git_server

    server = git_server(os.environ)
    if server is None:
        raise UsageError(
            "--open-pr needs a git server: neither a pipeline nor GITHUB_REPOSITORY and GITHUB_TOKEN name one. Set "
            "them, or give --branch and open the pull request yourself."
        )
    return server


def _report(options: argparse.Namespace, promotion: Promotion, published: Published | None) -> None:
    from delivery.promotion.promotion_text import text_of

    if options.json:
        print(json.dumps(_values(promotion, published), indent=2))
        return
    print(text_of(promotion, str), end="")
    print(f"\n{_what_was_done(promotion, published)}", file=sys.stderr)


def _what_was_done(promotion: Promotion, published: Published | None) -> str:
    request = promotion.request
    if published is None and not promotion.files:
        return f"{request.target} has this release already, as {promotion.colour}: nothing was changed."
    if published is None:
        changed = ", ".join(promotion.files)
        return (
            f"written: {changed}. Review and commit them; `pulumi preview --stack {request.target}` shows the change."
        )
    if published.branch is None:
        return f"the source branch has this promotion already, as {promotion.colour}: nothing was changed."
    pushed = "pushed" if published.pushed else "was up to date"
    opened = f" Pull request: {published.pull_request.url}" if published.pull_request else ""
    return f"{published.branch} {pushed}.{opened}"


def _values(promotion: Promotion, published: Published | None) -> dict[str, Any]:
    from delivery.promotion.promotion_text import text_of, title_of

    request, proof = promotion.request, promotion.proven.proof
    opened = published.pull_request if published else None
    return {
        "endpoint": request.endpoint,
        "from": request.source,
        "to": request.target,
        "colour": promotion.colour,
        "content": promotion.document.content,
        "document": promotion.document.path,
        "proof": json.loads(proof.line()),
        "changed": sorted(promotion.files) if published is None or published.pushed else [],
        "branch": published.branch if published else None,
        "pushed": published.pushed if published else False,
        "pull_request": opened.url if opened else None,
        "title": title_of(promotion),
        "text": text_of(promotion),
    }
