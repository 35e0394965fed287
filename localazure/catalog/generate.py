"""Derives the catalog's generated files from the installed SDK: `python -m localazure.catalog.generate`."""

import json
import re
from pathlib import Path

import pulumi_azure_native

FOLDER = Path(__file__).parent


def snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def api_version(token: str) -> str:
    _, module, name = token.split(":")
    source = (Path(pulumi_azure_native.__file__).parent / module / f"{snake(name)}.py").read_text()
    match = re.search(r"Uses Azure REST API version ([\w-]+)\.", source)
    if match is None:
        raise LookupError(f"{token}: its SDK module names no API version")
    return match[1]


def tokens() -> list[str]:
    table = (FOLDER / "types.py").read_text()
    return [f"azure-native:{name}" for name in re.findall(r'_type\(\s*"([\w:]+)"', table)]


def main() -> None:
    (FOLDER / "api_versions.json").write_text(
        json.dumps({token: api_version(token) for token in tokens()}, indent=1) + "\n"
    )


if __name__ == "__main__":
    main()
