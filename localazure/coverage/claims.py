"""The content of the coverage page: types and their operations, and every single claim that needs a proof."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from localazure.arm.behaviour import Behaviour
from localazure.arm.namespaces import EXTRA_SHAPES
from localazure.arm.resource_body import Shape
from localazure.catalog import RESOURCE_TYPES, ResourceType
from localazure.coverage.data_plane import DATA_PLANE
from localazure.coverage.fields import behaviour_of, declared
from localazure.coverage.proofs import Proof, collect
from localazure.faults.fault import MEANINGS
from localazure.switches import SERVER_SWITCHES

EVERY, CATALOG, DELETABLE = "*", "catalog", "deletable"
FAULTS, DATA, SWITCHES = "faults", "data plane", "switches"
_TESTS = Path(__file__).parents[2] / "tests"


def shapes() -> list[Shape]:
    """Every type that is served, by name."""
    known = [Shape(kind.arm, kind.operation, kind.deletion) for kind in RESOURCE_TYPES]
    return sorted([*known, *EXTRA_SHAPES], key=lambda shape: shape.arm.lower())


@cache
def proofs() -> list[Proof]:
    """The proofs in the tests of this checkout."""
    types = [shape.arm for shape in shapes()]
    groups = {
        CATALOG: [kind.arm for kind in RESOURCE_TYPES],
        DELETABLE: [kind.arm for kind in RESOURCE_TYPES if _is_deletable(kind)],
    }
    return collect(_TESTS, [*types, FAULTS, DATA, SWITCHES], groups)


def _is_deletable(kind: ResourceType) -> bool:
    return operations(Shape(kind.arm, kind.operation, kind.deletion))["DELETE"] != "-"


def claims() -> set[tuple[str, str, str]]:
    """Every claim that needs a proof: type, `honours` or `refuses`, field."""
    said = {shape.arm: declared(behaviour_of(shape.arm)) for shape in shapes()} | {EVERY: declared(Behaviour)}
    found = {(FAULTS, "honours", str(kind)) for kind in MEANINGS}
    found |= {(DATA, "honours", what) for what in DATA_PLANE}
    found |= {(SWITCHES, "honours", switch.name) for switch in SERVER_SWITCHES}
    for arm_type, one in said.items():
        found |= {(arm_type, "honours", field) for field in one.honoured}
        found |= {(arm_type, "refuses", field) for field in one.refused}
    return found


def operations(shape: Shape) -> Mapping[str, str]:
    """The operations of a type, in the columns of the table; `-` is not emulated."""
    kind = behaviour_of(shape.arm)
    refuses_put = kind.read_only or kind.put.__annotations__.get("return") == "NoReturn"
    refuses_delete = kind.delete.__annotations__.get("return") == "NoReturn"
    return {
        "read": "list" if kind.lists_only else "get, list",
        "PUT": "-" if refuses_put else shape.operation or "at once",
        "PATCH": "-" if kind.patch is Behaviour.patch else ", ".join(sorted(kind.patchable)) or "-",
        "DELETE": "-" if kind.read_only or refuses_delete else shape.deletion or "at once",
        "actions": ", ".join(kind.actions) or "-",
    }


def emulated(shape: Shape) -> set[str]:
    """Every single operation of a type."""
    told = operations(shape)
    found = set(told["read"].split(", ")) | {name for name in ("PUT", "PATCH", "DELETE") if told[name] != "-"}
    return found | set(behaviour_of(shape.arm).actions)
