"""The envelope of a resource, which is made in one place."""

import ast
from pathlib import Path

import localazure.arm
from localazure.arm.resource_body import envelope

ARM = Path(localazure.arm.__path__[0])


def test_an_envelope_has_the_name_of_its_id_and_its_parts_in_their_order():
    body = envelope("/a/b/Name", "Example.Service/things", properties={}, tags=None)
    assert list(body.items()) == [
        ("id", "/a/b/Name"), ("name", "Name"), ("type", "Example.Service/things"), ("properties", {}), ("tags", None)
    ]  # fmt: skip


def test_no_other_module_writes_an_envelope_by_hand():
    # Neither a metric namespace nor a usage is a resource: their names are a path and a mapping.
    allowed = {ARM / name for name in ("resource_body.py", "namespaces/metrics.py", "regions.py", "quota.py")}
    by_hand = [
        f"{path.relative_to(ARM)}:{node.lineno}"
        for path in sorted(ARM.rglob("*.py"))
        if path not in allowed
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Dict)
        and {"id", "name", "type"} <= {key.value for key in node.keys if isinstance(key, ast.Constant)}
    ]
    assert by_hand == []
