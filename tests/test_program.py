"""The whole program with the committed stack files and the real example model, from an empty Azure until settled."""

from __future__ import annotations

import gc
import importlib
import inspect
import runpy
from collections.abc import Callable, Mapping
from dataclasses import replace
from operator import attrgetter
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import yaml

from assessment.stack import DeclarationError
from models.loader import load_model
from models.pin import document_of
from models.release_document import parse
from models.release_lock import PublishedAsset, StackRecord, read_lock, write_record
from models.spec import LocalAsset, release_digest
from naming import Names
from settings import SettingsError
from tests.components.engine import SUBSCRIPTION_ID, Deployment, FakeAzure, deploy
from tests.components.golden import assert_golden

ROOT = Path(__file__).parents[1]
MODEL = ROOT / "models" / "fraud-detection"
GUID = "00000000-0000-4000-8000-0000000000aa"

Run = Callable[..., Deployment]


@pytest.fixture(autouse=True)
def _locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_RELEASE_LOCKS", str(tmp_path))
    monkeypatch.setenv("SLUICE_ROLE_DELAY", "0s")


class Stack:
    """One committed stack file, the Azure that its program sees, and the program."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.config: dict[str, Any] = yaml.safe_load((ROOT / f"Pulumi.{name}.yaml").read_text())["config"]
        self.azure = FakeAzure(Names(team="payments", stack=name, subscription_id=SUBSCRIPTION_ID))

    @property
    def public(self) -> bool:
        return bool(self.config["sluice:network"] == "public")

    def up(self, *, preview: bool = False) -> Deployment:
        """Run the program."""
        try:
            return deploy(
                lambda: runpy.run_path(str(ROOT / "__main__.py"), run_name="__main__"),
                self.azure,
                config=self.config,
                stack=self.name,
                preview=preview,
            )
        finally:
            gc.enable()  # the program turns the collector off, for a process of its own
            gc.unfreeze()

    def publish(self) -> None:
        """Record that the example's content is in the stack's storage."""
        blue = load_model(MODEL, ["blue"]).deployments["blue"]
        assets = {
            asset.digest: PublishedAsset(
                digest=asset.digest, kind=asset.kind, name=asset.name, uri=f"uri://{asset.kind}"
            )
            for asset in (blue.model, blue.code)
            if isinstance(asset, LocalAsset)
        }
        record = StackRecord(
            workspace_id=self.azure.names.workspace_id,
            workspace_guid=GUID,
            storage_account="account",
            container="container",
            assets=assets,
        )
        write_record(read_lock(MODEL), self.name, record)

    def settle(self, traffic: Mapping[str, int]) -> None:
        """Bring Azure to its state after the last of the first updates."""
        endpoint = self.azure.names.endpoint("fraud-detection")
        self.azure.add_group()
        self.azure.add_stack_identity({"sluice:endpoints-1": endpoint})
        self.azure.add_workspace(guid=GUID, public=self.public)
        identity = self.azure.names.endpoint_identity_id("fraud-detection")
        self.azure.add_endpoint(endpoint, traffic=traffic, identity_ids=(identity,))
        release = release_digest(load_model(MODEL, ["blue"]).deployments["blue"], "Standard_DS3_v2")[:16]
        self.azure.add_deployment(endpoint, "blue", tags={"sluice:release": release})
        self.publish()


@pytest.fixture(params=["dev", "prod"])
def stack(request: pytest.FixtureRequest) -> Stack:
    return Stack(request.param)


def endpoint_of(deployment: Deployment) -> dict[str, Any]:
    """Return the stack's output for the example's endpoint."""
    found: dict[str, Any] = deployment.outputs["endpoints"]["fraud-detection"]
    return found


def test_the_first_update_makes_the_platform_and_an_endpoint_without_weights(stack: Stack) -> None:
    deployment = stack.up()
    assert deployment.of_type("OnlineDeployment") == []
    assert deployment.one("OnlineEndpoint", "fraud-detection-endpoint").inputs["properties"]["traffic"] == {}
    output = endpoint_of(deployment)
    assert output["settled"] is False
    assert output["waiting"] == [
        "deployments wait for the workspace: blue",
        "live weights wait (blue=100): the endpoint does not exist in Azure yet",
    ]
    assert output["next"] == (
        f"sluice release publish fraud-detection --stack {stack.name} && pulumi up --stack {stack.name}"
    )


def test_the_second_update_makes_the_deployment_without_weight(stack: Stack) -> None:
    stack.azure.add_group()
    stack.azure.add_workspace(guid=GUID, public=stack.public)
    stack.publish()
    deployment = stack.up()
    output = endpoint_of(deployment)
    assert output["deployments"]["blue"]["weight"] == 0
    assert (output["settled"], output["next"]) == (False, f"pulumi up --stack {stack.name}")


def test_then_blue_serves_and_the_stack_is_this_tree(stack: Stack) -> None:
    stack.settle({})
    deployment = stack.up()
    assert deployment.one("OnlineEndpoint", "fraud-detection-endpoint").inputs["properties"]["traffic"] == {"blue": 100}
    output = endpoint_of(deployment)
    assert (output["settled"], output["next"]) == (True, None)
    assert output["deployments"]["blue"]["weight"] == 100
    assert_golden(f"stack-{stack.name}", deployment.tree())


def test_pinning_what_is_live_changes_nothing(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every resource is registered with the same inputs and options, whatever blue.yml says by then."""
    stack.settle({"blue": 100})
    stack.up()  # with autoscale, the update after the first one sends the body's digest
    before = stack.up()
    document = document_of(load_model(MODEL, ["blue"]).deployments["blue"], MODEL, "c" * 40)
    written = parse(document.text(), document.path, model=MODEL.name)
    monkeypatch.setattr("models.pin.read_in", lambda folder, digits: written)
    stack.config["sluice:endpoints"]["fraud-detection"]["deployments"]["blue"]["release"] = document.short
    monkeypatch.setattr("models.loader._Reader._deployment", lambda *_: pytest.fail("blue.yml was read"))
    after = stack.up()
    by_urn = attrgetter("urn")  # independent resources are registered in any order
    assert sorted(after.registrations, key=by_urn) == sorted(before.registrations, key=by_urn)
    assert after.outputs == before.outputs


