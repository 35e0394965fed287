"""The checks of `sluice release verify --stack`: what the stack file declares, against storage and Azure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assessment.declaration import DIGEST_DIGITS
from command_errors import UsageError
from delivery.proofs.stack_verification import Check, Declared, Layer, verify_colour
from delivery.releases.blob_storage import BlobStorage
from delivery.releases.checkout_releases import CheckoutReleases
from models.errors import ModelError
from models.loader import load_model
from models.release_document import read
from models.release_lock import read_lock
from models.spec import release_digest, with_variables
from project import project_root
from stacks.destination import MACHINE_LEARNING_API
from stacks.names import read_names

if TYPE_CHECKING:
    from naming import Names
    from resource_manager.client import ArmClient
    from settings import Settings


class ArmResources:
    """`stack_verification.Azure`."""

    def __init__(self, arm: ArmClient) -> None:
        self._arm = arm

    def get(self, resource_id: str) -> Mapping[str, Any] | None:
        """A resource; None if it does not exist."""
        return self._arm.get(resource_id, MACHINE_LEARNING_API)


def checks_of(stack: str, models: Collection[str] | None, *, deep: bool) -> Iterator[Check]:
    """Yield the checks of every declared colour of these models; None: of all.

    Raises UsageError for files or a stack that cannot be read, UnavailableError if storage or Azure does not answer.
    """
    from cli.release import container_of, publishing_place
    from resource_manager.client import ArmClient

    settings, names = read_names(stack)
    keys = [key for key in settings.endpoints if models is None or key in models]
    broken = {key: list(_broken_documents(settings, key)) for key in keys}
    for key in keys:
        yield from broken[key]
    declared = [one for key in keys for one in _declared(settings, names, key, {check.colour for check in broken[key]})]
    if not declared:
        return
    credential, destination = publishing_place(stack)
    azure = ArmResources(ArmClient(credential))
    with container_of(destination, credential) as container:
        storage = BlobStorage(container, destination)
        for one in declared:
            lock = read_lock(project_root() / "models" / one.endpoint)
            yield from verify_colour(one, stack, lock, destination, storage, azure, deep=deep)


def _broken_documents(settings: Settings, key: str) -> Iterator[Check]:
    """The pinned colours of an endpoint whose release document is missing or invalid."""
    for name, chosen in settings.endpoints[key].deployments.items():
        try:
            if chosen.release is not None:
                read(project_root(), key, chosen.release)
        except ModelError as error:
            yield Check(endpoint=key, colour=name, layer=Layer.DOCUMENT, found="", problems=(str(error),))


def _declared(settings: Settings, names: Names, key: str, broken: Collection[str]) -> Iterator[Declared]:
    root: Path = project_root()
    chosen = {name: one for name, one in settings.endpoints[key].deployments.items() if name not in broken}
    endpoint_id = names.endpoint_id(names.endpoint(key, settings.endpoints[key].name))
    try:
        loaded = load_model(root / "models" / key, {name: one.release for name, one in chosen.items()})
        model = with_variables(loaded, {name: one.environment_variables for name, one in chosen.items()})
        for name, spec in model.deployments.items():
            pin = chosen[name].release
            yield Declared(
                endpoint=key,
                colour=name,
                deployment_id=f"{endpoint_id}/deployments/{name}",
                workspace_id=names.workspace_id,
                release=release_digest(spec, chosen[name].sku)[:DIGEST_DIGITS],
                spec=spec,
                document=read(root, key, pin) if pin else CheckoutReleases(root, key).document(name),
                pinned=pin is not None,
            )
    except ModelError as error:
        raise UsageError(str(error)) from error
