"""The api-versions of each type, from `known_versions.json`.

Taken from Azure/bicep-types-az @1f896de2d (2026-08-20), which Microsoft generates from the specifications of all
services, and extended with the versions that error messages in Azure/acs-engine#4037,
digiaiiris/zabbix-azure-monitoring#36 and microsoft/vscode-tools-for-ai#940 name. Neither source has metrics and skus.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any


@cache
def _document() -> Mapping[str, Any]:
    document: dict[str, Any] = json.loads((Path(__file__).parent / "known_versions.json").read_text())
    return document


@cache
def _by_type() -> Mapping[str, tuple[str, ...]]:
    groups = _document()["groups"]
    return {arm_type.lower(): tuple(group["versions"].split()) for group in groups for arm_type in group["types"]}


def known_versions(arm_type: str) -> tuple[str, ...]:
    """All api-versions of a type, oldest first; empty if they are not known."""
    return _by_type().get(arm_type.lower(), ())
