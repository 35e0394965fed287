"""The `sluice` command: finds the subcommand, runs it, turns its errors into one message and an exit code.

A subcommand's module is imported only when that subcommand is asked for (or help for it), so that `sluice --help` and
`sluice local env` stay fast. Each module has `add_parser(subparsers)`, whose parser sets `run`, a function of the
parsed arguments that returns an exit code. No subcommand's logic is here.
"""

import argparse
import importlib
import sys
from collections.abc import Sequence

from cli.errors import CommandError, ExitCode

# Command → (module, what it does): help is printed from this table without importing the modules.
COMMANDS: dict[str, tuple[str, str]] = {
    "local": ("cli.local", "run the local Azure: start, stop, status, reset, env, logs, fault"),
    "invoke": ("cli.invoke", "send a request file to an endpoint"),
    "deployment-logs": ("cli.deployment_logs", "print the logs of a deployment"),
    "model": ("cli.model", "check the model files"),
    "release": ("cli.release", "publish a model's files to a stack's workspace"),
    "recover": ("cli.recover", "repair a stack after a killed or crashed `pulumi up`"),
    "doctor": ("cli.doctor", "say what is wrong with this set-up, and the command that fixes it"),
    "load": ("cli.load", "send requests at a steady rate and count the answers per deployment"),
    "demo": ("cli.demo", "the whole story on the local Azure: deploy, promote, roll back"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the console script's entry point."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    parser = _parser(words)
    options = parser.parse_args(words)
    try:
        return int(options.run(options))
    except CommandError as error:
        print(f"sluice: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("sluice: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader (head, less) has gone: nobody is left to tell
        sys.stderr.close()
        return ExitCode.FAILED
    except Exception as error:
        code = _exit_code_of(error)
        if code is None:
            raise
        print(f"sluice: {error}", file=sys.stderr)
        return code


def _parser(words: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="sluice",
        description="Ship models on Azure Machine Learning: every change of live traffic is a `pulumi up` diff.",
        epilog="Exit codes: 0 done, 1 failed, 2 wrong use or config, 3 inconclusive or waiting for a person, "
        "4 Azure or engine unavailable.",
    )
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    asked = next((word for word in words if not word.startswith("-")), None)
    for name, (module, summary) in COMMANDS.items():
        if name == asked:
            importlib.import_module(module).add_parser(subparsers)
        else:
            subparsers.add_parser(name, help=summary)
    return parser


def _exit_code_of(error: Exception) -> ExitCode | None:
    """The exit code of an expected error of another package; None for a defect, which keeps its traceback.

    Looked up only among modules that are loaded: a package that was never imported cannot have raised.
    """
    for module, name, code in (
        ("rollout.errors", "EngineRefused", ExitCode.USAGE),
        ("rollout.errors", "EngineFailed", ExitCode.FAILED),
        ("rollout.errors", "EngineError", ExitCode.UNAVAILABLE),
        ("models.errors", "ModelError", ExitCode.USAGE),
        ("settings", "SettingsError", ExitCode.USAGE),
        ("toolchain.console", "ToolchainError", ExitCode.UNAVAILABLE),
    ):
        kind = getattr(sys.modules.get(module), name, None)
        if isinstance(kind, type) and isinstance(error, kind):
            return code
    return None


if __name__ == "__main__":
    sys.exit(main())
