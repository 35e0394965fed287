"""The program's reads of Azure: many at once, up to a limit, with every failure reported.

Reads use names and azure-native's `get*` functions. 404 means absent, 429 leads to a wait, anything else is a failure;
`require` turns all failures of a round into one `AzureReadError`. `live.py` decides what to read and what it means.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import pulumi
from pulumi.runtime.sync_await import _sync_await  # what pulumi.runtime.invoke waits with; the SDK has no public name
from pulumi_azure_native import _utilities  # says which version of the plugin answers

__all__ = ["FORBIDDEN", "Answer", "AzureReadError", "Read", "ReadFailure", "Resource", "answers_to", "ask", "require"]

READS_AT_ONCE = 32
"""Enough to read fifty endpoints in five turns, and fewer than ARM's smallest bucket (250 reads of one caller in
one subscription, refilled with 25 a second: documented) loses in one go. The language host has four threads for each
operation of `--parallel`; with less than 8 of those, its threads are the bound."""

FORBIDDEN = 403
THROTTLED = 429
PAUSES_SECONDS = (15.0, 30.0, 60.0)
"""How long to wait before throttled reads are repeated. By then, azure-native has waited and tried three times."""

ABSENT_CODES = frozenset(
    {
        "NotFound",  # the service, after ARM still knew the resource
        "ParentResourceNotFound",
        "ResourceGroupNotFound",
        "ResourceNotFound",  # ARM itself
        "WorkspaceNotFound",
    }
)
"""Codes that come with a 404 and mean that the resource is not there. A 404 with another code (SubscriptionNotFound,
InvalidResourceType, ...) means that the question was wrong."""

_INVOKE_PREFIX = re.compile(r"^(invoke of \S+ failed: )?(invocation of \S+ returned an error: )?")

_ARM_ERROR = re.compile(r'Status=(?P<status>\d+)(?: Code="(?P<code>[^"]*)")? Message="(?P<message>.*)"', re.DOTALL)
"""How azure-native formats an unsuccessful answer of ARM."""

K = TypeVar("K")
Resource = Mapping[str, Any]
"""A resource as azure-native's functions return it: ARM's JSON with the SDK's nesting, names in camelCase."""


class AzureReadError(pulumi.RunError):
    """The program could not read what is live from Azure, so it declares nothing."""


@dataclass(frozen=True, kw_only=True)
class Read:
    """One read: `function` is azure-native's, `what` names its subject for people (an ARM id)."""

    what: str
    function: str
    arguments: Mapping[str, str]
    provider: pulumi.ProviderResource | None = None
    """What acts in the subscription of the subject (`subscriptions.py`); None for the stack's own."""


@dataclass(frozen=True, kw_only=True)
class ReadFailure:
    """Azure did not report whether the resource exists; `status` is None if ARM did not answer at all."""

    what: str
    reason: str
    status: int | None
    code: str | None = None
    """ARM's name for the failure, such as AuthorizationFailed."""


Answer = Resource | ReadFailure | None
"""None: the resource is absent."""


def ask(reads: Mapping[K, Read], *, pause: Callable[[float], Awaitable[None]] = asyncio.sleep) -> dict[K, Answer]:
    """Do all reads of one round in parallel and return each result; a failed read raises nothing."""
    return _sync_await(answers_to(reads, pause))


def require(answers: Mapping[K, Answer]) -> dict[K, Resource | None]:
    """Return the answers, or raise one `AzureReadError` with every failure among them."""
    failures: dict[str, list[str]] = {}
    for answer in answers.values():
        if isinstance(answer, ReadFailure):
            failures.setdefault(answer.reason, []).append(answer.what)
    if failures:
        raise AzureReadError(_explain(failures))
    return {key: answer for key, answer in answers.items() if not isinstance(answer, ReadFailure)}


async def answers_to(
    reads: Mapping[K, Read], pause: Callable[[float], Awaitable[None]] = asyncio.sleep
) -> dict[K, Answer]:
    """`ask` for code that runs while resources are created."""
    answers = await _ask_once(reads)
    for seconds in PAUSES_SECONDS:
        again = {key: read for key, read in reads.items() if _is_throttled(answers[key])}
        if not again:
            break
        refused = f"{len(again)} of {len(reads)} reads"
        pulumi.log.info(f"Azure answers 429 Too Many Requests to {refused}. Asking again in {seconds:.0f} s.")
        await pause(seconds)
        answers |= await _ask_once(again)
    return answers


async def _ask_once(reads: Mapping[K, Read]) -> dict[K, Answer]:
    turns = asyncio.Semaphore(READS_AT_ONCE)

    async def answer(read: Read) -> Answer:
        options = _utilities.get_invoke_opts_defaults()
        options.provider = read.provider
        async with turns:
            try:
                ours = options if read.function.startswith("azure-native:") else None
                found: Resource = await pulumi.runtime.invoke_async(read.function, dict(read.arguments), ours)
            except Exception as error:  # the SDK raises plain Exception for a failed invoke
                return _absent_or_failure(read, str(error))
            return found

    return dict(zip(reads, await asyncio.gather(*map(answer, reads.values())), strict=True))


def _is_throttled(answer: Answer) -> bool:
    return isinstance(answer, ReadFailure) and answer.status == THROTTLED


def _absent_or_failure(read: Read, error: str) -> ReadFailure | None:
    answer = _ARM_ERROR.search(error)
    if answer and _is_absent(answer):
        return None
    reason = (answer.group(0) if answer else _INVOKE_PREFIX.sub("", error)).rstrip(".")
    if answer is None:
        return ReadFailure(what=read.what, reason=reason, status=None)
    return ReadFailure(what=read.what, reason=reason, status=int(answer["status"]), code=answer["code"])


def _is_absent(answer: re.Match[str]) -> bool:
    if answer["status"] != "404":
        return False
    # Newer backends of Azure ML answer UserError for what does not exist (recorded for batch endpoints, 2024).
    said = answer["code"] == "UserError" and re.search(r"does not exist|not found", answer["message"])
    return answer["code"] in ABSENT_CODES or bool(said)


def _explain(failures: Mapping[str, list[str]]) -> str:
    """Return one line per reason: a service that is down fails every read with the same error."""
    ending = (
        "What is live decides which change is allowed, so nothing was changed. Fix this (`sluice doctor` shows what is "
        "missing) and try again."
    )
    lines = []
    for reason, subjects in failures.items():
        others = len(subjects) - 1
        and_others = f" and {others} other{'s' if others > 1 else ''}" if others else ""
        lines.append(f"{subjects[0]}{and_others} from Azure: {reason}.")
    if len(lines) == 1:
        return f"cannot read {lines[0]} {ending}"
    return "\n  ".join(["cannot read:", *lines]) + f"\n{ending}"
