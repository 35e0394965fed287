"""`pulumi preview` of the dev and prod stacks against a trivial program with the same imports, and an empty one.

All run on the same CLI, interpreter and backend. The imports are those of the real program in one probed preview; the
probe also shows where the time goes.
"""

import json
import sys
from pathlib import Path
from typing import Any

from bench.rehearsal import ROOT, Rehearsal
from bench.timing import Command, in_turn, print_spreads, ratios, spread

PROBE = Path(__file__).parent / "probe"
TRIVIAL_OUTPUT = "\nimport pulumi\n\npulumi.export('answer', 42)\n"


def measure(rehearsal: Rehearsal, runs: int) -> dict[str, Any]:
    """Time previews in turn; return seconds, ratios and the breakdown per stack."""
    results: dict[str, Any] = {}
    empty = _trivial(rehearsal, "empty", [])
    for stack in ("dev", "prod"):
        environment = rehearsal.settle(stack)
        probe = probe_preview(rehearsal, stack, ROOT, environment)
        same_imports = _trivial(rehearsal, f"imports-of-{stack}", probe["modules"])
        program = Command(
            name=f"{stack}: the program", arguments=["pulumi", "preview"], folder=ROOT, environment=environment
        )
        seconds = in_turn([program, same_imports, empty], runs)
        spreads = print_spreads(f"pulumi preview, {stack} stack", seconds, "s")
        against_imports = ratios(seconds, program.name, same_imports.name)
        against_empty = ratios(seconds, program.name, empty.name)
        print_spreads("ratio", {"program / same imports": against_imports, "program / empty": against_empty}, "x")
        print(f"\nwhere one preview of {stack} goes (probed, so a little slower)")
        for name, value in probe["phases"].items():
            print(f"  {name:44}{value:9.3f} s")
        for name, value in probe["imports"].items():
            print(f"    import {name:37}{value:9.3f} s")
        results[stack] = {
            "seconds": spreads,
            "ratio_same_imports": spread(against_imports),
            "ratio_empty": spread(against_empty),
            "phases_seconds": probe["phases"],
            "imports_seconds": probe["imports"],
        }
    return results


def _trivial(rehearsal: Rehearsal, name: str, modules: list[str]) -> Command:
    """Create a separate project that imports the modules and exports one value."""
    folder = rehearsal.folder / name
    folder.mkdir(exist_ok=True)
    environment = rehearsal.environment("dev")
    for variable in ("PULUMI_STACK", "PULUMI_OPTION_CONFIG_FILE"):
        environment.pop(variable, None)
    (folder / "Pulumi.yaml").write_text(
        f"name: {name}\nruntime:\n  name: python\n  options: {{virtualenv: {json.dumps(sys.prefix)}}}\n"
    )
    imports = "".join(f"import {module}\n" for module in modules)
    (folder / "__main__.py").write_text(imports + TRIVIAL_OUTPUT)
    if not (folder / "Pulumi.bench.yaml").exists():
        Command(
            name="stack init", arguments=["pulumi", "stack", "init", "bench"], folder=folder, environment=environment
        ).run()
    return Command(name=name, arguments=["pulumi", "preview"], folder=folder, environment=environment)


def probe_preview(rehearsal: Rehearsal, name: str, project: Path, environment: dict[str, str]) -> dict[str, Any]:
    """Run one preview with `probe/sitecustomize.py` in the program's interpreter; `name` names its record."""
    record = rehearsal.folder / f"probe-{name}"
    probed = Command(
        name="probed preview",
        arguments=["pulumi", "preview"],
        folder=project,
        environment={
            **environment,
            "PYTHONPATH": str(PROBE),
            "PYTHONPROFILEIMPORTTIME": "1",
            "SLUICE_BENCH_PROBE": str(record),
        },
    )
    probed.run()  # fills the caches that the counted run would otherwise fill
    import time

    started = time.time()
    probed.run()
    ended = time.time()
    facts = json.loads(Path(f"{record}.json").read_text())
    imports = _import_seconds(Path(f"{record}.imports").read_text(errors="replace"))
    importing = sum(imports.values())
    reading = facts["reading_seconds"]
    return {
        "modules": facts["modules"],
        "imports": dict(sorted(imports.items(), key=lambda item: -item[1])[:12]),
        "phases": {
            "engine and language host, before the program": facts["started"] - started,
            "imports": importing,
            "plugin start and reading Azure": reading,
            "own code and registering resources": facts["ended"] - facts["started"] - importing - reading,
            "engine, after the program": ended - facts["ended"],
        },
    }


def _import_seconds(text: str) -> dict[str, float]:
    """Return self time per top-level package (of azure-native: per module) from the interpreter's import-time lines."""
    seconds: dict[str, float] = {}
    for line in text.splitlines():
        fields = line.removeprefix("import time:").split("|")
        if not line.startswith("import time:") or len(fields) != 3 or not fields[0].strip().isdigit():
            continue
        parts = fields[2].strip().split(".")
        name = ".".join(parts[:2]) if parts[0] == "pulumi_azure_native" else parts[0]
        if name in sys.stdlib_module_names:
            name = "standard library"
        seconds[name] = seconds.get(name, 0.0) + int(fields[0]) / 1e6
    return seconds
