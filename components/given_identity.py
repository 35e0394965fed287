"""An identity that this stack uses and does not create. Its owner assigns its roles, so nothing is granted to it here.

Whether it has the roles that it needs can be read from Azure only over HTTP: `sluice doctor` does so.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from components.role_assignment import Grant

__all__ = ["GivenIdentity"]


@dataclass(frozen=True)
class GivenIdentity:
    """Stands where an `Identity` does."""

    id: str
    """ARM id of the identity."""

    def grant(self, grant: Grant, *, prefix: str, parent: pulumi.Resource) -> None:
        """Assign nothing: the owner of the identity does."""
