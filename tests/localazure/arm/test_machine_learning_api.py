"""What differs between api-versions of Machine Learning is decided in one module."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import localazure.arm
from localazure.arm.machine_learning_api import MachineLearningApi, ServiceVersion

ARM = Path(localazure.arm.__path__[0])
EXISTENCE = "api_versions.py"  # whether a type has a version at all
BATCH_DEPLOYMENTS = "Microsoft.MachineLearningServices/workspaces/batchEndpoints/deployments"


def judged(path: Path) -> Iterator[str]:
    """Lines of a module that compare an api-version or look at its text."""
    for node in ast.walk(ast.parse(path.read_text())):
        operands = [node.left, *node.comparators] if isinstance(node, ast.Compare) else []
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            operands = [node.func.value] if node.func.attr in ("startswith", "endswith") else []
        if any("api_version" in ast.unparse(operand) for operand in operands):
            yield f"{path.relative_to(ARM)}:{node.lineno}"


def test_no_behaviour_asks_which_year_it_is():
    others = [path for path in sorted(ARM.rglob("*.py")) if path.name not in (EXISTENCE, "machine_learning_api.py")]
    assert [line for path in others for line in judged(path)] == []
    assert list(judged(ARM / "machine_learning_api.py"))


@pytest.mark.parametrize(
    ("api_version", "service", "prefix"),
    [
        ("2022-10-01", ServiceVersion.BY_API_VERSION, "bd"),
        ("2023-04-01", ServiceVersion.BY_API_VERSION, "bdbes"),
        ("2023-04-01", ServiceVersion.OLDER, "bd"),
        ("2022-05-01", ServiceVersion.NEWER, "bdbes"),
    ],
)
def test_the_api_version_chooses_the_service_unless_one_is_chosen(api_version, service, prefix):
    assert MachineLearningApi.of(api_version, service).operation_prefix(BATCH_DEPLOYMENTS) == prefix
