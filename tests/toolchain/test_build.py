"""Building the CLI with Go: the messages when Go, the network, disk space or memory is missing."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from toolchain import build as building
from toolchain.build import build, find_go
from toolchain.console import ToolchainError
from toolchain.selection import HERE, VERSION
from toolchain.versions import show

MakeProgram = Callable[..., Path]


def make_go(make_program: MakeProgram, sdk: Path, on_build: str) -> None:
    caches = json.dumps({"GOCACHE": str(sdk), "GOMODCACHE": str(sdk)})
    make_program(
        "go",
        f"""case "$1 $2" in
          "env GOVERSION") echo go1.26.8 ;;
          "env -json") echo '{caches}' ;;
          "list -m") echo {sdk} ;;
          "build -ldflags") [ -f go.sum ] && [ "$GOFLAGS$CGO_ENABLED$GOTOOLCHAIN" = -mod=mod0local ] || exit 9
            out=$5; {on_build} ;;
        esac""",
    )


@pytest.fixture
def sdk(tmp_path: Path) -> Path:
    folder = tmp_path / "sdk"
    for script in building.SCRIPTS:
        (folder / script).parent.mkdir(parents=True, exist_ok=True)
        (folder / script).write_text("script")
    return folder


def test_the_build_leaves_the_cli_and_the_official_scripts(
    bare_machine: dict[str, str],
    make_program: MakeProgram,
    sdk: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(building, "BUILD_GIB", 0)
    make_go(make_program, sdk, 'touch "$out"')
    target = tmp_path / "target"
    target.mkdir()
    build(target, bare_machine)
    assert sorted(file.name for file in target.iterdir()) == [
        "pulumi",
        "pulumi-language-python-exec",
        "pulumi-resource-pulumi-python",
    ]
    assert (target / "pulumi-language-python-exec").stat().st_mode & 0o111


@pytest.mark.parametrize(
    ("output", "fix"),
    [
        ("dial tcp: lookup proxy: no such host", "set GOPROXY"),
        ("go: module x: reading https://y/z.mod: 403 Forbidden: reading http", "set GOPROXY"),
        ("write /tmp/x: no space left on device", "the disk is full"),
        ("verifying module: checksum mismatch", "do not use this build"),
        ("compile: signal: killed", "lack of memory"),
        ("undefined: something", "install the Pulumi CLI"),
    ],
)
def test_a_failed_build_says_what_to_do(
    bare_machine: dict[str, str],
    make_program: MakeProgram,
    sdk: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    output: str,
    fix: str,
) -> None:
    monkeypatch.setattr(building, "BUILD_GIB", 0)
    make_go(make_program, sdk, f"echo '{output}' >&2; exit 1")
    (tmp_path / "target").mkdir()
    with pytest.raises(ToolchainError) as error:
        build(tmp_path / "target", bare_machine)
    assert output in error.value.problem
    assert fix in error.value.fix


def test_no_room_for_the_build_is_reported_before_it_begins(
    bare_machine: dict[str, str],
    make_program: MakeProgram,
    sdk: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(building, "BUILD_GIB", 1e9)
    make_go(make_program, sdk, "exit 1")
    (tmp_path / "target").mkdir()
    with pytest.raises(ToolchainError, match=r"building the Pulumi CLI needs .* GiB"):
        build(tmp_path / "target", bare_machine)


def test_without_go_the_error_names_where_to_get_it(
    bare_machine: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("toolchain.build.shutil.which", lambda *_, **__: None)
    with pytest.raises(ToolchainError, match=r"no `go` on PATH\n  Fix: install Go 1.26.6 or later"):
        find_go(bare_machine)


def test_a_go_that_is_too_old_is_reported_with_its_version(
    bare_machine: dict[str, str], make_program: MakeProgram
) -> None:
    make_program("go", "echo go1.19.8")
    with pytest.raises(ToolchainError, match=r"needs Go 1\.26\.6; .*/go is too old \(1\.19\.8\)\n  Fix: install Go"):
        find_go(bare_machine)


def test_the_wrapper_module_pins_the_versions_of_the_code() -> None:
    module = (HERE / "wrapper" / "go.mod").read_text()
    version = show(VERSION)
    assert f"pkg/v3 v{version}" in module
    assert f"sdk/v3 v{version}" in module
    assert f"go {show(building.MINIMUM_GO)}\n" in module
    assert f"pulumi/pkg/v3 v{version} h1:" in (HERE / "wrapper" / "go.sum").read_text()
