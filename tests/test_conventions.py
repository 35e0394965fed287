"""Conventions of this repository that a reviewer would otherwise have to check."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
COMPONENT_MODULES = sorted(path for path in (ROOT / "components").glob("*.py") if path.name != "__init__.py")
ASSESSMENT_MODULES = sorted(path for path in (ROOT / "assessment").glob("*.py") if path.name != "__init__.py")
PACKAGES = (
    *("assessment", "bootstrap", "cli", "components", "credentials", "delivery", "diagnosis", "endpoint_client"),
    *("git_server", "models", "preflight", "recovery", "rehearsal"),
    *("resource_manager", "rollout", "stacks", "teardown", "toolchain"),
)
PURE = (
    "naming",
    "arm_id",
    "problem",
    "cache_folder",
    "exit_codes",
    "command_errors",
    "processes",
    "ownership",
    "roles",
    "identity_config",
    "bootstrap.environment",
    "bootstrap.outside",
    "teardown.inventory",
    "skus",
    "transitions",
    "stack_config",
    "autoscale_config",
    "compute_config",
    "rollout_config",
    "rollout.decision.decide",
    "rollout.evidence.ledger",
    "gate_config",
    "config_values",
    "declared_change",
    "change_rules",
    "proof_rule",
    "platform_record",
    "record_folders",
    "strict_yaml",
    "strict_json",
    "endpoint_state",
    "weights",
    "models.spec",
    "preflight.demand",
    "preflight.verdict",
    "assessment.instances",
    "git_server.port",
    "git_server.pipeline_run",
)


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def components() -> list[tuple[str, ast.ClassDef]]:
    """Every class below components/ that is a Pulumi component, with its module."""
    return [
        (path.stem, node)
        for path in COMPONENT_MODULES
        for node in tree_of(path).body
        if isinstance(node, ast.ClassDef) and any("ComponentResource" in ast.unparse(base) for base in node.bases)
    ]


COMPONENTS = components()
COMPONENT_IDS = [component.name for _, component in COMPONENTS]


def constructor(component: ast.ClassDef) -> ast.FunctionDef:
    (found,) = (node for node in component.body if isinstance(node, ast.FunctionDef) and node.name == "__init__")
    return found


@pytest.mark.parametrize(("module", "component"), COMPONENTS, ids=COMPONENT_IDS)
def test_a_components_token_is_its_class_name(module: str, component: ast.ClassDef) -> None:
    source = ast.unparse(constructor(component))
    assert f"super().__init__('sluice:index:{component.name}', name, {{}}, opts)" in source


@pytest.mark.parametrize(("module", "component"), COMPONENTS, ids=COMPONENT_IDS)
def test_a_component_registers_its_outputs_last(module: str, component: ast.ClassDef) -> None:
    assert ast.unparse(constructor(component).body[-1]).startswith("self.register_outputs(")


@pytest.mark.parametrize(("module", "component"), COMPONENTS, ids=COMPONENT_IDS)
def test_a_component_takes_a_name_its_args_and_options(module: str, component: ast.ClassDef) -> None:
    arguments = constructor(component).args
    assert [argument.arg for argument in arguments.args] == ["self", "name", "args", "opts"]
    annotation = arguments.args[2].annotation
    assert annotation is not None
    assert ast.unparse(annotation) == f"{component.name}Args"


def args_classes() -> list[ast.ClassDef]:
    return [
        node
        for path in COMPONENT_MODULES
        for node in tree_of(path).body
        if isinstance(node, ast.ClassDef) and node.name.endswith("Args")
    ]


@pytest.mark.parametrize("args", args_classes(), ids=lambda args: args.name)
def test_every_input_says_whether_it_is_required_and_what_it_is(args: ast.ClassDef) -> None:
    assert [ast.unparse(decorator) for decorator in args.decorator_list] == ["dataclass(frozen=True, kw_only=True)"]
    body = args.body[1:]
    for field, text in zip(body[::2], body[1::2], strict=True):
        assert isinstance(field, ast.AnnAssign)
        assert isinstance(text, ast.Expr)
        documented = ast.literal_eval(text.value)
        assert documented.startswith("*Optional.* " if field.value else "*Required.* "), ast.unparse(field)


@pytest.mark.parametrize(
    "path", COMPONENT_MODULES + ASSESSMENT_MODULES, ids=lambda path: f"{path.parent.name}.{path.stem}"
)
def test_a_module_of_the_program_says_what_is_public(path: Path) -> None:
    module = importlib.import_module(f"{path.parent.name}.{path.stem}")
    public = {
        node.name
        for node in tree_of(path).body
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_")
    }
    assert public <= set(module.__all__)
    assert module.__all__ == sorted(module.__all__, key=lambda name: (not name.isupper(), not name[0].isupper(), name))
    assert all(hasattr(module, name) for name in module.__all__)


PYTHON_FILES = [
    ROOT / name
    for name in subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "*.py"], capture_output=True, text=True, check=True
    ).stdout.splitlines()
]


CLIENTS = {"pulumi", "grpc", "aiohttp", "requests", "urllib3", "azure"}
SUPPRESSION = re.compile(r"#\s*(type: ignore(\[[\w, -]+\])?|noqa(: [A-Z]+\d+(, ?[A-Z]+\d+)*)?)(?P<rest>.*)")


def test_every_module_says_what_it_is_and_every_suppression_says_why() -> None:
    problems = []
    for path in filter(Path.is_file, PYTHON_FILES):
        source = path.read_text(encoding="utf-8")
        if source.strip() and not ast.get_docstring(ast.parse(source)):
            problems.append(f"{path.relative_to(ROOT)} has no module docstring")
        for number, line in enumerate(source.splitlines(), start=1):
            suppression = SUPPRESSION.search(line)
            if suppression and "re.compile" not in line and not suppression["rest"].strip():
                problems.append(f"{path.relative_to(ROOT)}:{number} does not say why: {line.strip()}")
    assert not problems, "\n".join(problems)


def test_a_pure_module_imports_neither_pulumi_nor_a_client() -> None:
    code = f"""import importlib, sys
