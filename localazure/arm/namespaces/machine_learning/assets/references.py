"""Assets that other resources name."""

from __future__ import annotations

from typing import Any

from localazure.errors import BadRequest, NotEmulated
from localazure.scoring.curated import is_curated
from localazure.store import Store


def check_asset(store: Store, field: str, value: Any) -> None:
    """Raise when a field names an asset version that does not exist or is not available here."""
    if value is None:
        return
    if not isinstance(value, str):
        raise BadRequest("BadRequest", f"{field} must be the id of an asset version, got {value!r}.")
    if field == "environmentId" and is_curated(value):
        return  # the data plane has a table of these, or explains what to do
    if value.lower().startswith("azureml://registries/"):
        raise NotEmulated(f"An asset of a registry ({field} = {value})")
    if store.get(value.removeprefix("azureml:")) is None:
        raise BadRequest("ResourceNotFound", f"{field} names {value}, which does not exist.")