def test_everything_but_the_group_comes_after_the_identity_that_records_what_is_declared(stack: Stack) -> None:
    stack.settle({"blue": 100})
    deployment = stack.up()
    identity = deployment.one("UserAssignedIdentity", "platform-stack")
    assert identity.inputs["tags"]["sluice:endpoints-1"] == stack.azure.names.endpoint("fraud-detection")
    for one in deployment.registrations:
        if one.type.startswith("azure-native:") and one.name not in ("platform-group", "platform-stack"):
            assert identity.urn in one.depends_on, one.name


def test_a_preview_declares_the_same_resources(stack: Stack) -> None:
    stack.settle({"blue": 100})
    assert stack.up(preview=True).tree() == stack.up().tree()


def test_the_outputs_are_those_of_the_design(stack: Stack) -> None:
    stack.settle({"blue": 100})
    outputs = stack.up().outputs
    assert outputs.keys() == {"endpoints", "workspace", "platform", "tags", "next"}
    private = {"network"} if "mode" in str(stack.config["sluice:network"]) else set()
    assert outputs["workspace"].keys() == {"id", "name", "studio_url"} | private
    assert outputs["endpoints"].keys() == {"fraud-detection"}


def test_the_outputs_lead_to_what_people_work_with(stack: Stack) -> None:
    stack.settle({"blue": 100})
    outputs = stack.up().outputs
    platform = outputs["platform"]
    group = platform["resource_group_id"]
    assert platform["cost_url"].startswith("https://portal.azure.com/#view/Microsoft_Azure_CostManagement/")
    assert platform["cost_url"].endswith(quote(group, safe=""))
    assert platform["storage_container"] == "https://blobs/azureml-blobstore-guid-of-platform-ml-workspace"
    assert platform["registry_login_server"] == "login-server"
    assert platform["vault_uri"] == "https://vault/"
    assert platform["log_analytics_id"].endswith("/platform-monitoring-logs")
    assert endpoint_of(stack.up())["identity"] == {
        "client_id": "client-of-fraud-detection-identity",
        "principal_id": "principal-of-fraud-detection-identity",
    }
    assert outputs["next"] is None


def test_the_outputs_name_the_next_command_of_the_first_endpoint_that_waits(stack: Stack) -> None:
    outputs = stack.up().outputs
    assert outputs["next"] == outputs["endpoints"]["fraud-detection"]["next"] is not None


def test_the_owners_tags_are_on_every_resource_that_has_tags_and_replace_none_of_the_programs(stack: Stack) -> None:
    stack.settle({"blue": 100})
    before = {one.urn: one.inputs for one in stack.up().registrations}
    stack.config["sluice:tags"] = {"CostCenter": "4711"}
    for one in stack.up().registrations:
        tags = _tags(before[one.urn])
        if one.type.endswith(":OnlineDeployment"):  # it keeps its tags until it is recreated
            assert _tags(one.inputs) == tags
        else:
            assert _tags(one.inputs) == (tags and {**tags, "CostCenter": "4711"}), one.urn


