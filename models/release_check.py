"""What is wrong with a release document: its digests, its shape, and what no digest covers. Pure.

Anyone can write a document whose digests fit, so each value that a deployment is made of has its shape checked, and
nothing outside the digests may take the place of what they cover.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import yaml

from models.spec import NOT_PART_OF_A_CONTENT, AssetKind, asset_digest, digest_of, environment_digest
from strict_yaml import read_yaml

if TYPE_CHECKING:
    from models.release_document import Part, ReleaseDocument

_SHA256 = re.compile(r"[0-9a-f]{64}")
_COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")


def problems_of(document: ReleaseDocument) -> Iterable[str]:
    """Yield everything that is wrong with a document, as ends of "it is invalid: ..."."""
    settings = document.settings
    if (found := digest_of(settings)) != document.content:
        yield f"its content says {document.content}, but its settings have the digest {found}"
    if settings.get("release") != 1:
        yield f"its settings are of the kind {settings.get('release')!r}, which this version does not know (1)"
    yield from _check_settings(settings)
    if not _COMMIT.fullmatch(document.commit):
        yield f"its commit must be a whole commit id, got {document.commit!r}"
    for part in ("model", "code"):
        yield from _check_part(document, part)
    yield from _check_environment(document)
    yield from _check_defaults(document)


def _check_settings(settings: Mapping[str, Any]) -> Iterable[str]:
    """Their shape: anyone can compute the digest of settings from which no deployment can be made."""
    asset = ({"reference"}, {"content", "type"})
    shapes = {"model": asset, "code": asset, "environment": ({"reference"}, {"content"})}
    valid = {name: settings.get(name) is None or _are_texts(settings[name], keys) for name, keys in shapes.items()}
    valid["scoring_script"] = isinstance(settings.get("scoring_script"), str | None)
    body = settings.get("body")
    valid["body"] = isinstance(body, dict) and all(body.values()) and not NOT_PART_OF_A_CONTENT & body.keys()
    yield from (f"its settings have no valid {name}" for name in valid if name not in settings or not valid[name])


def _are_texts(value: Any, allowed: Collection[Collection[str]]) -> bool:
    return isinstance(value, dict) and value.keys() in allowed and all(isinstance(one, str) for one in value.values())


def _check_part(document: ReleaseDocument, part: Part) -> Iterable[str]:
    asset, place, entries = document.settings.get(part), document.places.get(part), document.files_of(part)
    if not isinstance(asset, Mapping) or "content" not in asset:
        if place is not None or entries:
            yield f"it lists files of the {part}, but its settings name none"
        return
    if place is None:
        yield f"it does not say where the files of the {part} are"
        return
    paths = [entry.path for entry in entries]
    yield from (
        f"it lists {path} of the {part} twice" for path in sorted({one for one in paths if paths.count(one) > 1})
    )
    yield from (f"{path!r} is not a path below the {part}" for path in paths if not _is_below(path))
    yield from (
        f"{entry.path} of the {part} has an invalid size or sha256"
        for entry in entries
        if not _SHA256.fullmatch(entry.sha256) or entry.size < 0
    )
    if asset_digest(AssetKind(part), place.name, {entry.path: entry.sha256 for entry in entries}) != asset["content"]:
        yield f"its files of the {part} do not have the digest that its settings name"


def _check_environment(document: ReleaseDocument) -> Iterable[str]:
    named, environment = document.settings.get("environment"), document.environment
    if not (isinstance(named, Mapping) and "content" in named):
        if environment is not None or document.conda is not None:
            yield "it has an inline environment, but its settings name none"
        return
    if environment is None:
        yield "its settings name an inline environment, but it has none"
        return
    try:
        conda = read_yaml(document.conda) if document.conda else None
        digest = environment_digest(environment.image, conda, environment.inference_config)
    except (yaml.YAMLError, TypeError, ValueError, RecursionError):  # the last three: no JSON value, such as a date
        yield "its conda file cannot be read"
        return
    if digest != named["content"]:
        yield "its environment (image, conda, inference_config) does not have the digest that its settings name"


def _check_defaults(document: ReleaseDocument) -> Iterable[str]:
    """The part that no digest covers, so its shape is checked: a deployment is made of it."""
    defaults = document.defaults
    kinds = {"body": dict, "instance_type": str, "instance_count": int, "tags": dict, "autoscale": dict | None}
    for name, kind in kinds.items():
        if name not in defaults or not isinstance(defaults[name], kind):
            yield f"its defaults have no valid {name}"
    body, covered = defaults.get("body"), document.settings.get("body")
    for name, value in body.items() if isinstance(body, dict) else ():
        # It would take the place of what the digest covers. Only an empty value is in no content.
        if name in (covered or ()) or (value and name not in NOT_PART_OF_A_CONTENT):
            yield f"its defaults set {name}, which belongs to the content"
    autoscale = defaults.get("autoscale")
    known = {"min_instances", "max_instances", "target_cpu_percent"}
    if isinstance(autoscale, dict) and (set(autoscale) != known or not all(map(_is_number, autoscale.values()))):
        yield f"its defaults have no valid autoscale ({', '.join(sorted(known))})"


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_below(path: str) -> bool:
    parts = path.split("/")
    return "\\" not in path and all(part not in ("", ".", "..") for part in parts)
