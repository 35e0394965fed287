"""The commands of `python3 -m toolchain`: the order of their steps, and their error messages."""

from __future__ import annotations

import errno
import os
import sys
import time
from pathlib import Path

from toolchain.actionlint import lint
from toolchain.build import build
from toolchain.console import ToolchainError, fail, run_or_fail, say
from toolchain.download import download
from toolchain.environment import ensure_environment
from toolchain.selection import ensure_cli, select
from toolchain.uv import find_uv, uv_environment
from toolchain.versions import show

ROOT = Path(__file__).resolve().parent.parent
USAGE = """usage: python3 -m toolchain COMMAND

  setup   create .venv and get a Pulumi CLI; skips what is done already
  path    print the folder of the Pulumi CLI that set-up chose
  actionlint FILE...  check workflows of GitHub Actions; builds the linter first if there is none
  lock    rewrite requirements*.lock from requirements*.in (add --upgrade for newer versions)
"""


def main(arguments: list[str]) -> int:
    """Run one command; exit codes: 0 done, 1 failed, 2 wrong use."""
    if sys.platform == "win32":
        return fail(ToolchainError("Windows is not supported", "use the Windows Subsystem for Linux"))
    try:
        match arguments:
            case ["setup"]:
                set_up()
            case ["path"]:
                print(select(os.environ).path.parent)
            case ["actionlint", *files] if files:
                return lint(files)
            case ["lock", *options] if set(options) <= {"--upgrade"}:
                write_locks(options)
            case ["help" | "--help" | "-h"]:
                print(USAGE)
            case _:
                print(USAGE, file=sys.stderr)
                return 2
    except ToolchainError as error:
        return fail(error)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        return fail(ToolchainError(f"the disk is full: {error.filename or error}", "free some space, then repeat"))
    except KeyboardInterrupt:
        print("\nsetup: interrupted; run the same command again to continue from here", file=sys.stderr)
        return 130
    return 0


def set_up() -> None:
    """Install everything that `make demo` and `make test` need."""
    started = time.monotonic()
    made = ensure_environment(ROOT, os.environ)
    cli = ensure_cli(os.environ, download, build)
    state = f"ready after {time.monotonic() - started:.0f} s" if made else "ready"
    say(f"{state}: .venv, Pulumi {show(cli.version)} ({cli.origin}: {cli.path})")


def write_locks(options: list[str]) -> None:
    """Write universal, hash-pinned locks without index lines, so that no registry address enters the repository."""
    uv, variables = find_uv(os.environ), uv_environment(os.environ)
    for name in ("requirements", "requirements-dev"):
        command: list[str | Path] = [
            uv,
            "pip",
            "compile",
            "--quiet",
            "--universal",
            "--python-version",
            "3.11",
            "--generate-hashes",
        ]
        overrides = ROOT / f"{name}.overrides"
        if overrides.is_file():
            command += ["--override", overrides]
        say(f"locking {name}.in")
        run_or_fail(
            [*command, "--no-header", *options, ROOT / f"{name}.in", "--output-file", ROOT / f"{name}.lock"],
            doing=f"locking {name}.in",
            fix="see above",
            environment=variables,
        )
