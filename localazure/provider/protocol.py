"""Pulumi's generated gRPC protocol, and a way to load it without the Pulumi SDK around it."""

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any


def skip_the_sdk() -> None:
    """Lets `pulumi.runtime.proto` be imported without all of `pulumi`: 0.16 s, and each command starts the plugin.

    Bare package objects stand in for the packages on the way. For a process that needs nothing else of Pulumi; in one
    that has imported it already, nothing happens.
    """
    if "pulumi" in sys.modules:
        return
    spec = importlib.util.find_spec("pulumi")
    if spec is None or spec.origin is None:
        raise ImportError("the package `pulumi` is not installed beside the local Azure. Run `make setup`.")
    folder = Path(spec.origin).parent
    for name in ("pulumi", "pulumi.runtime", "pulumi.runtime.proto"):
        package = ModuleType(name)
        package.__path__ = [str(folder.joinpath(*name.split(".")[1:]))]
        sys.modules[name] = package


def load(name: str) -> Any:
    """A generated module: `load("provider_pb2")`."""
    return importlib.import_module(f"pulumi.runtime.proto.{name}")
