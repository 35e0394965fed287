"""One deployment in the text of a stack file: its instance counts, read and edited in place, and its removal.

Pure, and proven like the edits of weights (ADR 29): both texts are parsed, and may differ in the named values only.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import yaml

from command_errors import UsageError
from rollout.declaration.stack_text import ROLLOUT
from rollout.declaration.yaml_nodes import NULL, plain_data
from rollout.declaration.yaml_text import Edit, YamlText, apply
from rollout.instances import AUTOSCALE, INSTANCES, SCHEDULES, DeploymentEdit, NumbersEdit, Removal, describe
from strict_yaml import StrictLoader

ENDPOINTS = ("config", "sluice:endpoints")
_OF_A_PROFILE = ("min", "max", "default")


def read_numbers(text: str, key: str, deployment: str, where: str) -> dict[str, int] | None:
    """Return the counts that are written at a deployment; None if the file does not declare it.

    A value that is no whole number counts as absent: a preview refuses it.
    """
    return _Document(text, key, where).numbers(deployment)


def edit_deployment(text: str, key: str, edit: DeploymentEdit, where: str) -> str:
    """Return the text after an edit; what the edit asks for may be there already.

    Raises UsageError, which names the place, if a value is neither the expected one nor the wanted one, or if the file
    cannot be edited without changing something else.
    """
    document = _Document(text, key, where)
    if isinstance(edit, Removal):
        return _without(document, edit.deployment)
    return _with_numbers(document, edit)


class _Document(YamlText):
    """A stack file's nodes down to one endpoint's deployments."""

    def __init__(self, text: str, key: str, where: str) -> None:
        super().__init__(text, where)
        self.key = key

    def place(self, deployment: str) -> str:
        return f"sluice:endpoints.{self.key}.deployments.{deployment}"

    def deployments(self) -> yaml.MappingNode | None:
        """The mapping of the endpoint's deployments, if the file has one."""
        node: yaml.Node | None = self.root
        for name in (*ENDPOINTS, self.key, "deployments"):
            node = self.child(node, name) if isinstance(node, yaml.MappingNode) else None
        return node if isinstance(node, yaml.MappingNode) else None

    def numbers(self, deployment: str) -> dict[str, int] | None:
        deployments = self.deployments()
        node = self.child(deployments, deployment) if deployments is not None else None
        if node is None:
            return None
        loader = StrictLoader("")
        try:
            content = loader.construct_document(copy.deepcopy(node))  # follows merges (<<), which changes nodes
        except (yaml.YAMLError, RecursionError) as error:
            raise UsageError(f"{self.where}: {self.place(deployment)} cannot be read: {error}. Correct it.") from error
        finally:
            loader.dispose()
        return dict(numbers_in(content))

    def node_at(self, deployment: str, path: str) -> yaml.Node | None:
        """The node of one count; None if it is absent. No alias may refer to it, nor to a mapping on the way to it."""
        deployments = self.deployments()
        node: yaml.Node | None = self.root
        names = [*ENDPOINTS, self.key, "deployments", deployment, *_names_of(path)]
        for depth, name in enumerate(names):
            if isinstance(node, yaml.SequenceNode):
                node = next((one for one in node.value if self._is_named(one, name)), None)
            else:
                node = self.child(node, name) if isinstance(node, yaml.MappingNode) else None
            if node is None:
                return None
            self.require_own(node, ".".join(names[1 : depth + 1]) if deployments is not None else name)
        return node

    def _is_named(self, node: yaml.Node, name: str) -> bool:
        found = self.child(node, "name") if isinstance(node, yaml.MappingNode) else None
        return found is not None and found.value == name


def _names_of(path: str) -> list[str]:
    """`autoscale.schedules.night.min` as keys; schedule names have no dots (`config_values.Key`)."""
    return path.split(".") if path else []


def numbers_in(content: Any) -> Iterator[tuple[str, int]]:
    """The counts of a deployment, of its values as read; a profile counts if it has all of its three numbers."""
    if not isinstance(content, dict):
        return
    if _is_count(content.get(INSTANCES)):
        yield INSTANCES, content[INSTANCES]
    scale = content.get(AUTOSCALE)
    if not isinstance(scale, dict):
        return
    profiles = [(AUTOSCALE, scale)]
    schedules = scale.get("schedules")
    for schedule in schedules if isinstance(schedules, list) else ():
        if isinstance(schedule, dict) and isinstance(schedule.get("name"), str):
            profiles.append((f"{SCHEDULES}{schedule['name']}", schedule))
    for path, profile in profiles:
        if all(_is_count(profile.get(name)) for name in _OF_A_PROFILE):
            yield from ((f"{path}.{name}", profile[name]) for name in _OF_A_PROFILE)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _with_numbers(document: _Document, edit: NumbersEdit) -> str:
    found, place = document.numbers(edit.deployment), document.place(edit.deployment)
    if found is None:
        raise UsageError(f"{document.where} does not declare {place} any more. Nothing was changed.")
    for path, number in edit.to.items():
        if found.get(path) not in (number, edit.start[path]):
            raise UsageError(
                f"{document.where}: {place}.{path} is {found.get(path, 'not set')}; the rollout expects "
                f"{edit.start[path] if edit.start[path] is not None else 'no value'}, to set it to {number}. Somebody "
                "else has edited it, so nothing was changed. Put it back, or commit your edit."
            )
    edits: list[Edit] = []
    for path, number in edit.to.items():
        if found.get(path) != number:
            edits += _edits_of(document, edit.deployment, path, number)
    edited = apply(document.text, edits)
    _prove(document, edited, edit)
    return edited


