"""Diff of old and new inputs, the changes that replace the resource, and the merge for a refresh.

Follows azure-native's provider/pkg/provider/diff.go: it ignores the state and does not traverse unions for create-only
properties, so a change of a deployment's `instanceType` is planned as an update (and refused by Azure). Not followed:
arrays that the API declares as keyed sets are compared by position, because the SDK does not tell which those are.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from localazure.catalog import ResourceType
from localazure.catalog.shapes import ResourceShape, object_type
from localazure.provider.check import CREATE_BEFORE_DELETE
from localazure.provider.wire import Values

Change = Literal["ADD", "DELETE", "UPDATE", "ADD_REPLACE", "DELETE_REPLACE", "UPDATE_REPLACE"]

_MISSING = object()


@dataclass(frozen=True)
class Difference:
    """The changes of an update."""

    detailed: Mapping[str, Change]
    """Property path in the engine's notation -> kind of change."""
    replaces: list[str]
    delete_before_replace: bool

    @property
    def changed(self) -> list[str]:
        """The changed top-level properties."""
        return sorted({path.split(".")[0] for path in self.detailed})


def compare(kind: ResourceType, shape: ResourceShape, old: Values, new: Values, state: Values) -> Difference:
    """The difference between the old and the new inputs of a resource."""
    old, new = _without_hidden(old), _without_hidden(new)
    if "azureApiVersion" not in old and "azureApiVersion" in state:
        old["azureApiVersion"] = state["azureApiVersion"]
    keys = _replace_keys(kind, shape)
    detailed = {
        path: _change(change, path, replace_path, keys)
        for path, replace_path, change in _differences(old, new)
        if not _same_for_azure(path, old.get(path), new.get(path))
    }
    for path, change in detailed.items():
        # A property that was never an input and is now set to the value that Azure already has.
        if change == "ADD_REPLACE" and path in state and state[path] == new.get(path):
            detailed[path] = "ADD"
    replaces = sorted(path for path, change in detailed.items() if change.endswith("_REPLACE"))
    return Difference(detailed, replaces, bool(replaces))


def with_random_name(difference: Difference, old: Values) -> Difference:
    """Whether to delete before creating: only a resource with a random name can exist twice for a while."""
    hidden = old.get(CREATE_BEFORE_DELETE)
    return difference if hidden is None else Difference(difference.detailed, difference.replaces, hidden is not True)


def _without_hidden(values: Values) -> Values:
    return {key: value for key, value in values.items() if not key.startswith("__")}


def _replace_keys(kind: ResourceType, shape: ResourceShape) -> frozenset[str]:
    keys = set(kind.parameters)
    for key, prop in shape["inputs"]["properties"].items():
        if prop.get("replace"):
            keys.add(key)
        for prefix, ref in ((f"{key}.", prop.get("ref")), (f"{key}[].", prop.get("items", {}).get("ref"))):
            inner = object_type(ref)["properties"] if ref else {}
            keys |= {prefix + name for name, nested in inner.items() if nested.get("replace")}
    return frozenset(keys)


def _differences(old: Any, new: Any, path: str = "", replace_path: str = "") -> Iterator[tuple[str, str, Change]]:
    """Every difference as (path, path with `[]` for indices, change)."""
    if isinstance(old, dict) and isinstance(new, dict):
        dot = "." if path else ""
        for key in [*old, *(key for key in new if key not in old)]:
            pair = old.get(key, _MISSING), new.get(key, _MISSING)
            yield from _differences(*pair, f"{path}{dot}{key}", f"{replace_path}{dot}{key}")
    elif isinstance(old, list) and isinstance(new, list):
        for index in range(max(len(old), len(new))):
            pair = (old[index : index + 1] or [_MISSING])[0], (new[index : index + 1] or [_MISSING])[0]
            yield from _differences(*pair, f"{path}[{index}]", f"{replace_path}[]")
    elif _absent(old) or _absent(new):
        if not (_absent(old) and _absent(new)):
            yield path, replace_path, "ADD" if _absent(old) else "DELETE"
    elif not _equal(old, new):
        yield path, replace_path, "UPDATE"


def _absent(value: Any) -> bool:
    return value is _MISSING or value is None


def _equal(old: Any, new: Any) -> bool:
    return isinstance(old, bool) == isinstance(new, bool) and bool(old == new)


def _change(change: Change, path: str, replace_path: str, keys: frozenset[str]) -> Change:
    parents = [replace_path[:index] for index, char in enumerate(replace_path) if char in ".["]
    direct = replace_path in keys and not path.endswith("]")
    if not direct and not (change == "UPDATE" and any(parent in keys for parent in parents)):
        return change
    replacing: dict[Change, Change] = {"ADD": "ADD_REPLACE", "DELETE": "DELETE_REPLACE", "UPDATE": "UPDATE_REPLACE"}
    return replacing[change]


def _same_for_azure(path: str, old: Any, new: Any) -> bool:
    """Azure's names of regions and groups: case is ignored, as are spaces in regions."""
    if not (isinstance(old, str) and isinstance(new, str)):
        return False
    if path == "location":
        return old.replace(" ", "").lower() == new.replace(" ", "").lower()
    return path == "resourceGroupName" and old.lower() == new.lower()


def merge_changes(inputs: Any, before: Any, after: Any) -> Any:
    """The inputs after a refresh: takes over only what changed between two reads of Azure.

    Defaults of the service, which both reads contain, do not become inputs.
    """
    if isinstance(inputs, dict) and isinstance(before, dict) and isinstance(after, dict):
        return _merge_objects(inputs, before, after)
    if isinstance(inputs, list) and isinstance(before, list) and isinstance(after, list):
        known = min(len(inputs), len(before))
        return [
            merge_changes(inputs[index], before[index], item) if index < known else item
            for index, item in enumerate(after)
        ]
    return after


def _merge_objects(inputs: Values, before: Values, after: Values) -> Values:
    merged = {}
    for key in [*inputs, *(key for key in after if key not in inputs)]:
        was, is_now = before.get(key), after.get(key)
        if was == is_now:
            if key in inputs:
                merged[key] = inputs[key]
        elif is_now is not None:
            merged[key] = merge_changes(inputs[key], was, is_now) if key in inputs else is_now
    return merged
