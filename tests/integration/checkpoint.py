"""A stack's state as far as it says something: without what the engine writes again in every run."""

from collections.abc import Iterable
from typing import Any

# Where in which checkout a resource is declared, and when the engine last wrote it.
PASSING = ("modified", "sourcePosition", "stackTrace")


def lasting(resources: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Resources by URN; not their order, and not the default provider, which exists before the program asks Azure."""
    return {
        resource["urn"]: {key: _plain(value) for key, value in resource.items() if key not in PASSING}
        for resource in resources
        if not resource["type"].startswith("pulumi:providers:")
    }


def _plain(value: Any) -> Any:
    """A secret is encrypted with another nonce each time: that there is one is all that can be compared."""
    if isinstance(value, dict):
        return {key: "***" if key == "ciphertext" else _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value
