"""Whether the program would run on a tree: its stack file is valid, and its models' files are. Asks no cloud.

    python -m delivery.stack_branch.runnable STACK

It runs in the folder of the tree and with the tree's own modules, and prints what is wrong.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from command_errors import UsageError, expected_code
from exit_codes import ExitCode

HIDDEN = ("PULUMI_OPTION_CONFIG_FILE", "PULUMI_STACK")


def require_runnable(folder: Path, stack: str) -> None:
    """Raise UsageError with everything for which the program of a tree would refuse its stack file or its models."""
    environment = {name: value for name, value in os.environ.items() if name not in HIDDEN}
    done = subprocess.run(
        [sys.executable, "-m", "delivery.stack_branch.runnable", stack],
        cwd=folder,
        env={**environment, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode:
        said = (done.stdout.strip() or done.stderr.strip()).removesuffix(".")
        raise UsageError(f"the program would refuse what the source branch has, so nothing was pushed: {said}.")


def problems_here(stack: str) -> list[str]:
    """What is wrong in the current folder."""
    from models.errors import ModelError
    from models.loader import load_models
    from project import project_root
    from stacks.file import read_settings, stack_file_error

    if (error := stack_file_error(stack)) is not None:
        return [str(error)]
    os.environ.setdefault("ARM_SUBSCRIPTION_ID", "unknown")  # it decides nothing here
    settings, _ = read_settings(stack)
    asked = {
        project_root() / "models" / key: {name: chosen.release for name, chosen in endpoint.deployments.items()}
        for key, endpoint in settings.endpoints.items()
    }
    return [str(model) for model in load_models(asked).values() if isinstance(model, ModelError)]


def main() -> int:
    """Print what is wrong; exit code 2 if anything is."""
    try:
        problems = problems_here(sys.argv[1])
    except Exception as error:
        if expected_code(error) is None:
            raise
        problems = [str(error)]
    print("\n".join(problems))
    return ExitCode.USAGE if problems else ExitCode.DONE


if __name__ == "__main__":
    sys.exit(main())
