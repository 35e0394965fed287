"""Pulumi's generated gRPC protocol, without the Pulumi SDK around it.

Importing `pulumi.runtime.proto` the ordinary way first imports all of `pulumi` (0.16 s, and each pulumi command
starts the plugin). Bare package objects stand in for the two packages on the way, only in a process that has not
imported Pulumi.
"""

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any


def _stand_in_for(name: str, folder: Path) -> None:
    if name not in sys.modules:
        package = ModuleType(name)
        package.__path__ = [str(folder)]
        sys.modules[name] = package


def _proto(name: str) -> Any:
    return importlib.import_module(f"pulumi.runtime.proto.{name}")


def _prepare() -> None:
    if "pulumi" in sys.modules:
        return
    spec = importlib.util.find_spec("pulumi")
    if spec is None or spec.origin is None:
        raise ImportError("the package `pulumi` is not installed beside the local Azure: run `make setup`.")
    folder = Path(spec.origin).parent
    _stand_in_for("pulumi", folder)
    _stand_in_for("pulumi.runtime", folder / "runtime")
    _stand_in_for("pulumi.runtime.proto", folder / "runtime" / "proto")


_prepare()
plugin = _proto("plugin_pb2")
provider = _proto("provider_pb2")
services = _proto("provider_pb2_grpc")
status = _proto("status_pb2")


def load_engine() -> tuple[Any, Any]:
    """Messages and services of the engine; rarely needed, hence loaded on demand."""
    return _proto("engine_pb2"), _proto("engine_pb2_grpc")