def test_every_resource_that_takes_tags_has_those_of_the_program(stack: Stack) -> None:
    stack.azure.add_group()
    stack.azure.add_workspace(guid=GUID, public=stack.public)
    stack.publish()
    registrations = [one for one in stack.up().registrations if one.type.startswith("azure-native:")]
    below = {f"fraud-detection-{one}" for one in ("endpoint", "identity", "blue-deployment", "blue-autoscale-setting")}
    for one in registrations:
        if not _takes_tags(one.type):
            continue
        tags = {key.replace("sluice-", "sluice:"): value for key, value in (_tags(one.inputs) or {}).items()}
        assert tags["sluice:team"] == "payments", one.urn
        assert tags["sluice:stack"] == tags["sluice:environment"] == stack.name, one.urn
        own = one.name in below or "Version" in one.type.rpartition(":")[2]
        assert (tags.get("sluice:endpoint") == "fraud-detection") is own, one.urn
    assert len([one for one in registrations if _takes_tags(one.type)]) > 8


def _takes_tags(token: str) -> bool:
    """Whether the SDK's class of a type has such an input, itself or in its properties."""
    _, module, name = token.split(":")
    found = importlib.import_module(f"pulumi_azure_native.{module}")
    arguments = inspect.signature(getattr(found, name)._internal_init).parameters
    if "tags" in arguments:
        return True
    properties = getattr(found, f"{name}PropertiesArgs", None)
    return "properties" in arguments and properties is not None and hasattr(properties, "tags")


def test_tags_of_others_stay_while_the_declared_ones_are_written(stack: Stack) -> None:
    stack.settle({"blue": 100})
    stack.azure.add_group(tags={"policy": "theirs", "CostCenter": "4711", "sluice:team": "payments"})
    stack.azure.outputs = {"tags": {"CostCenter": "4711"}}  # an earlier update declared it, this one does not
    for one in stack.up().registrations:
        if one.type.rpartition(":")[2] in ("ResourceGroup", "StorageAccount", "Vault"):
            assert 'tags["policy"]' in one.ignore_changes, one.urn
            assert not {"tags", 'tags["CostCenter"]'} & set(one.ignore_changes), one.urn


def test_with_another_generation_everything_gets_all_tags(stack: Stack) -> None:
    stack.config["sluice:generation"] = 2
    stack.azure.names = replace(stack.azure.names, generation=2)
    stack.azure.add_group(tags={"policy": "theirs"})
    stack.azure.add_stack_identity({"sluice:generation": "1"})
    deployment = stack.up()
    assert not [one.urn for one in deployment.registrations if any("tags" in path for path in one.ignore_changes)]
    assert deployment.outputs["tags"] is None


def test_once_all_tags_are_written_the_engine_looks_at_none(stack: Stack) -> None:
    stack.settle({"blue": 100})
    stack.azure.add_group(tags={"policy": "theirs"})
    written = stack.up().outputs["tags"]
    assert written == {"sluice:team": "payments", "sluice:stack": stack.name, "sluice:environment": stack.name}
    stack.azure.outputs = {"tags": written}
    tagged = [one for one in stack.up().registrations if _tags(one.inputs) and "Version" not in one.type]
    looked_at = {one.name for one in tagged if "tags" not in one.ignore_changes}
    own = {"platform-group", "platform-stack", "fraud-detection-endpoint", "fraud-detection-blue-deployment"}
    assert looked_at == own


def _tags(inputs: Mapping[str, Any]) -> dict[str, str] | None:
    """The tags, without the one that is a digest of what is declared, the other tags among it."""
    found: dict[str, str] | None = inputs.get("tags") or (inputs.get("properties") or {}).get("tags")
    return found and {name: value for name, value in found.items() if name != "sluice:body"}


def test_a_refusal_declares_nothing(stack: Stack) -> None:
    stack.settle({"blue": 100})
    stack.config["sluice:endpoints"]["fraud-detection"]["deployments"]["green"] = {"instances": 3}
    stack.config["sluice:rollout"]["fraud-detection"]["traffic"] = {"blue": 90, "green": 10}
    declared: list[Deployment] = []
    with pytest.raises(DeclarationError, match="green does not exist in Azure yet"):
        declared.append(stack.up())
    assert declared == []


def test_a_wrong_stack_file_is_refused_before_azure_is_asked(stack: Stack) -> None:
    stack.config["sluice:rollout"]["fraud-detection"]["traffic"] = {"blue": 95}
    with pytest.raises(SettingsError, match="must sum to 0 or 100 percent, got 95"):
        stack.up()
    assert stack.azure.reads == []


@pytest.mark.parametrize("name", ["dev", "prod"])
def test_the_committed_stack_files_hold_no_salt(name: str) -> None:
    assert yaml.safe_load((ROOT / f"Pulumi.{name}.yaml").read_text()).keys() == {"config"}
