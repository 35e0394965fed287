"""How one resource type behaves. The default is what every ARM type does: store the body under ARM's rules.

A subclass per type adds defaults, rules, side effects and actions; `resource_body` builds the body. Handlers are
synchronous on purpose: one that does not await cannot be interleaved with another, so reading, checking and writing are
one step.
"""

from __future__ import annotations

import copy
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from localazure.arm.long_running import GENERIC, LOCATION
from localazure.arm.operations import Commit, Operation
from localazure.arm.reply import Reply, Request
from localazure.arm.resource_body import ResourceBody, Shape
from localazure.arm.timing import time_text
from localazure.errors import Conflict, NotEmulated, NotFound
from localazure.resource import Resource
from localazure.resource_id import RESOURCE_GROUP_TYPE, ResourceId

if TYPE_CHECKING:
    from localazure.arm.control_plane import ControlPlane

Action = Callable[..., Reply | Awaitable[Reply]]


class Behaviour(ResourceBody):
    """A stored-only resource type."""

    plane: ControlPlane
    conflict_code: ClassVar[str] = "Conflict"
    """Code of the 409 while another operation runs on the resource."""
    actions: ClassVar[Mapping[str, Action]] = {}
    """POST actions as Azure spells them; methods that take a request and the stored resource."""
    routes: ClassVar[Mapping[str, Action]] = {}
    """What else the type answers: lines of the route table (`localazure.arm.routes`), such as checks of names, and
    methods that take a request. Answers to GET are paged when they are lists."""
    read_only: ClassVar[bool] = False
    """Whether clients can only read it: the service makes it, PUT and DELETE are not emulated."""
    created_status: ClassVar[int] = 201
    """Status of a PUT that creates and ends at once."""
    patchable: ClassVar[frozenset[str]] = frozenset()
    """What a PATCH may carry, where there is one; the rest is not emulated."""
    lists_only: ClassVar[bool] = False
    """Whether nothing is stored and only the list answers."""
    lists_subscription: ClassVar[bool] = False
    """For such a type: whether a subscription has the list too, and not only resources and groups."""

    in_tenant: ClassVar[bool] = False
    """Whether it can be read outside of subscriptions, too."""

    # What the coverage page says of fields (see `localazure.coverage.fields`); every word of it needs a test as proof.
    honoured: ClassVar[Mapping[str, str]] = {
        "identity": "a system-assigned identity gets a principal, user-assigned ones show theirs",
    }
    """Fields with an effect beyond being stored, and the effect."""
    refused: ClassVar[Mapping[str, str]] = {
        "identity": "of an unknown type, or naming a user-assigned identity that does not exist",
        "location": "missing at creation, different from before, or not a region of Azure (types that have one)",
        "tags": "not an object of strings; more than 50; names longer than 512 characters (storage accounts: 128) or "
        "containing one of <>%&\\?/; values longer than 256 characters",
    }
    """Fields by which a request can be refused, and the rule."""
    unkept: ClassVar[Mapping[str, str]] = {}
    """Fields that are accepted and neither kept nor given back, and why where there is more to say."""

    def __init__(self, plane: ControlPlane, shape: Shape) -> None:
        self.plane = plane
        self.store = plane.store
        self.shape = shape
        plane.operations.handle(f"{shape.arm}.put", self.finish_put)
        plane.operations.handle(f"{shape.arm}.delete", self.finish_delete)

    # What subclasses change

    def check(self, request: Request, existing: Resource | None) -> None:
        """Raise when the PUT breaks a rule of the service."""

    def created(self, resource: Resource) -> None:
        """Side effects of a new resource, in the same transaction."""

    def check_delete(self, resource: Resource) -> None:
        """Raise when the service refuses the deletion at once."""

    def put_payload(self, request: Request, resource: Resource) -> dict[str, Any]:
        """What `finish_put` needs besides its target."""
        return {}

    def deletion_payload(self, request: Request) -> dict[str, Any]:
        """What `finish_delete` needs from the DELETE besides its target."""
        return {}

    async def before_delete(self, resource: Resource) -> None:
        """Slow part of a deletion (ends processes); must be idempotent."""

    def removed(self, resource: Resource) -> None:
        """Side effects of a removed resource, in the same transaction; also called when a parent takes it along."""

    async def before_answer(self, request: Request) -> None:
        """What passes after a PUT, PATCH or DELETE has been carried out and before it is answered."""

    def restore(self) -> None:
        """After a start: tell the data plane what the store holds."""

    # Reading

    def get(self, request: Request) -> Reply:
        return Reply(200, self.read(self.find(request.id, "read"), request))

    def list_children(self, parent_id: str, request: Request) -> Reply:
        children = self.store.children(parent_id, self.shape.arm)
        return Reply(200, {"value": [self.read(child, request) for child in children]})

    def find(self, resource_id: ResourceId, verb: str) -> Resource:
        """The stored resource, or ARM's 404 for the first thing on the way to it that is missing."""
        resource = self.store.get(resource_id.text)
        if resource is None:
            self.require_parent(resource_id, verb)
            raise NotFound.resource(resource_id.relative, resource_id.resource_group)
        return resource

    def require_parent(self, resource_id: ResourceId, verb: str = "write") -> Resource | None:
        """The resource that must exist before this one; None for what hangs directly on a subscription."""
        group = resource_id.resource_group
        if group and resource_id.type != RESOURCE_GROUP_TYPE and self.store.get(resource_id.resource_group_id) is None:
            raise NotFound.resource_group(group)
        parent_id = ResourceId(resource_id.parent)
        if not parent_id.type:
            return None
        parent = self.store.get(parent_id.text)
        if parent is None:
            relative_type = resource_id.type_as_written.partition("/")[2]
            raise NotFound.parent(relative_type, parent_id.text, verb)
        return parent

    # Writing

    def put(self, request: Request) -> Reply:
        self.refuse_if_read_only("PUT")
        existing = self.store.get(request.id.text)
        parent = self.require_parent(request.id)
        if existing is not None and self.store.is_busy(existing.id):
            raise self.busy(existing)
        location = self.location_of(request, existing)
        self.check(request, existing)
        resource = copy.deepcopy(existing) if existing else Resource(id=self.canonical_id(request.id, parent), body={})
        family = self.shape.operation
        resource.stamp(time_text(self.plane.clock()))
        with self.store.transaction():
            resource.body = self.body(request, existing, resource, location)
            if family is None or family == LOCATION:
                self.mark_provisioned(resource)
            else:
                resource.properties["provisioningState"] = "Updating" if existing else "Creating"
            self.store.save(resource)
            if existing is None:
                self.created(resource)
            if family is None or family == LOCATION:
                return Reply(200 if existing else self.created_status, self.read(resource, request))
            payload = self.put_payload(request, resource)
            operation = self.start(request, resource, "put", family, payload=payload, update=existing is not None)
        replaces = existing is not None and family == GENERIC
        return self.accepted(operation, "PUT update" if replaces else "PUT", self.read(resource, request))

    def accepted(self, operation: Operation, request: str, body: Any = None) -> Reply:
        """The first answer of a long-running operation; see `LongRunning.accepted`."""
        return self.plane.long_running.accepted(operation, request, body)

    async def finish_put(self, operation: Operation) -> Commit | None:
        def commit() -> None:
            resource = self.store.get(operation.target)
            if resource is not None:
                self.mark_provisioned(resource)
                self.provisioned(resource)
                self.store.save(resource)

        return commit

    def provisioned(self, resource: Resource) -> None:
        """Change a resource at the end of its PUT."""

    def refuse_if_read_only(self, method: str) -> None:
        if self.read_only:
            raise NotEmulated(f"{method} of {self.shape.arm}")

    def delete(self, request: Request) -> Reply:
        self.refuse_if_read_only("DELETE")
        resource = self.store.get(request.id.text)
        if resource is None:
            # Recorded for no service; ARM itself answers 204 for what is not there.
            return Reply(204)
        if self.store.running_operations(resource.id):
            raise self.busy(resource)
        self.check_delete(resource)
        family = self.shape.deletion
        with self.store.transaction():
            if family is None:
                self.plane.remove_tree(resource)
                return Reply(200)
            operation = self.start(request, resource, "delete", family, payload=self.deletion_payload(request))
        return self.accepted(operation, "DELETE")

    def busy(self, resource: Resource) -> Conflict:
        text = f"Another operation is running on {resource.id} or below it; try again when it has ended."
        return Conflict(self.conflict_code, text)

    async def finish_delete(self, operation: Operation) -> Commit | None:
        resource = self.store.get(operation.target)
        if resource is None:
            return None
        for below in [*self.store.under(resource.id), resource]:
            await self.plane.behaviour(below.resource_id.type).before_delete(below)
        return lambda: self.plane.remove_tree(resource)

    def patch(self, request: Request) -> Reply:
        raise NotEmulated(f"PATCH of {self.shape.arm}")

    def act(self, action: str, request: Request) -> Reply | Awaitable[Reply]:
        for name, handler in self.actions.items():
            if name.lower() == action.lower():
                return handler(self, request, self.find(request.id, "action"))
        raise NotEmulated(f"The action {action} of {self.shape.arm}")

    def start(
        self,
        request: Request,
        resource: Resource,
        verb: str,
        family: str,
        *,
        prefix: str = "",
        payload: dict[str, Any] | None = None,
        update: bool = False,
        signed: bool = False,
    ) -> Operation:
        return self.plane.operations.start(
            f"{self.shape.arm}.{verb}",
            family=family,
            target=resource.id,
            namespace=self.shape.arm.partition("/")[0],
            subscription=resource.resource_id.subscription,
            location=self.plane.location_for(resource),
            api_version=request.api_version,
            prefix=prefix,
            payload=payload,
            update=update,
            signed=signed,
        )
