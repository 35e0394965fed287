"""Getting actionlint: the one on PATH, else a build with Go that is kept."""

from collections.abc import Callable
from pathlib import Path

import pytest

from toolchain.actionlint import MINIMUM_GO, VERSION, ensure_actionlint
from toolchain.console import ToolchainError
from toolchain.selection import HERE
from toolchain.versions import show

MakeProgram = Callable[..., Path]
GO = """case "$1" in
  env) echo go1.26.8 ;;
  build) [ -f go.sum ] && [ "$GOFLAGS" = -mod=mod ] || exit 9; echo linter > "$5" ;;
esac"""


def test_the_one_on_path_is_taken_if_it_has_the_version(
    bare_machine: dict[str, str], make_program: MakeProgram
) -> None:
    mine = make_program("actionlint", f"echo {show(VERSION)}")
    assert ensure_actionlint(bare_machine) == mine


def test_another_version_on_path_is_not_taken_and_the_build_is_kept(
    bare_machine: dict[str, str], make_program: MakeProgram
) -> None:
    make_program("actionlint", "echo 1.7.0")
    go = make_program("go", GO)
    built = ensure_actionlint(bare_machine)
    assert built.read_text() == "linter\n"
    assert [file.name for file in built.parent.iterdir()] == ["actionlint"]
    go.unlink()
    assert ensure_actionlint(bare_machine) == built


def test_a_failed_build_leaves_nothing_and_says_what_to_do(
    bare_machine: dict[str, str], make_program: MakeProgram, tmp_path: Path
) -> None:
    make_program("go", GO.replace("echo linter", "echo 'undefined: x' >&2; exit 1; echo"))
    with pytest.raises(
        ToolchainError, match=r"building actionlint 1\.7\.12 with Go failed[\s\S]*undefined: x"
    ) as error:
        ensure_actionlint(bare_machine)
    assert "install actionlint 1.7.12 yourself" in error.value.fix
    assert not list(tmp_path.glob("cache/**/1.7.12"))


def test_a_go_that_is_too_old_is_reported(bare_machine: dict[str, str], make_program: MakeProgram) -> None:
    make_program("go", "echo go1.24.9")
    with pytest.raises(
        ToolchainError, match=r"building actionlint 1\.7\.12 needs Go 1\.25\.0; .* too old \(1\.24\.9\)"
    ):
        ensure_actionlint(bare_machine)


def test_the_module_pins_the_version() -> None:
    assert f"go {show(MINIMUM_GO)}\n" in (HERE / "actionlint" / "go.mod").read_text()
    assert f"rhysd/actionlint v{show(VERSION)}\n" in (HERE / "actionlint" / "go.mod").read_text()
    assert f"rhysd/actionlint v{show(VERSION)} h1:" in (HERE / "actionlint" / "go.sum").read_text()