def _edits_of(document: _Document, deployment: str, path: str, number: int) -> list[Edit]:
    node = document.node_at(deployment, path)
    if node is not None:
        return [document.replaced(node, str(number))]
    own = document.node_at(deployment, "") if path == INSTANCES else None
    if own is not None and own.tag == NULL:
        return [document.filled(own, f"{{{INSTANCES}: {number}}}")]
    if isinstance(own, yaml.MappingNode):
        return document.before_all(own, f"{INSTANCES}: {number}")
    raise UsageError(
        f"{document.where}: {document.place(deployment)}.{path} is not written there (it may come from another place, "
        "by <<), so it cannot be changed in place. Write the value itself."
    )


def _without(document: _Document, deployment: str) -> str:
    deployments, section = document.deployments(), _section_of(document)
    if section is not None:
        _require_unused(document, section, deployment)
    edits = []
    mappings = {name: document.child(section, name) for name in ("traffic", "mirror")} if section is not None else {}
    for place, mapping in {"deployments": deployments, **mappings}.items():
        if isinstance(mapping, yaml.MappingNode) and document.child(mapping, deployment) is not None:
            document.require_own(mapping, place)
            edits.append(document.removed(mapping, deployment))
    if not edits:
        return document.text
    edited = apply(document.text, edits)
    try:
        after = _Document(edited, document.key, document.where)
        same = after.numbers(deployment) is None and _rest(after, deployment) == _rest(document, deployment)
    except UsageError:
        same = False
    if not same:
        raise UsageError(
            f"{document.where}: {document.place(deployment)} cannot be removed without changing something else, such "
            "as an alias of a value in it. Remove it by hand."
        )
    return edited


def _require_unused(document: _Document, section: yaml.MappingNode, deployment: str) -> None:
    stable = document.child(section, "stable")
    weights = [document.child(section, name) for name in ("traffic", "mirror")]
    carried = [
        node.value
        for mapping in weights
        if isinstance(mapping, yaml.MappingNode) and (node := document.child(mapping, deployment)) is not None
    ]
    if (stable is not None and stable.value == deployment) or any(weight != "0" for weight in carried):
        raise UsageError(
            f"{document.where}: sluice:rollout.{document.key} names {deployment} as stable or gives it weight, so it "
            "is not removed."
        )


def _section_of(document: _Document) -> yaml.MappingNode | None:
    node: yaml.Node | None = document.root
    for name in (*ROLLOUT, document.key):
        node = document.child(node, name) if isinstance(node, yaml.MappingNode) else None
    return node if isinstance(node, yaml.MappingNode) else None


def _prove(before: _Document, edited: str, edit: NumbersEdit) -> None:
    """Raise UsageError unless the edited text has these numbers, and otherwise the same values as before."""
    wanted = {**(before.numbers(edit.deployment) or {}), **edit.to}
    try:
        after = _Document(edited, before.key, before.where)
        same = after.numbers(edit.deployment) == wanted
        same = same and _but_for(after, edit) == _but_for(before, edit)
    except UsageError:
        same = False
    if not same:
        raise UsageError(
            f"{before.where}: the instance counts of {before.place(edit.deployment)} are written in a form that cannot "
            f"be edited in place without changing something else ({describe(edit.start, edit.to)}). Write them as "
            "plain lines."
        )


def _but_for(document: _Document, edit: NumbersEdit) -> Any:
    """All values of a file as plain data, without the counts of an edit. A null deployment may become a mapping."""
    left_out: dict[int, tuple[str, ...]] = {}
    for path in edit.to:
        above = document.node_at(edit.deployment, path.rpartition(".")[0])
        if above is not None:
            left_out[id(above)] = (*left_out.get(id(above), ()), path.rpartition(".")[2])
    own = document.node_at(edit.deployment, "")
    content = plain_data(own, left_out, {})[1:] if isinstance(own, yaml.MappingNode) else []
    return content, plain_data(document.root, {id(document.deployments()): (edit.deployment,)}, {})


def _rest(document: _Document, deployment: str) -> Any:
    """All values of a file as plain data, without a deployment and its weight."""
    section = _section_of(document)
    mappings = [document.deployments()]
    if section is not None:
        mappings += [
            node
            for name in ("traffic", "mirror")
            if isinstance(node := document.child(section, name), yaml.MappingNode)
        ]
    return plain_data(document.root, {id(mapping): (deployment,) for mapping in mappings}, {})
