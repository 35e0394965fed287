"""Which deletions a management lock refuses."""

from __future__ import annotations

from localazure.errors import Conflict
from localazure.resource_id import ResourceId, is_within
from localazure.store import Store

LOCKS = "Microsoft.Authorization/locks"


def refuse_if_locked(store: Store, target: ResourceId) -> None:
    """Raise for a DELETE of what a lock covers: its scope, everything below, and whatever contains the scope.

    A lock itself can always be deleted.
    """
    if target.type == LOCKS.lower():
        return
    scopes = sorted({ResourceId(lock.id).parent for lock in store.of_type(LOCKS)})
    locked = [one for one in scopes if is_within(target.key, one.lower()) or is_within(one.lower(), target.key)]
    if locked:
        # Status, code and text as reported in public issues (Azure/apiops#606, terraform-provider-azurerm#17478), there
        # for locks at and above what is deleted. That a container of what is locked is refused alike is documented
        # ("lock-resources": deleting a group deletes nothing while a resource in it is locked), its text is not.
        raise Conflict(
            "ScopeLocked",
            f"The scope '{target.text}' cannot perform delete operation because following scope(s) are locked: "
            f"'{','.join(locked)}'. Please remove the lock and try again.",
        )
