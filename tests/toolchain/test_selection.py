"""Which Pulumi CLI is chosen: PATH if recent enough, else the cache, else download, else build; and the messages."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

import toolchain
from toolchain import selection
from toolchain.console import ToolchainError
from toolchain.selection import VERSION, ensure_cli, host_folder, host_requirements, look, official_folder, select
from toolchain.versions import show

MakeProgram = Callable[..., Path]


def no_download(target: Path) -> None:
    raise ToolchainError("github.com: timed out", "download it by hand")


def no_build(target: Path, environment: Mapping[str, str]) -> None:
    raise ToolchainError("there is no `go` on PATH", "install Go")


def fill_cache(bare_machine: dict[str, str], make_program: MakeProgram, version: str = show(VERSION)) -> Path:
    folder = official_folder(Path(bare_machine["XDG_CACHE_HOME"]) / "sluice" / "pulumi")
    make_program("pulumi-language-python", "", folder)
    return make_program("pulumi", f"echo v{version}", folder)


@pytest.mark.parametrize("version", ["3.259.0", "3.259.1", "3.300.0"])
def test_a_recent_cli_on_path_is_used(
    bare_machine: dict[str, str], make_program: MakeProgram, tmp_path: Path, version: str
) -> None:
    fill_cache(bare_machine, make_program)
    on_path = make_program("pulumi", f"echo v{version}")
    make_program("pulumi-language-python", "")
    found, passed_over = look(bare_machine)
    assert found is not None
    assert (found.path, found.origin, passed_over) == (on_path, "on PATH", ())


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        ("echo v3.90.1", "Pulumi 3.90.1 is too old, 3.259.0 or later is needed (to use yours, upgrade it)"),
        ("echo v4.0.0", "Pulumi 4.0.0 is not 3.x, which this project is tested with"),
        ("exit 1", "`pulumi version` prints no version there"),
        ("echo hello", "`pulumi version` prints no version there"),
    ],
)
def test_an_unfit_cli_on_path_is_skipped_with_the_reason(
    bare_machine: dict[str, str], make_program: MakeProgram, script: str, problem: str
) -> None:
    cached = fill_cache(bare_machine, make_program)
    on_path = make_program("pulumi", script)
    make_program("pulumi-language-python", "")
    found, passed_over = look(bare_machine)
    assert found is not None
    assert (found.path, found.origin) == (cached, "official download")
    assert passed_over == (f"not using {on_path}: {problem}",)


def test_a_cli_without_a_python_host_is_passed_over(bare_machine: dict[str, str], make_program: MakeProgram) -> None:
    on_path = make_program("pulumi", f"echo v{show(VERSION)}")
    _, passed_over = look(bare_machine)
    assert passed_over == (
        f"not using {on_path}: it has no Python language host (pulumi-language-python) beside it or on PATH",
    )


def test_what_the_cache_put_on_path_does_not_count_as_the_users_choice(
    bare_machine: dict[str, str], make_program: MakeProgram
) -> None:
    outdated = host_folder(Path(bare_machine["XDG_CACHE_HOME"]) / "sluice" / "pulumi").with_name(
        f"{show(VERSION)}-host-old"
    )
    make_program("pulumi-language-python", "", outdated)
    make_program("pulumi", f"echo v{show(VERSION)}", outdated)
    bare_machine["PATH"] = f"{outdated}:{bare_machine['PATH']}"
    assert look(bare_machine) == (None, ())


def test_a_build_whose_host_lost_its_interpreter_is_not_used(
    bare_machine: dict[str, str], make_program: MakeProgram
) -> None:
    folder = host_folder(Path(bare_machine["XDG_CACHE_HOME"]) / "sluice" / "pulumi")
    for name in ("pulumi", "pulumi-language-python"):
        make_program(name, f"echo v{show(VERSION)}", folder)
    python = folder / "host" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(folder / "python-of-yesterday")
    assert look(bare_machine)[0] is None
    make_program("python-of-yesterday", "", folder)
    found = look(bare_machine)[0]
    assert found is not None
    assert found.origin == "built with Go"


def test_without_any_cli_the_error_says_what_to_do(bare_machine: dict[str, str], make_program: MakeProgram) -> None:
    make_program("pulumi", "echo v3.1.0")
    with pytest.raises(ToolchainError) as error:
        select(bare_machine)
    assert "there is no usable Pulumi CLI\n  not using" in str(error.value)
    assert "Fix: run `make setup`, or install the Pulumi CLI 3.259.0 or later yourself" in str(error.value)


def test_a_missing_cli_is_downloaded_once(bare_machine: dict[str, str], make_program: MakeProgram) -> None:
    def download(target: Path) -> None:
        make_program("pulumi", f"echo v{show(VERSION)}", target)
        make_program("pulumi-language-python", "", target)

    got = ensure_cli(bare_machine, download, no_build)
    assert got.origin == "official download"
    assert ensure_cli(bare_machine, no_download, no_build) == got


def test_a_download_of_another_version_is_not_kept(bare_machine: dict[str, str], make_program: MakeProgram) -> None:
    def download(target: Path) -> None:
        make_program("pulumi", "echo v3.1.0", target)
        make_program("pulumi-language-python", "", target)

    with pytest.raises(ToolchainError, match="no `go` on PATH"):
        ensure_cli(bare_machine, download, no_build)
    assert look(bare_machine)[0] is None


def test_where_there_is_no_download_the_cli_is_built_and_gets_the_small_host(
    bare_machine: dict[str, str],
    make_program: MakeProgram,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # A fake uv: the host's environment comes from the package index, and the integration test runs the real uv.
    make_program(
        "uv",
        'case $1 in --version) echo uv 9.9.9 ;; venv) mkdir -p "$5/bin"; touch "$5/bin/python" ;; esac',
    )
    builds = []

    def build(target: Path, environment: Mapping[str, str]) -> None:
        builds.append(target)
        make_program("pulumi", f"echo v{show(VERSION)}", target)
        make_program("pulumi-language-python-exec", "", target)

    monkeypatch.setattr(selection, "uv_environment", dict)
    got = ensure_cli(bare_machine, no_download, build)
    assert got.origin == "built with Go"
    assert sorted(file.name for file in got.path.parent.iterdir()) == [
        "host",
        "host-requirements.txt",
        "languagehost.py",
        "pulumi",
        "pulumi-language-python",
        "pulumi-language-python-exec",
    ]
    assert "the official Pulumi CLI is not available (github.com: timed out); building it" in capsys.readouterr().out

    monkeypatch.setattr(selection, "HOST_FILES", ("languagehost.py", "pulumi-language-python", "uv.lock"))
    other = ensure_cli(bare_machine, no_download, build)
    assert other.path.parent != got.path.parent, "another host has another folder"
    assert len(builds) == 1, "but the engine is built once"


def test_without_download_and_go_the_error_names_both(
    bare_machine: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ToolchainError, match=r"there is no `go` on PATH\n  Fix: install Go"):
        ensure_cli(bare_machine, no_download, no_build)
    assert "github.com: timed out" in capsys.readouterr().out


def test_the_hosts_packages_are_the_projects_with_their_hashes() -> None:
    lines = host_requirements().splitlines()
    names = [line.split("==")[0] for line in lines if not line.startswith(" ")]
    assert names == ["pulumi", "grpcio", "protobuf", "typing-extensions"]
    assert all("--hash=sha256:" in line for line in lines if line.startswith(" "))


def test_the_clis_folder_comes_first_on_path(
    bare_machine: dict[str, str], make_program: MakeProgram, monkeypatch: pytest.MonkeyPatch
) -> None:
    cached = fill_cache(bare_machine, make_program)
    make_program("pulumi", "echo v3.90.0")
    for name, value in bare_machine.items():
        monkeypatch.setenv(name, value)
    assert toolchain.pulumi_cli() == cached
    environment = toolchain.cli_environment(bare_machine)
    assert environment["PATH"] == f"{cached.parent}:{bare_machine['PATH']}"
    assert toolchain.cli_environment(environment) == environment
