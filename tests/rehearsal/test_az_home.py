"""The Azure CLI's folder of a rehearsal: signed in, its own, and what the user did in it stays."""

import configparser
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from localazure.identity import CLOUD_NAME, cloud_metadata
from rehearsal.az_home import SUBSCRIPTION, az_variables, sign_in
from rehearsal.environment import METADATA_VERSION
from rehearsal.home import LocalHome

# az's own reading of the document, by the package that az is made of; a process of its own, because it reads the
# user's configuration when it is imported.
READ_AS_AZ_DOES = """
import json, sys
from azure.cli.core.cloud import _convert_arm_to_cli
clouds = _convert_arm_to_cli(json.load(sys.stdin))
print(json.dumps({name: [vars(cloud.endpoints), vars(cloud.suffixes)] for name, cloud in clouds.items()}))
"""


@pytest.fixture
def home(tmp_path: Path) -> LocalHome:
    return LocalHome(tmp_path / "a home")


def read_cloud(home: LocalHome) -> str:
    config = configparser.ConfigParser()
    config.read(home.az / "config")
    return config["cloud"]["name"]


def test_az_finds_a_profile_a_cloud_and_no_addresses_of_an_earlier_port(home: LocalHome) -> None:
    home.az.mkdir(parents=True)
    (home.az / "cloudEndpoints.json").write_text("{}")
    sign_in(home)
    profile = json.loads((home.az / "azureProfile.json").read_text())
    assert profile["subscriptions"] == [SUBSCRIPTION]
    assert profile["installationId"]
    assert read_cloud(home) == "LocalAzure"
    assert not (home.az / "cloudEndpoints.json").exists()
    assert (home.az / "azureProfile.json").stat().st_mode & 0o077 == 0


def test_what_the_user_did_with_az_in_a_rehearsal_is_kept(home: LocalHome) -> None:
    sign_in(home)
    other = {**SUBSCRIPTION, "user": {"name": "me", "type": "user"}}
    profile = {"installationId": "mine", "subscriptions": [other]}
    (home.az / "azureProfile.json").write_text(json.dumps(profile), encoding="utf-8-sig")
    (home.az / "config").write_text("[defaults]\ngroup = rg\n[cloud]\nname = AzureCloud\n")
    sign_in(home)
    assert json.loads((home.az / "azureProfile.json").read_text("utf-8-sig")) == profile
    assert read_cloud(home) == "LocalAzure"
    assert "group = rg" in (home.az / "config").read_text()


@pytest.mark.parametrize("broken", ["", "[]", "{", '{"subscriptions": null}', '{"subscriptions": [7]}', "\udcff"])
def test_a_broken_or_signed_out_profile_is_signed_in_again(home: LocalHome, broken: str) -> None:
    home.az.mkdir(parents=True)
    for name in ("azureProfile.json", "config"):
        (home.az / name).write_bytes(broken.encode("utf-8", "surrogateescape"))
    sign_in(home)
    assert json.loads((home.az / "azureProfile.json").read_text())["subscriptions"] == [SUBSCRIPTION]
    assert read_cloud(home) == "LocalAzure"


@pytest.mark.parametrize(
    ("before", "extensions"),
    [
        ({}, os.path.expanduser("~/.azure/cliextensions")),
        ({"AZURE_CONFIG_DIR": "/corp/az"}, "/corp/az/cliextensions"),
        ({"AZURE_CONFIG_DIR": "/corp/az", "AZURE_EXTENSION_DIR": "/ext"}, "/ext"),
    ],
)
def test_extensions_are_found_where_the_shell_had_them(
    home: LocalHome, before: dict[str, str], extensions: str
) -> None:
    variables = az_variables(home, before)
    assert variables["AZURE_CONFIG_DIR"] == str(home.az)
    assert variables["AZURE_EXTENSION_DIR"] == extensions


def test_az_reads_the_cloud_that_a_rehearsal_shell_names_with_every_address_it_looks_up(tmp_path: Path) -> None:
    base = "https://localhost:18443"
    done = subprocess.run(
        [sys.executable, "-c", READ_AS_AZ_DOES],
        input=json.dumps(cloud_metadata(base, METADATA_VERSION)),
        env={**os.environ, "AZURE_CONFIG_DIR": str(tmp_path), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    ((name, (endpoints, suffixes)),) = json.loads(done.stdout).items()
    assert name == CLOUD_NAME
    assert endpoints["resource_manager"] == base
    # One that is missing is None here, and az then says that its configuration is corrupt.
    assert {key: value for key, value in endpoints.items() if not str(value).startswith(base)} == {}
    assert {key: value for key, value in suffixes.items() if "localhost" not in str(value)} == {}
