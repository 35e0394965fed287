"""Checks a scoring script without importing it: it must parse, and define init() and run(data)."""

import ast
from importlib.util import decode_source
from pathlib import Path

from problem import Problem

SCRIPT_FIELD = "code_configuration.scoring_script"
"""Where a deployment's file names the script."""


def check_scoring_script(path: Path) -> list[Problem]:
    """Return what is wrong with a script that the inference server could not start or call."""
    script = f"scoring script {path.name}"
    try:
        tree = ast.parse(decode_source(path.read_bytes()), filename=path.name)
    except SyntaxError as error:
        line = f", line {error.lineno}" if error.lineno else ""
        return [Problem(SCRIPT_FIELD, f"{script}{line}: {error.msg}", "Correct the script")]
    except (OSError, ValueError, RecursionError) as error:
        return [Problem(SCRIPT_FIELD, f"{script} cannot be read: {error}", "Save it as UTF-8 Python")]
    names = _top_level(tree.body)
    if "*" in names:
        return []  # `from module import *`: only an import would show the names
    problems = [
        Problem(
            SCRIPT_FIELD, f"{script} defines no {name}()", f"Define def {signature} at the top level of {path.name}"
        )
        for name, signature in (("init", "init()"), ("run", "run(raw_data)"))
        if name not in names
    ]
    run = names.get("run")
    if isinstance(run, (ast.FunctionDef, ast.AsyncFunctionDef)) and not _takes_an_argument(run):
        what, fix = f"run() of {path.name} takes no argument", "Define def run(raw_data): it gets the request"
        problems.append(Problem(SCRIPT_FIELD, what, fix))
    return problems


def _takes_an_argument(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    arguments = function.args
    return bool(arguments.posonlyargs or arguments.args or arguments.vararg or arguments.kwarg or arguments.kwonlyargs)


def _top_level(body: list[ast.stmt]) -> dict[str, ast.AST]:
    """Return the names that a module binds, including those below if, try and with."""
    names: dict[str, ast.AST] = {}
    for node in body:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                names[node.name] = node
            case ast.Import() | ast.ImportFrom():
                names.update({alias.asname or alias.name.partition(".")[0]: node for alias in node.names})
            case ast.Assign():
                targets = [name for target in node.targets for name in ast.walk(target)]
                names.update({name.id: node for name in targets if isinstance(name, ast.Name)})
            case ast.AnnAssign(target=ast.Name(id=name)) if node.value is not None:
                names[name] = node
            case ast.If() | ast.For() | ast.While():
                names |= _top_level(node.body) | _top_level(node.orelse)
            case ast.With():
                names |= _top_level(node.body)
            case ast.Try():
                handlers = [statement for handler in node.handlers for statement in handler.body]
                names |= _top_level(node.body + handlers + node.orelse + node.finalbody)
    return names
