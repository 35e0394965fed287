"""Finds the endpoint that a command is about: in the stack file, else in its records, else in Azure."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from command_errors import UsageError
from problem import did_you_mean
from rollout.session.site import Site
from stacks.file import stack_file_path, subscription_of_the_shell
from stacks.names import read_names

if TYPE_CHECKING:
    from endpoint_client.address import EndpointAddress
    from naming import Names
    from rollout.session.session import Session
    from settings import Settings


def site_at(session: Session, stack: str, key: str, file: Path | None = None) -> Site:
    """One endpoint of a stack. Raises UsageError with the endpoints that there are."""
    settings, names = read_names(stack, file)
    if key not in settings.endpoints:
        known = ", ".join(settings.endpoints) or "none"
        raise UsageError(
            f"stack {stack} declares no endpoint {key} (declared: {known}).{did_you_mean(key, settings.endpoints)}"
        )
    return _site(session, settings, names, key, file)


def sites_of(session: Session, stack: str) -> list[Site]:
    """Every endpoint of a stack."""
    settings, names = read_names(stack)
    return [_site(session, settings, names, key, None) for key in settings.endpoints]


def _site(session: Session, settings: Settings, names: Names, key: str, file: Path | None) -> Site:
    address = _address(names.endpoint_id(names.endpoint(key, settings.endpoints[key].name)), settings.stack, key)
    return Site(session, settings.stack, key, address, (settings, names), file)


def site_to_go_back(session: Session, stack: str, key: str) -> Site:
    """One endpoint of a stack, also where the stack file is broken or does not declare it any more.

    Then a record of it says where it is, else Azure does.
    """
    from settings import SettingsError

    try:
        return site_at(session, stack, key)
    except (SettingsError, UsageError) as error:
        endpoint_id = _recorded_endpoint(stack, key) or _undeclared_endpoint(stack, key)
        if endpoint_id is None:
            raise
        address = _address(endpoint_id, stack, key)
        session.say(f"the stack file is left aside, and the way back goes on at {address.name}: {error}")
        return Site(session, stack, key, address, UsageError(str(error)))


def site_to_look_at(session: Session, stack: str, key: str) -> Site:
    """One endpoint of a stack, also where the stack file is broken and a record says where the endpoint is."""
    from settings import SettingsError

    try:
        return site_at(session, stack, key)
    except (SettingsError, UsageError) as error:
        endpoint_id = _recorded_endpoint(stack, key)
        if endpoint_id is None:
            raise
        return Site(session, stack, key, _address(endpoint_id, stack, key), UsageError(str(error)))


def _declared_endpoints(stack: str) -> set[str]:
    """The ARM ids of the endpoints that the stack file declares; none if it cannot be read."""
    from settings import SettingsError

    try:
        settings, names = read_names(stack)
    except (SettingsError, UsageError):
        return set()
    return {names.endpoint_id(names.endpoint(key, chosen.name)) for key, chosen in settings.endpoints.items()}


def _recorded_endpoint(stack: str, key: str) -> str | None:
    """The ARM id of the endpoint in the newest of its records that begins well."""
    from rollout.record.chain import Chain, record_files, record_folder

    for path in reversed(record_files(record_folder(stack_file_path(stack).parent, stack, key))):
        started = next((event.data for event in Chain(path).events), {})
        if started.get("stack") == stack and started.get("endpoint") == key and started.get("endpoint_id"):
            return str(started["endpoint_id"])
    return None


def _undeclared_endpoint(stack: str, key: str) -> str | None:
    """The ARM id of the endpoint in Azure; None if the subscription is not known, or if the key is a slip.

    It is one where the stack file can be read and declares what was found in Azure, or where nothing was found.
    """
    from resource_manager.client import ArmClient
    from stacks.live_endpoint import find_endpoint_id

    subscription, declared = subscription_of_the_shell(), _declared_endpoints(stack)
    if subscription is None:
        return None
    try:
        found = find_endpoint_id(ArmClient(), subscription, stack, key)
    except UsageError:
        if declared:
            return None
        raise
    return None if found in declared else found


def _address(endpoint_id: str, stack: str, key: str) -> EndpointAddress:
    from arm_id import ArmId
    from endpoint_client.address import EndpointAddress

    place = ArmId.parse(endpoint_id)
    where = (place.subscription_id, place.resource_group, place.names["workspaces"], place.name)
    return EndpointAddress(*where, key, f"--stack {stack}")
