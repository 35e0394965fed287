"""Where Pulumi keeps the state of the stacks: the backend that variables, project or login name, and its parts.

It reads the CLI's own login file at most, and asks no backend.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from command_errors import UsageError

READER = "Storage Blob Data Reader"
WRITER = "Storage Blob Data Contributor"


@dataclass(frozen=True)
class BlobPlace:
    """A container of an Azure storage account that holds state, as `azblob://container/prefix?...` names it."""

    account: str
    service_url: str
    container: str
    prefix: str
    """Before every name; empty, or with a slash at the end."""

    def __str__(self) -> str:
        return f"container {self.container} of storage account {self.account}"

    def missing_role(self, *, write: bool) -> str:
        """Say which role a caller lacks to whom the service refuses to read or to write."""
        doing, role = ("write", WRITER) if write else ("read", READER)
        return (
            f"this login may not {doing} Pulumi's state in {self}. Give it the role {role} on that container "
            f"(`az role assignment create --role '{role}' --assignee CLIENT_ID --scope CONTAINER_ID`); a new role can "
            "take minutes to work."
        )


def backend_url(environment: Mapping[str, str]) -> str | None:
    """Return the backend's URL: PULUMI_BACKEND_URL, else that of the last `pulumi login`; None if there is neither."""
    if url := environment.get("PULUMI_BACKEND_URL"):
        return url
    home = Path(environment.get("PULUMI_HOME") or Path.home() / ".pulumi")
    try:
        return str(json.loads((home / "credentials.json").read_text(encoding="utf-8")).get("current") or "") or None
    except (FileNotFoundError, ValueError, AttributeError):
        return None


def backend_folder(environment: Mapping[str, str]) -> Path | None:
    """Return the folder of a file backend; None for every other kind."""
    url = backend_url(environment)
    if not url or not url.startswith("file://"):
        return None
    return Path(url.removeprefix("file://").split("?")[0]).expanduser().absolute()


def backend_blobs(environment: Mapping[str, str]) -> BlobPlace | None:
    """Return the place of an `azblob://` backend; None for every other kind. Raises UsageError if it is incomplete.

    Parameters of the URL win over the variables AZURE_STORAGE_ACCOUNT, _DOMAIN and _PROTOCOL; a domain on this machine
    has the account in its path (read in gocloud.dev 0.46, `azureblob.NewServiceURL`).
    """
    url = backend_url(environment)
    if not url or not url.startswith("azblob://"):
        return None
    parts = urlsplit(url)
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    account = query.get("storage_account") or environment.get("AZURE_STORAGE_ACCOUNT", "")
    if not account or not parts.netloc:
        raise UsageError(
            f"the backend {url} does not name its {'storage account' if parts.netloc else 'container'}. Write "
            "azblob://CONTAINER?storage_account=ACCOUNT, or set AZURE_STORAGE_ACCOUNT."
        )
    domain = query.get("domain") or environment.get("AZURE_STORAGE_DOMAIN") or "blob.core.windows.net"
    protocol = query.get("protocol") or environment.get("AZURE_STORAGE_PROTOCOL") or "https"
    local = domain.startswith(("localhost", "127.0.0.1"))
    host = f"{domain}/{account}" if local else f"{account}.{domain}"
    prefix = unquote(parts.path).strip("/")
    return BlobPlace(account, f"{protocol}://{host}", parts.netloc, f"{prefix}/" if prefix else "")
