"""Where the state is, as the CLI and gocloud.dev find it."""

import json
from pathlib import Path

import pytest

from command_errors import UsageError
from state_backend import backend_blobs, backend_folder


@pytest.mark.parametrize(
    ("environment", "folder"),
    [
        ({"PULUMI_BACKEND_URL": "file:///state?no_tmp_dir=true"}, Path("/state")),
        ({"PULUMI_BACKEND_URL": "file://~"}, Path.home()),
        ({"PULUMI_BACKEND_URL": "azblob://container"}, None),
        ({"PULUMI_HOME": "/nowhere"}, None),
    ],
)
def test_only_a_file_backend_has_a_folder(environment: dict[str, str], folder: Path | None) -> None:
    assert backend_folder(environment) == folder


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"current": null}'])
def test_a_login_file_without_a_backend_names_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "credentials.json").write_text(text)
    assert backend_folder({"PULUMI_HOME": str(tmp_path)}) is None


def test_the_backend_that_login_left_is_found(tmp_path: Path) -> None:
    (tmp_path / "credentials.json").write_text(json.dumps({"current": "file:///from/login"}))
    assert backend_folder({"PULUMI_HOME": str(tmp_path)}) == Path("/from/login")


@pytest.mark.parametrize(
    ("url", "variables", "service", "container", "prefix"),
    [
        ("azblob://state?storage_account=acc", {}, "https://acc.blob.core.windows.net", "state", ""),
        ("azblob://state", {"AZURE_STORAGE_ACCOUNT": "acc"}, "https://acc.blob.core.windows.net", "state", ""),
        (
            "azblob://state/team/a/?storage_account=acc&domain=blob.core.chinacloudapi.cn",
            {"AZURE_STORAGE_ACCOUNT": "other", "AZURE_STORAGE_DOMAIN": "other"},
            "https://acc.blob.core.chinacloudapi.cn",
            "state",
            "team/a/",
        ),
        (
            "azblob://state",
            {"AZURE_STORAGE_ACCOUNT": "acc", "AZURE_STORAGE_DOMAIN": "localhost:1", "AZURE_STORAGE_PROTOCOL": "http"},
            "http://localhost:1/acc",
            "state",
            "",
        ),
    ],
)
def test_a_blob_backend_has_an_account_a_container_and_a_prefix(
    url: str, variables: dict[str, str], service: str, container: str, prefix: str
) -> None:
    place = backend_blobs({"PULUMI_BACKEND_URL": url, **variables})
    assert place is not None
    assert (place.account, place.service_url, place.container, place.prefix) == ("acc", service, container, prefix)


@pytest.mark.parametrize(
    ("url", "missing"), [("azblob://state", "account"), ("azblob://?storage_account=a", "contain")]
)
def test_half_of_a_blob_backend_is_an_error_with_the_whole_form(url: str, missing: str) -> None:
    with pytest.raises(UsageError, match=f"{missing}.*azblob://CONTAINER"):
        backend_blobs({"PULUMI_BACKEND_URL": url})


@pytest.mark.parametrize("url", ["file:///state", "s3://bucket", "https://api.pulumi.com"])
def test_other_backends_are_not_blob_backends(url: str) -> None:
    assert backend_blobs({"PULUMI_BACKEND_URL": url}) is None
