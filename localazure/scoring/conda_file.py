"""Translates a conda file into a Python version and PyPI requirements.

Pure: no network, no processes. Each conda package is treated as the PyPI package of the same name; a table lists the
few names that differ. Channels and builds have no meaning here. Everything dropped or changed is returned as a note for
the build log.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import yaml

from localazure.scoring.specification import DeploymentFailed

# conda-forge and Anaconda names whose PyPI name differs. Add any public package that is missing.
PYPI_NAMES = {
    "blas": None,
    "cpuonly": None,
    "matplotlib-base": "matplotlib",
    "msgpack-python": "msgpack",
    "opencv": "opencv-python-headless",
    "py-lightgbm": "lightgbm",
    "py-opencv": "opencv-python-headless",
    "py-xgboost": "xgboost",
    "pytables": "tables",
    "pytorch": "torch",
    "pytorch-cpu": "torch",
    "ruamel_yaml": "ruamel.yaml",
    "ucrt": None,
    "vc": None,
}
# conda builds earlier versions against numpy 1; their PyPI metadata allows numpy 2, with which they break.
_NUMPY_2_SINCE = {
    "matplotlib": (3, 9),
    "pandas": (2, 2, 2),
    "pyarrow": (16,),
    "scikit-learn": (1, 4, 2),
    "scipy": (1, 13),
}
_PINNED = re.compile(r"^={0,2}\s*(\d+(?:\.\d+)*)")
_REQUIREMENT_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]*")
# What conda's Python itself depends on; exported environments list these packages.
_OF_PYTHON = """
_libgcc_mutex _openmp_mutex bzip2 ca-certificates expat ld_impl_linux-64 libexpat libffi libgcc libgcc-ng
libgomp liblzma libnsl libsqlite libstdcxx libstdcxx-ng libuuid libxcrypt libzlib ncurses openssl python_abi
readline sqlite tk tzdata xz zlib
"""
_CONDA_NAME = re.compile(r"^(?:[^:\s]+::)?([A-Za-z0-9_][A-Za-z0-9._-]*)\s*(.*)$")
_CLAUSE = re.compile(r"^(==|=|>=|<=|>|<|!=|~=)?\s*(\d+(?:\.\d+)*)(\.?\*)?$")


@dataclass(frozen=True)
class CondaRequirements:
    """The requirements of a conda file, in pip's syntax."""

    python: str
    """The version specification of Python as written; "" when the file names no version."""
    requirements: tuple[str, ...]
    notes: tuple[str, ...]


def read_conda_file(text: str) -> CondaRequirements:
    """Translate a conda file; raises `DeploymentFailed` (ImageBuildFailure) that states what is wrong in it."""
    try:
        document = yaml.safe_load(text)
    except (ValueError, RecursionError, yaml.YAMLError) as exc:  # ValueError: an invalid date
        raise _refused(f"it is not valid YAML: {exc}") from exc
    if not isinstance(document, dict):
        raise _refused(f"it must be a mapping with the key 'dependencies', got {type(document).__name__}")
    dependencies = document.get("dependencies") or []
    if not isinstance(dependencies, list):
        raise _refused(f"'dependencies' must be a list, got {type(dependencies).__name__}")
    python, requirements, notes, needs_numpy_1 = "", [], [], ""
    if channels := document.get("channels"):
        notes.append(f"channels {channels} are ignored: packages come from the Python package index")
    for entry in dependencies:
        if isinstance(entry, str):
            name, version = _split(entry)
            if name == "python":
                python = version
                continue
            line, note = _pypi_requirement(name, version)
            requirements += [line] if line else []
            notes += [note] if note else []
            needs_numpy_1 = needs_numpy_1 or (entry.strip() if _is_before_numpy_2(name, version) else "")
        elif isinstance(entry, dict) and set(entry) == {"pip"} and isinstance(entry["pip"], list):
            requirements += [_pip_line(line) for line in entry["pip"]]
        else:
            raise _refused(f"a dependency must be a string or one 'pip:' list, got {entry!r}")
    if needs_numpy_1:
        requirements.append("numpy<2")
        notes.append(f"numpy<2, because conda's {needs_numpy_1} is built for it")
    return CondaRequirements(python, tuple(requirements), tuple(notes))


