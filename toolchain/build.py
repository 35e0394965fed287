"""Builds the Pulumi CLI from its Go modules, for machines that reach package registries only (docs/adr/0001).

Go refuses a plain `go install` of the CLI, because its go.mod has replace directives. `wrapper/` is a module that
requires the CLI, and Go ignores the replace directives of a required module. `wrapper/go.sum` pins every module by
hash. Go keeps what it has downloaded and compiled, so a build that was killed continues where it stopped.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

from toolchain.cache import require_disk
from toolchain.console import ToolchainError, is_disk_failure, is_network_failure, last_lines, run, say
from toolchain.selection import HERE, INSTALL_YOURSELF, VERSION
from toolchain.versions import Version, of_program, show

MINIMUM_GO: Version = (1, 26, 6)  # the version that the CLI's modules declare
PROGRAM = "the Pulumi CLI"
CLI_PACKAGE = "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
SDK_MODULE = "github.com/pulumi/pulumi/sdk/v3"
VERSION_SYMBOL = f"{SDK_MODULE}/go/common/version.Version"
# The official scripts that the language host starts; they are plain files of the SDK's module.
SCRIPTS = ("python/cmd/pulumi-language-python-exec", "python/dist/pulumi-resource-pulumi-python")
BUILD_GIB = 3.5  # Go's module and build caches after the build, 3.0 GiB measured


def build(target: Path, environment: Mapping[str, str]) -> None:
    """Fill `target` with `pulumi` and the official scripts of its Python SDK."""
    go = find_go(environment)
    variables = go_environment(environment)
    module = target / "module"
    shutil.copytree(HERE / "wrapper", module)
    caches = json.loads(run_go([go, "env", "-json", "GOCACHE", "GOMODCACHE"], module, variables, doing="asking Go"))
    if not Path(caches["GOMODCACHE"], "github.com/pulumi").exists():  # otherwise most of it exists already
        for cache in caches.values():
            require_disk(Path(cache), BUILD_GIB, purpose="building the Pulumi CLI")
    say(f"building the Pulumi CLI {show(VERSION)} with Go: about 3 minutes on 2 cores, once per machine")
    flags = f"-s -w -X {VERSION_SYMBOL}={show(VERSION)}"
    run_go([go, "build", "-ldflags", flags, "-o", target / "pulumi", CLI_PACKAGE], module, variables, doing="building")
    sdk = Path(
        run_go([go, "list", "-m", "-f", "{{.Dir}}", SDK_MODULE], module, variables, doing="finding the SDK").strip()
    )
    for script in SCRIPTS:
        shutil.copyfile(sdk / script, target / Path(script).name)
        (target / Path(script).name).chmod(0o755)
    shutil.rmtree(module)


def go_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables with which Go builds what go.sum pins, with the Go that is installed."""
    settings = {"CGO_ENABLED": "0", "GOFLAGS": "-mod=mod", "GOTOOLCHAIN": "local", "GOWORK": "off"}
    return {**environment, **settings}


def find_go(
    environment: Mapping[str, str],
    *,
    program: str = PROGRAM,
    minimum: Version = MINIMUM_GO,
    otherwise: str = INSTALL_YOURSELF,
) -> str:
    """Return the `go` on PATH (or in its usual folder), if it is recent enough."""
    install = f"install Go {show(minimum)} or later (https://go.dev/dl) and put it on PATH, or {otherwise}"
    go = shutil.which("go", path=environment.get("PATH")) or shutil.which("go", path="/usr/local/go/bin")
    if go is None:
        raise ToolchainError(f"building {program} needs Go, and there is no `go` on PATH", install)
    version = of_program([go, "env", "GOVERSION"], {**environment, "GOTOOLCHAIN": "local"})
    if version is None or version < minimum:
        known = show(version) if version else "of unknown version"
        raise ToolchainError(f"building {program} needs Go {show(minimum)}; {go} is too old ({known})", install)
    return go


def run_go(
    command: list[str | Path],
    module: Path,
    variables: Mapping[str, str],
    *,
    doing: str,
    program: str = PROGRAM,
    otherwise: str = INSTALL_YOURSELF,
) -> str:
    """Run Go in the folder of a module whose go.sum pins everything; return what it prints. Raises ToolchainError."""
    code, output = run(command, doing=doing, environment=variables, folder=module)
    if code == 0:
        return output
    what = f"building {program} with Go failed:\n{last_lines(output)}"
    if is_disk_failure(output):
        fix = (
            "the disk is full: free some GiB (or move GOCACHE and GOMODCACHE to another disk), then repeat to continue"
        )
    elif "SECURITY ERROR" in output or "checksum mismatch" in output:
        fix = "a module does not match go.sum: check the proxy in GOPROXY; do not use this build"
    elif is_network_failure(output) or ": reading http" in output:
        fix = f"set GOPROXY (and HTTPS_PROXY) to a Go module proxy within reach, then repeat; or {otherwise}"
    elif "signal: killed" in output:
        fix = "the compiler was killed, probably for lack of memory (it needs about 2 GiB); free some, then repeat"
    else:
        fix = otherwise
    raise ToolchainError(what, fix)