for module in {PURE!r}:
    importlib.import_module(module)
    if found := {CLIENTS!r} & sys.modules.keys():
        sys.exit(f"{{module}} imports {{found}}")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr


def test_every_module_at_the_root_is_installed_and_checked() -> None:
    """A module that py-modules lacks is missing from an installed `sluice`; mypy checks one it lacks only by chance."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
    modules = {path.stem for path in ROOT.glob("*.py")}
    assert modules - {"__main__"} == set(project["setuptools"]["py-modules"])
    assert {f"{name}.py" for name in modules} == {name for name in project["mypy"]["files"] if name.endswith(".py")}
    assert project["vulture"]["paths"] == [*project["mypy"]["files"], "bench"]


def test_every_package_is_installed_and_type_checked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"bench"}
    assert {f"{name}*" for name in packages} == set(project["setuptools"]["packages"]["find"]["include"])
    assert packages == {name for name in project["mypy"]["files"] if not name.endswith(".py")}


def imports_of(place: str) -> set[str]:
    """Top-level names that a module, or the modules of a folder, import."""
    found: set[str] = set()
    for path in (ROOT / place).rglob("*.py") if place.endswith("/") else [ROOT / place]:
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.Import):
                found |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module.split(".")[0])
    return found


@pytest.mark.parametrize(
    ("folder", "forbidden"),
    [
        ("assessment", {"cli", "components", "localazure", "rollout", "settings", "toolchain"}),
        ("components", {"cli", "localazure", "rollout", "settings", "toolchain"}),
        ("models", {"assessment", "cli", "components", "localazure", "pulumi", "rollout", "settings"}),
        ("rollout", {"assessment", "cli", "components", "localazure"}),
        ("teardown", {"assessment", "cli", "components", "localazure", "models", "pulumi", "rollout", "settings"}),
        ("localazure", {*PURE, *PACKAGES, "pulumi_azure_native", "settings"}),
        ("diagnosis", {"cli", "components", "endpoint_client", "localazure", "models", "rollout", "teardown"}),
        ("recovery", {"cli", "components", "endpoint_client", "settings", "stacks", "teardown", "toolchain"}),
        ("endpoint_client", {"cli", "components", "localazure", "recovery", "rollout", "teardown", "toolchain"}),
        ("stacks", {"cli", "components", "endpoint_client", "localazure", "recovery", "rollout", "teardown"}),
        ("git_server", {"assessment", "cli", "components", "delivery", "localazure", "models", "rollout", "settings"}),
        ("delivery", {"assessment", "cli", "components", "pulumi", "toolchain"}),
        ("resource_manager", {"cli", "components", "localazure", "rehearsal", "rollout", "settings", "stacks"}),
        ("credentials", {"cli", "localazure", "rehearsal", "resource_manager", "rollout", "settings", "stacks"}),
        ("rehearsal", {"cli", "components", "models", "naming", "resource_manager", "rollout", "settings", "stacks"}),
        ("toolchain", {"cli", "components", "localazure", "models", "naming", "rollout", "settings"}),
    ],
)
def test_dependencies_point_one_way(folder: str, forbidden: set[str]) -> None:
    assert not imports_of(f"{folder}/") & forbidden


def test_one_package_makes_every_credential() -> None:
    makers = {
        path.relative_to(ROOT).parts[0]
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("azure.identity")
    }
    assert makers == {"credentials"}


def architecture_rows() -> list[tuple[list[str], str]]:
    """The first and the last column of the table in the architecture page: modules or folders, and what they import."""
    text = (ROOT / "docs" / "architecture.md").read_text()
    table = text.partition("| folder or module |")[2].partition("\n\n")[0]
    rows = [line.strip("|").split("|") for line in table.splitlines()[2:]]
    return [(re.findall(r"`([^`]+)`", row[0]), row[2].strip()) for row in rows]


@pytest.mark.parametrize(
    ("places", "said"), architecture_rows(), ids=lambda value: value if isinstance(value, str) else value[0]
)
def test_the_architecture_page_says_what_each_part_imports(places: list[str], said: str) -> None:
    own = {place.removesuffix("/").removesuffix(".py") for place in places}
    product = {place.removesuffix("/").removesuffix(".py") for row, _ in architecture_rows() for place in row}
    found = set().union(*map(imports_of, places)) & product - own
    if said != "everything":
        assert found == (set() if said == "nothing" else set(said.split(", ")))


def test_the_architecture_page_names_every_module_and_folder_of_the_product() -> None:
    modules = {path.name for path in ROOT.glob("*.py")}
    folders = {f"{path.parent.name}/" for path in ROOT.glob("*/*.py") if path.parent.name not in {"tests", "examples"}}
    assert {place for row, _ in architecture_rows() for place in row} == modules | folders


def test_the_program_does_not_branch_and_is_short() -> None:
    path = ROOT / "__main__.py"
    branches = (ast.If, ast.IfExp, ast.For, ast.While, ast.Try, ast.Match, ast.FunctionDef, ast.ClassDef)
    assert not [node for node in ast.walk(tree_of(path)) if isinstance(node, branches)]
    assert len(path.read_text().splitlines()) < 60


def test_the_project_file_describes_every_key_that_a_stack_file_may_set() -> None:
    text = (ROOT / "Pulumi.yaml").read_text()
    for stack in ("dev", "prod"):
        for key in yaml.safe_load((ROOT / f"Pulumi.{stack}.yaml").read_text())["config"]:
            assert f"  {key} " in text, key


def test_the_project_file_has_no_config_of_its_own() -> None:
    """A default would replace a lost line (network: private), and a required key would hide other errors."""
    assert "config" not in yaml.safe_load((ROOT / "Pulumi.yaml").read_text())