def brought_by_python(asked: str, version: tuple[int, ...], requirements: Iterable[str]) -> tuple[str, ...]:
    """What conda always installs along with Python, unless the requirements name it.

    pip comes with every Python, and setuptools and wheel with that up to 3.12. For a Python before 3.10 the channels
    have no setuptools without pkg_resources, which older inference servers import. (Not verified on Azure.)
    """
    named = re.search(r"3\.(\d+)", asked)
    minor = int(named[1]) if named else version[1]
    brought = {"pip": "pip"}
    if minor < 13:
        brought |= {"setuptools": "setuptools<81" if minor < 10 else "setuptools", "wheel": "wheel"}
    for line in requirements:
        if name := _REQUIREMENT_NAME.match(line):
            brought.pop(name[0].lower(), None)
    return tuple(brought.values())


def python_satisfies(specification: str, version: tuple[int, ...]) -> bool:
    """Whether a Python version (major, minor, patch) matches a conda specification like 3.11, =3.11.*, >=3.9,<3.12."""
    return all(_clause_holds(clause.strip(), version) for clause in specification.split(",") if clause.strip())


def python_distance(specification: str, version: tuple[int, ...]) -> tuple[int, int]:
    """The distance of a Python version from the first one named: by minor version, newer preferred on a tie."""
    named = re.search(r"(\d+)\.(\d+)", specification)
    if named is None:
        return (0, -version[1])
    return (abs(version[1] - int(named[2])), -version[1])


def _clause_holds(clause: str, version: tuple[int, ...]) -> bool:
    matched = _CLAUSE.match(clause)
    if matched is None:
        raise _refused(f"Python version {clause!r} is not understood. Write it as python=3.11 or python>=3.10,<3.12")
    operator, wanted = matched[1] or "=", tuple(int(part) for part in matched[2].split("."))
    have = version[: len(wanted)]
    match operator:
        case "=" | "==":
            return have == wanted  # conda's = is a prefix match; == of a short version is used the same way
        case "!=":
            return have != wanted
        case ">=":
            return version >= wanted
        case ">":
            return version > wanted
        case "<=":
            return version <= wanted or have == wanted
        case "<":
            return version < wanted
        case _:
            return version >= wanted and version[: len(wanted) - 1] == wanted[:-1]


def _is_before_numpy_2(name: str, version: str) -> bool:
    since, pinned = _NUMPY_2_SINCE.get(name), _PINNED.match(version)
    return since is not None and pinned is not None and tuple(map(int, pinned[1].split("."))) < since


def _split(entry: str) -> tuple[str, str]:
    matched = _CONDA_NAME.match(entry.strip())
    if matched is None:
        raise _refused(f"dependency {entry!r} is not understood. Write it as name=version")
    return matched[1].lower(), matched[2].strip()


def _pypi_requirement(name: str, version: str) -> tuple[str | None, str | None]:
    pypi = PYPI_NAMES.get(name, name)
    if pypi is None or name in _OF_PYTHON.split():
        return None, f"conda package {name} is ignored: Python or PyPI packages provide its content"
    note = f"conda package {name} is taken from PyPI" + (f" as {pypi}" if pypi != name else "")
    # A conda match is name[=version[=build]] or "name version build"; the build has no meaning outside conda.
    words = version.split()
    version = words[0] if words and words[0] not in {"=", "==", ">=", "<=", ">", "<", "!=", "~="} else "".join(words)
    if version.lstrip("=") in {"", "*"}:
        return pypi, note
    exact = re.match(r"^(={1,2})?([0-9][^=<>!~,*]*)(?:=[^=]+)?$", version)
    if exact:
        if exact[1] == "==" or version.count("=") >= 2:
            return f"{pypi}=={exact[2]}", note
        return f"{pypi}=={exact[2]}.*", note
    return f"{pypi}{re.sub(r'^=(?=[0-9])', '==', version)}", note


def _pip_line(line: object) -> str:
    if not isinstance(line, str) or "\n" in line:
        raise _refused(f"an entry of 'pip:' must be a string of one line, got {line!r}")
    if line.strip().startswith(("-r", "--requirement", "-c", "--constraint", "-e", "--editable")):
        raise _refused(
            f"{line!r} refers to another file, but the image build receives only the conda file. List the packages"
        )
    return line.strip()


def _refused(why: str) -> DeploymentFailed:
    return DeploymentFailed("ImageBuildFailure", f"the environment's conda file cannot be used: {why}.")
