"""The meaningful part of a stack's state: without what the engine rewrites in every run."""

from collections.abc import Iterable
from typing import Any

# Where a resource is declared in which checkout, and when the engine last wrote it.
PASSING = ("modified", "sourcePosition", "stackTrace")


def lasting(resources: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Return resources by URN, without their order and without the default provider, which exists before any read."""
    return {
        resource["urn"]: {key: _plain(value) for key, value in resource.items() if key not in PASSING}
        for resource in resources
        if not resource["type"].startswith("pulumi:providers:")
    }


def _plain(value: Any) -> Any:
    """Replace a secret by a mark: its nonce differs each time, so only its presence can be compared."""
    if isinstance(value, dict):
        return {key: "***" if key == "ciphertext" else _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value
