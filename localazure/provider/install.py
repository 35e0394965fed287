"""Puts the plugin where the engine looks for azure-native 3.29: into the plugin folder of a private PULUMI_HOME.

The project file needs no entry for it. The folder is a real one because the engine skips a symbolic link.
"""

import os
import shlex
from pathlib import Path

# Kept in step with servicer.VERSION by a test; importing it here would load gRPC into every caller.
VERSION = "3.29.0"
NAME = "pulumi-resource-azure-native"
PARENT_VARIABLE = "SLUICE_PLUGIN_PARENT"


def install(pulumi_home: Path, python: Path) -> Path:
    """Writes the executable that starts the plugin with an interpreter; returns its path.

    Safe to repeat, also from two processes at once.
    """
    folder = pulumi_home / "plugins" / f"resource-azure-native-v{VERSION}"
    folder.mkdir(parents=True, exist_ok=True)
    # `exec` makes the engine the parent of the plugin, whose pid is recorded before Python's slow start; -P keeps
    # Python from searching the user's folder for modules.
    root = Path(__file__).resolve().parents[2]
    settings = f"{PARENT_VARIABLE}=$PPID PYTHONPATH={shlex.quote(str(root))}"
    command = f"{settings} exec {shlex.quote(str(python))} -P -m localazure.provider"
    script = folder / NAME
    draft = folder / f".{NAME}.{os.getpid()}"
    draft.write_text(f'#!/bin/sh\n{command} "$@"\n')
    draft.chmod(0o755)
    draft.replace(script)
    return script
