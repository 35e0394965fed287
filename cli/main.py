"""The `sluice` command: finds the subcommand, runs it, turns its errors into one message and an exit code.

A subcommand's module is imported only when that subcommand is asked for (or help for it), so that `sluice --help` and
`sluice local env` stay fast. Each module has `add_arguments(parser)`, which also sets `run`, a function of the parsed
arguments that returns an exit code. No subcommand's logic is here.
"""

import argparse
import contextlib
import functools
import importlib
import io
import os
import sys
import traceback
from collections.abc import Sequence

from command_errors import expected_code, explain_system_error
from exit_codes import ExitCode

TRACEBACK_VARIABLE = "SLUICE_TRACEBACK"
"""If this variable is set, a defect prints its traceback."""
NO_HOME = "Could not determine home directory"
"""The start of pathlib's RuntimeError if neither HOME nor the user's entry names a home directory."""

# Command → (module, what it does): help is printed from this table without importing the modules.
COMMANDS: dict[str, tuple[str, str]] = {
    "local": ("cli.local", "run the local Azure: start, stop, status, reset, env, logs, fault"),
    "invoke": ("cli.invoke", "send a request file to an endpoint"),
    "deployment-logs": ("cli.deployment_logs", "print the logs of a deployment"),
    "new": ("cli.new", "write the files of a new team or a new endpoint"),
    "model": ("cli.model", "check the model files"),
    "release": ("cli.release", "freeze, pin, publish and verify what a model serves"),
    "promote": ("cli.promote", "carry a proven release to the next stack's file, or open the pull request"),
    "rollout": ("cli.rollout", "take a new colour to 100 percent on evidence, or bring it back"),
    "ci": ("cli.ci", "what the pipelines run: check, preview, deliver, approve, roll back"),
    "recover": ("cli.recover", "repair a stack after a killed or crashed `pulumi up`"),
    "remove": ("cli.remove", "take a stack down, so that its names can be used again"),
    "preflight": ("cli.preflight", "check whether the quota suffices for what a stack declares"),
    "doctor": ("cli.doctor", "report what is wrong with this set-up, and the command that fixes it"),
    "load": ("cli.load", "send requests, in turn or at a rate, and count the answers per deployment"),
    "demo": ("cli.demo", "the whole story on the local Azure: deploy, promote, roll back"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the console script's entry point."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):  # characters that the terminal's encoding lacks are printed as escapes
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        options = _parser(words).parse_args(words)
        _choose_temporary_folder()
        code = int(options.run(options))
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        print("sluice: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader (head, less) has ended, so there is nothing to report
        _discard_output()
        return ExitCode.FAILED
    except Exception as error:
        if (expected := expected_code(error)) is not None:
            print(f"sluice: {error}", file=sys.stderr)
            return expected
        if TRACEBACK_VARIABLE in os.environ:
            raise
        if isinstance(error, OSError):
            said = explain_system_error(error)
        elif isinstance(error, RuntimeError) and str(error).startswith(NO_HOME):
            said = "your home directory is not known. Set HOME to it."
        else:
            said = _explain_defect(error)
        print(f"sluice: {said}", file=sys.stderr)
        if isinstance(error, OSError) and error.filename is None:  # may concern the output itself, on a full disk
            _discard_output()
        return ExitCode.FAILED


def run_command(*words: str) -> int:
    """Run a command for another one, and return its exit code. Raises what that command raises."""
    options = _parser(words).parse_args(list(words))
    return int(options.run(options))


def _choose_temporary_folder() -> None:
    """Let libraries that ask for the folder of temporary files while they are imported get one on a full disk, too.

    Pulumi's is one of them, and a rollback must not depend on it. What does need a temporary file then fails by itself.
    """
    import tempfile

    try:
        tempfile.gettempdir()
    except FileNotFoundError:
        tempfile.tempdir = os.environ.get("TMPDIR") or "/tmp"


def _discard_output() -> None:
    """Point standard output at nothing, so that the interpreter does not fail on what is left in its buffer."""
    with contextlib.suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)


def _explain_defect(error: Exception) -> str:
    """Return one line on an unexpected error: what, where, and how to see and report it."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else "unknown place"
    said = " ".join(str(error).split())
    return (
        f"a defect of sluice: {type(error).__name__}{f': {said}' if said else ''} ({where}). Please report it "
        f"together with what the same command prints after `export {TRACEBACK_VARIABLE}=1`."
    )


def _parser(words: Sequence[str]) -> argparse.ArgumentParser:
    return _parser_of(next((word for word in words if not word.startswith("-")), None))


@functools.cache  # tests run thousands of commands in one process
def _parser_of(asked: str | None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="sluice",
        description="Ship models on Azure Machine Learning: every change of live traffic is a `pulumi up` diff.",
        epilog="Exit codes: 0 done, 1 failed, 2 wrong use or config, 3 inconclusive or waiting for a person, "
        "4 Azure or engine unavailable.",
    )
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, (module, summary) in COMMANDS.items():
        command = subparsers.add_parser(name, help=summary)
        if name == asked:
            importlib.import_module(module).add_arguments(command)
    return parser


if __name__ == "__main__":
    sys.exit(main())
