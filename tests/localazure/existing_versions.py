"""Api-versions that exist, for requests of tests that are not about them."""

from __future__ import annotations

import re

from localazure.catalog.versions import known_versions

ML_VERSION = "2024-04-01"


def existing_version(path: str, wanted: str = ML_VERSION) -> str:
    """The wanted version, or another one if the type in the path does not have it."""
    parts = re.split("/providers/", re.sub("/{2,}", "/", path.partition("?")[0]), flags=re.IGNORECASE)
    namespace, *segments = parts[-1].split("/") if len(parts) > 1 else [""]
    if not segments:
        namespace, segments = "Microsoft.Resources", ["resourceGroups"]
    for end in range(len(segments), 0, -1):
        for types in (segments[:end:2], [segments[0], segments[-1]]):
            known = known_versions("/".join([namespace, *types]))
            if known:
                return wanted if wanted in known else [one for one in known if "preview" not in one][-1]
    return wanted
