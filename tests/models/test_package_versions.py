"""Which lines of a conda file name an exact version."""

from __future__ import annotations

import pytest
import yaml

from models.package_versions import shown_lines, unpinned_lines


def unpinned(*conda: object) -> list[str]:
    return unpinned_lines(yaml.safe_dump({"dependencies": list(conda)}))


@pytest.mark.parametrize(
    "line",
    [
        "python==3.11.9",
        "conda-forge::numpy==2.1.0",
        "numpy=2.1.0=py311h1_0",
        "numpy==2.1.0=py311h1_0",
        "numpy 2.1.0 py311h1_0",
        "libgcc-ng==13.2.0",
    ],
)
def test_an_exact_line_of_conda(line: str) -> None:
    assert unpinned(line) == []


@pytest.mark.parametrize(
    "line",
    [
        *("python", "python=3.11", "python=3.11.9", "numpy>=2", "numpy==2.*", "numpy=2.1.*=py311", "numpy 2.1.0"),
        *("numpy[version='>=2']", "numpy==2.1|2.2", "numpy!=1.0", "numpy<2", "conda-forge::numpy"),
    ],
)
def test_a_line_of_conda_that_may_become_something_else(line: str) -> None:
    assert unpinned(line) == [line]


@pytest.mark.parametrize(
    "line",
    [
        "scikit-learn==1.9.1",
        "uvicorn[standard] == 0.30.0",
        "numpy===2.1.0",
        "torch==2.4.0+cpu",
        "tzdata==2024.1; sys_platform == 'win32'",
        "package==1.0 --hash=sha256:" + "0" * 64,
        "package @ https://example.org/package-1.0-py3-none-any.whl#sha256=" + "0" * 64,
        "package @ git+https://example.org/package.git@" + "0" * 40,
        "--extra-index-url https://download.example.org/whl/cpu",
        "-f https://download.example.org/whl",
        "--prefer-binary",
        "# a comment",
        "numpy==2.1.0  # with a comment",
    ],
)
def test_an_exact_line_of_pip(line: str) -> None:
    assert unpinned({"pip": [line]}) == []


@pytest.mark.parametrize(
    "line",
    [
        "pandas",
        "pandas>=2",
        "pandas==2.*",
        "pandas==2.1,<3",
        "pandas~=2.1",
        "uvicorn[standard]",
        "-r requirements.txt",
        "-e .",
        "./wheels/package.whl",
        "git+https://example.org/package.git@main",
        "package @ git+https://example.org/package.git@main",
        "package @ https://example.org/package-1.0-py3-none-any.whl",
    ],
)
def test_a_line_of_pip_that_may_become_something_else(line: str) -> None:
    assert unpinned({"pip": [line]}) == [line]


@pytest.mark.parametrize(
    "text", [None, "", "name: x", "dependencies:", "dependencies: {a: 1}", "dependencies: [{pip: }]"]
)
def test_a_file_without_packages_has_none_that_is_not_exact(text: str | None) -> None:
    assert unpinned_lines(text) == []


def test_lines_are_in_the_order_of_the_file_and_each_is_there_once() -> None:
    assert unpinned("python=3.11", "pip", {"pip": ["pandas", "pandas", "numpy==2.1.0"]}) == [
        "python=3.11",
        "pip",
        "pandas",
    ]
    assert shown_lines(["a", "b"]) == '"a", "b"'
    assert shown_lines(list("abcdef")) == '"a", "b", "c", "d" and 2 more'
