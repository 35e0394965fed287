"""Declaring a stack: every refusal by its message, all of them at once, before any resource."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from assessment import stack as stack_module
from assessment.declaration import DIGEST_DIGITS, StackDeclaration
from assessment.stack import DeclarationError, declare_stack
from assessment.stack_problems import branch_problem
from models.azureml import LibraryError
from models.errors import ModelError, ModelFilesError
from models.proof import Proof, proofs_path
from models.release_lock import PublishedAsset, StackRecord, read_lock, write_record
from models.spec import (
    AssetReference,
    AutoscaleSpec,
    EnvironmentSpec,
    IdentitySpec,
    LocalAsset,
    Model,
    content_digest,
    release_digest,
)
from naming import Names
from network_plan import plan_network
from platform_record import PlatformRecord
from problem import Problem
from settings import Settings, parse_settings
from tests.components.conftest import deployment_spec, model_of
from tests.components.engine import FakeAzure, deploy
from tests.models.proof_files import append_proof

TODAY = date(2026, 1, 1)


def each(load: Callable[[Path, Any], Model]) -> Callable[[Mapping[Path, Any]], dict[Path, Model | ModelError]]:
    """Loads folders one by one; `load_models` loads them together."""

    def load_all(asked: Mapping[Path, Any]) -> dict[Path, Model | ModelError]:
        loaded: dict[Path, Model | ModelError] = {}
        for folder, deployments in asked.items():
            try:
                loaded[folder] = load(folder, deployments)
            except ModelError as error:
                loaded[folder] = error
        return loaded

    return load_all


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> dict[str, Model]:
    """The models that loading finds, by folder; a test may change them."""
    models = {"fraud": model_of(deployment_spec("blue"), deployment_spec("green"))}

    def load(folder: Path, deployments: Any) -> Model:
        found = models[folder.name]
        return Model(
            name=found.name,
            endpoint=found.endpoint,
            deployments={name: found.deployments[name] for name in deployments},
        )

    monkeypatch.setattr(stack_module, "load_models", each(load))
    return models


@pytest.fixture(autouse=True)
def _locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_RELEASE_LOCKS", str(tmp_path))


PRIVATE = {"mode": "private", "address_space": "10.1.0.0/22"}
NETWORKS = {"public": "public", "private": PRIVATE}


def config(
    traffic: Mapping[str, int] | None = None, deployments: Mapping[str, Any] | None = None, **changes: Any
) -> Settings:
    raw: dict[str, Any] = {
        "team": "payments",
        "network": "public",
        "location": "westeurope",
        "endpoints": {"fraud": {"name": "fraud-dev", "deployments": {"blue": {}, **(deployments or {})}}},
        "rollout": {"fraud": {"stable": "blue", "traffic": dict(traffic or {})}},
        **changes,
    }
    return parse_settings(raw, stack="dev", today=TODAY)


def publish(azure: FakeAzure, model: Model, *, guid: str = "guid-1") -> None:
    assets = [asset for spec in model.deployments.values() for asset in (spec.model, spec.code)]
    record = StackRecord(
        workspace_id=azure.names.workspace_id,
        workspace_guid=guid,
        storage_account="account",
        container="container",
        assets={
            asset.digest: PublishedAsset(digest=asset.digest, kind=asset.kind, name=asset.name, uri=f"u/{asset.name}")
            for asset in assets
            if isinstance(asset, LocalAsset)
        },
    )
    write_record(read_lock(Path("models/fraud")), "dev", record)


def declare(azure: FakeAzure, settings: Settings, today: date = TODAY) -> StackDeclaration:
    found: list[StackDeclaration] = []
    deploy(lambda: found.append(declare_stack(settings, Path("models"), today)), azure)
    return found[0]


def refuse(azure: FakeAzure, settings: Settings) -> tuple[str, ...]:
    with pytest.raises(DeclarationError) as caught:
        declare(azure, settings)
    return tuple(str(problem) for problem in caught.value.problems)


def release(model: Model, name: str) -> str:
    return release_digest(model.deployments[name])[:DIGEST_DIGITS]


@pytest.fixture
def live(azure: FakeAzure, model: dict[str, Model]) -> FakeAzure:
    """Return a stack in which blue serves everything."""
    azure.add_group()
    azure.add_workspace()
    azure.add_endpoint("fraud-dev", traffic={"blue": 100}, identity_ids=(azure.names.endpoint_identity_id("fraud"),))
    azure.add_deployment("fraud-dev", "blue", tags={"sluice:release": release(model["fraud"], "blue")})
    publish(azure, model["fraud"])
    return azure


def test_without_a_workspace_deployments_and_weights_wait_and_the_next_command_publishes(
    azure: FakeAzure, model: dict[str, Model]
) -> None:
    (endpoint,) = declare(azure, config({"blue": 100})).endpoints
    assert endpoint.deployments == ()
    assert endpoint.transition.traffic == {}
    assert endpoint.transition.settled is False
    assert endpoint.next == "sluice release publish fraud --stack dev && pulumi up --stack dev"


def test_roles_get_time_where_what_uses_them_does_not_exist_yet(azure: FakeAzure, model: dict[str, Model]) -> None:
    first = declare(azure, config())
    assert (first.role_delay_seconds, first.endpoints[0].role_delay_seconds) == (180, 180)
    azure.add_group()
    azure.add_workspace()
    publish(azure, model["fraud"])
    second = declare(azure, config())
    assert (second.role_delay_seconds, second.endpoints[0].role_delay_seconds) == (0, 180)


def test_what_exists_waits_for_no_role(live: FakeAzure) -> None:
    declaration = declare(live, config({"blue": 100}))
    assert (declaration.role_delay_seconds, declaration.endpoints[0].role_delay_seconds) == (0, 0)


def test_with_a_workspace_deployments_come_and_weights_wait(azure: FakeAzure, model: dict[str, Model]) -> None:
    azure.add_group()
    azure.add_workspace()
    publish(azure, model["fraud"])
    (endpoint,) = declare(azure, config({"blue": 100})).endpoints
    (blue,) = endpoint.deployments
    assert (blue.name, blue.weight, blue.release) == ("blue", 0, release(model["fraud"], "blue"))
    assert set(blue.published.values()) == {"u/weights", "u/code"}
    assert endpoint.next == "pulumi up --stack dev"


def test_once_it_serves_the_stack_is_settled(live: FakeAzure) -> None:
    declaration = declare(live, config({"blue": 100}))
    (endpoint,) = declaration.endpoints
    assert (endpoint.transition.traffic, endpoint.next) == ({"blue": 100}, None)
    assert endpoint.deployments[0].serving is True
    assert declaration.protect is True


def test_what_is_declared_to_serve_is_protected_while_it_waits(azure: FakeAzure, model: dict[str, Model]) -> None:
    assert declare(azure, config({"blue": 100})).protect is True


@pytest.mark.usefixtures("model")
@pytest.mark.parametrize("network", ["public", "private"])
def test_in_a_private_stack_everything_is_protected_whatever_it_serves(azure: FakeAzure, network: str) -> None:
    declaration = declare(azure, config({"blue": 0}, network=NETWORKS[network]))
    assert {declaration.protect, *(endpoint.protect for endpoint in declaration.endpoints)} == {network == "private"}
    assert declare(azure, config(network=NETWORKS[network], endpoints={}, rollout={})).protect is (network == "private")


def test_what_is_set_to_0_is_protected_no_longer_but_still_changed_in_place_only(live: FakeAzure) -> None:
    declaration = declare(live, config({"blue": 0}))
    assert declaration.protect is False
    assert declaration.endpoints[0].deployments[0].serving is True


def test_content_that_is_not_published_is_named_with_the_command(azure: FakeAzure, model: dict[str, Model]) -> None:
    azure.add_group()
    azure.add_workspace()
    (problem,) = refuse(azure, config({"blue": 100}))
    assert "blue: model (weights, " in problem
    assert "blue: code (code, " in problem
    assert "`sluice release publish fraud --stack dev`" in problem


def test_content_of_a_workspace_that_was_deleted_is_not_published(live: FakeAzure) -> None:
    live.add_workspace(guid="guid-2")
    (problem,) = refuse(live, config({"blue": 100}))
    assert "that has since been deleted" in problem


def test_weight_for_a_colour_that_does_not_exist_yet_is_refused(live: FakeAzure) -> None:
    (problem,) = refuse(live, config({"blue": 90, "green": 10}, {"green": {}}))
    assert problem.startswith("sluice:rollout.fraud.traffic.green must be 0 for now, got 10: green does not exist")


def test_another_release_under_live_weight_is_refused(live: FakeAzure, model: dict[str, Model]) -> None:
    model["fraud"] = model_of(deployment_spec("blue", scoring_script="other.py"))
    (problem,) = refuse(live, config({"blue": 100}))
    assert problem.startswith("sluice:endpoints.fraud.deployments.blue must keep its release while it gets 100 percent")


def test_allow_live_change_lets_it_through_in_place(live: FakeAzure, model: dict[str, Model]) -> None:
    model["fraud"] = model_of(deployment_spec("blue", scoring_script="other.py"))
    declaration = declare(live, config({"blue": 100}, {"blue": {"allow_live_change": True}}))
    blue = declaration.endpoints[0].deployments[0]
    assert (blue.serving, blue.release) == (True, release(model["fraud"], "blue"))


def content(model: Model, name: str) -> str:
    return content_digest(model.deployments[name])[:DIGEST_DIGITS]


def test_a_new_deployment_is_tagged_with_its_content_and_one_of_an_earlier_version_is_left_alone(
    live: FakeAzure, model: dict[str, Model]
) -> None:
    """Blue was created without the tag: to add one would make the next preview of every old stack an update."""
    blue, green = declare(live, config({"blue": 100}, {"green": {}})).endpoints[0].deployments
    assert (blue.content, green.content) == (None, content(model["fraud"], "green"))


def test_the_content_tag_stays_once_it_is_there(live: FakeAzure, model: dict[str, Model]) -> None:
    tags = {"sluice:release": release(model["fraud"], "blue"), "sluice:content": content(model["fraud"], "blue")}
    live.add_deployment("fraud-dev", "blue", tags=tags)
    (blue,) = declare(live, config({"blue": 100})).endpoints[0].deployments
    assert blue.content == content(model["fraud"], "blue")


@pytest.mark.parametrize("state", ["Failed", "Succeeded"])
def test_a_deployment_that_is_replaced_gets_the_content_tag(
    state: str, live: FakeAzure, model: dict[str, Model]
) -> None:
    tags = {"sluice:release": release(model["fraud"], "green") if state == "Failed" else "other"}
    live.add_deployment("fraud-dev", "green", tags=tags, state=state)
    green = declare(live, config({"blue": 100}, {"green": {}})).endpoints[0].deployments[1]
    assert green.content == content(model["fraud"], "green")


def test_a_deployment_that_changes_in_place_gets_the_content_tag(live: FakeAzure, model: dict[str, Model]) -> None:
    model["fraud"] = model_of(deployment_spec("blue", scoring_script="other.py"))
    (blue,) = declare(live, config({"blue": 100}, {"blue": {"allow_live_change": True}})).endpoints[0].deployments
    assert blue.content == content(model["fraud"], "blue")


def test_a_stacks_own_value_of_a_variable_makes_another_release_of_the_same_content(
    live: FakeAzure, model: dict[str, Model]
) -> None:
    green = {"environment_variables": {"a_b": "postgres://prod"}}
    made = declare(live, config({"blue": 100}, {"green": green})).endpoints[0].deployments[1]
    assert made.content == content(model["fraud"], "green")
    assert made.release != release(model["fraud"], "green")
    assert made.spec.environment_variables == {"a_b": "postgres://prod"}
    assert "postgres" not in repr(made)


def test_another_value_under_live_weight_is_refused_without_showing_it(live: FakeAzure) -> None:
    (problem,) = refuse(live, config({"blue": 100}, {"blue": {"environment_variables": {"a_b": "postgres://prod"}}}))
    assert "blue must keep its release while it gets 100 percent" in problem
    assert "postgres" not in problem


def test_a_variable_that_the_release_does_not_set_is_refused(live: FakeAzure) -> None:
    green = {"environment_variables": {"A_B": "secret-value", "a_b": "secret-value"}}
    (problem,) = refuse(live, config({"blue": 100}, {"green": green}))
    assert problem == (
        "sluice:endpoints.fraud.deployments.green.environment_variables.A_B must be a variable that "
        "models/fraud/green.yml sets (it sets: a_b). Correct the name in Pulumi.dev.yaml, or add the variable to "
        "environment_variables of the release."
    )


def test_a_pin_is_passed_to_the_loader(
    live: FakeAzure, model: dict[str, Model], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def load(wanted: Mapping[Path, Any]) -> dict[Path, Model | ModelError]:
        asked.append(wanted)
        return {folder: model["fraud"] for folder in wanted}

    monkeypatch.setattr(stack_module, "load_models", load)
    declare(live, config({"blue": 100}, {"green": {"release": "0123456789abcdef"}}))
    assert asked == [{Path("models/fraud"): {"blue": None, "green": "0123456789abcdef"}}]


def test_rights_for_an_identity_that_the_stack_does_not_create_are_refused(
    azure: FakeAzure, model: dict[str, Model], monkeypatch: pytest.MonkeyPatch
) -> None:
    given = IdentitySpec(type="UserAssigned", resource_ids=("/somebody",))
    endpoint = replace(model["fraud"].endpoint, identity=given)
    monkeypatch.setitem(model, "fraud", replace(model["fraud"], endpoint=endpoint))
    vault = "/subscriptions/s/resourceGroups/g/providers/Microsoft.KeyVault/vaults/v"
    rights = {"secret_vaults": [vault], "connection_secrets": True}
    endpoints = {"fraud": {"name": "fraud-dev", "deployments": {"blue": {}}, **rights}}
    found = refuse(azure, config({}, endpoints=endpoints))
    assert [problem.split(" has no effect")[0] for problem in found] == [
        "sluice:endpoints.fraud.secret_vaults",
        "sluice:endpoints.fraud.connection_secrets",
    ]


def test_another_identity_of_a_serving_endpoint_is_refused(live: FakeAzure) -> None:
    live.add_endpoint("fraud-dev", traffic={"blue": 100}, identity_ids=("/another",))
    (problem,) = refuse(live, config({"blue": 100}))
    assert "must not change its identity from /another to" in problem


def test_another_auth_mode_of_a_serving_endpoint_is_refused(live: FakeAzure, model: dict[str, Model]) -> None:
    model["fraud"] = model_of(deployment_spec("blue"), auth_mode="AADToken")
    (problem,) = refuse(live, config({"blue": 100}))
    assert "must not change its auth mode from Key to AADToken" in problem


def test_an_endpoint_that_serves_cannot_be_left_out(live: FakeAzure) -> None:
    live.add_group(tags={"sluice:endpoint:fraud-dev": "fraud"})
    (problem,) = refuse(live, config(endpoints={}, rollout={}))
    assert 'no longer declares the endpoint "fraud-dev"' in problem


def test_an_endpoint_that_serves_cannot_be_renamed(live: FakeAzure) -> None:
    live.add_group(tags={"sluice:endpoint:fraud-dev": "fraud"})
    renamed = {"fraud": {"name": "fraud-two", "deployments": {"blue": {}}}}
    assert any('no longer declares the endpoint "fraud-dev"' in one for one in refuse(live, config(endpoints=renamed)))


def recorded(azure: FakeAzure, settings: Settings, *endpoints: str) -> None:
    """Record this as the stack's last declaration."""
    azure.add_stack_identity(PlatformRecord.of(settings, plan_network(settings.network, None), endpoints).tags())


def test_what_cannot_change_under_a_stack_is_refused_together_with_everything_else(live: FakeAzure) -> None:
    recorded(live, config(), "fraud-dev")
    changed = config({"blue": 90, "green": 10}, {"green": {}}, network=PRIVATE, storage={"redundancy": "zrs"})
    network, storage, weight = refuse(live, changed)
    assert network.startswith('sluice:network must stay "public" while the stack exists, got "private"')
    assert storage.startswith('sluice:storage.redundancy must stay "lrs" while the stack exists, got "zrs"')
    assert weight.startswith("sluice:rollout.fraud.traffic.green must be 0 for now")


def test_a_stack_of_an_earlier_version_keeps_its_network_too(live: FakeAzure) -> None:
    (problem,) = refuse(live, config({"blue": 100}, network=PRIVATE))
    assert problem.startswith('sluice:network must stay "public" while the stack exists, got "private"')


def test_a_stack_of_an_earlier_version_goes_on_and_keeps_the_groups_tags_for_one_update(live: FakeAzure) -> None:
    tags = {"sluice:endpoint:fraud-dev": "fraud"}
    live.add_group(tags=tags)
    first = declare(live, config({"blue": 100}))
    assert (first.group_tags, first.record_tags["sluice:endpoints-1"]) == (tags, "fraud-dev")
    live.add_stack_identity(first.record_tags)
    assert declare(live, config({"blue": 100})).group_tags == {}


def test_under_another_generation_everything_may_change_but_not_while_anything_serves(live: FakeAzure) -> None:
    recorded(live, config(), "fraud-dev")
    changed = config(network=PRIVATE, generation=2)
    (problem,) = refuse(live, changed)
    assert problem.startswith("sluice:generation must stay 1 while anything serves, got 2: ")
    assert f"{live.names.endpoint_id('fraud-dev')} has weights (blue=100)" in problem
    live.add_endpoint("fraud-dev")
    declaration = declare(live, changed)
    assert declaration.placement.names.workspace == "mlw-payments-dev-g2"
    assert declaration.record_tags["sluice:generation"] == "2"


def test_more_endpoints_than_tags_can_hold_are_refused(azure: FakeAzure, model: dict[str, Model]) -> None:
    keys = [f"e{number:03}" for number in range(400)]
    model.update(dict.fromkeys(keys, model_of()))
    names = {key: {"name": f"{key}-{'x' * 27}"} for key in keys}
    (problem,) = refuse(azure, config(endpoints=names, rollout={}))
    assert problem.startswith("sluice:endpoints declares 400 endpoints, whose names do not fit into the tags")


@pytest.mark.parametrize("traffic", [{"blue": 100}, {}])
def test_an_endpoint_under_the_default_name_of_earlier_versions_is_refused_with_the_line_to_add(
    live: FakeAzure, traffic: dict[str, int]
) -> None:
    """Serving or not: with today's default name, the endpoint would be deleted and another one created."""
    live.add_endpoint("fraud-dev", traffic=traffic)
    live.add_group(tags={"sluice:endpoint:fraud-dev": "fraud"})
    endpoints = {"fraud": {"deployments": {"blue": {}}}}
    (problem,) = refuse(live, config({"blue": 100}, endpoints=endpoints))
    assert problem.startswith('sluice:endpoints.fraud exists in Azure as "fraud-dev", its default name in earlier ver')
    assert "Add the line `name: fraud-dev` to sluice:endpoints.fraud in Pulumi.dev.yaml." in problem


def test_a_key_whose_former_name_is_now_another_endpoints_explicit_one_is_no_such_case(
    live: FakeAzure, model: dict[str, Model]
) -> None:
    model["other"] = model["fraud"]
    endpoints = {"other": {"name": "fraud-dev", "deployments": {"blue": {}}}, "fraud": {"deployments": {}}}
    settings = config(endpoints=endpoints, rollout={"other": {"stable": "blue", "traffic": {"blue": 100}}})
    assert not any("earlier versions" in problem for problem in refuse(live, settings))


def test_an_unreachable_endpoint_of_a_public_stack_is_refused(azure: FakeAzure, model: dict[str, Model]) -> None:
    model["fraud"] = model_of(deployment_spec("blue"), public_network_access="Disabled")
    (problem,) = refuse(azure, config({"blue": 100}))
    assert problem.startswith("models/fraud/endpoint.yml: public_network_access must not be disabled in a public stack")
    assert declare(azure, config({"blue": 100}, network=PRIVATE)).endpoints


def test_a_public_endpoint_of_a_private_stack_is_refused(azure: FakeAzure, model: dict[str, Model]) -> None:
    model["fraud"] = model_of(deployment_spec("blue"), public_network_access="Enabled")
    (problem,) = refuse(azure, config({"blue": 100}, network=PRIVATE))
    assert problem.startswith("models/fraud/endpoint.yml: public_network_access must not be enabled in a private stack")
    assert "Remove the line: without it, an endpoint is public in a public stack" in problem
    assert declare(azure, config({"blue": 100})).endpoints


def test_a_name_that_is_another_endpoints_default_is_refused(azure: FakeAzure, model: dict[str, Model]) -> None:
    default = azure.names.endpoint("fraud")
    model["other"] = model["fraud"]
    endpoints = {"fraud": {"deployments": {"blue": {}}}, "other": {"name": default, "deployments": {"blue": {}}}}
    (problem,) = refuse(azure, config(endpoints=endpoints, rollout={}))
    assert problem == (
        f'sluice:endpoints.other must have another name in Azure than sluice:endpoints.fraud, got "{default}" twice. '
        "Set sluice:endpoints.other.name in Pulumi.dev.yaml to another one."
    )


def test_a_stack_that_serves_cannot_move_to_another_region(live: FakeAzure) -> None:
    (problem,) = refuse(live, config({"blue": 100}, location="northeurope"))
    assert problem.startswith('azure-native:location must stay "westeurope" while an endpoint serves (fraud-dev), got')


def test_azure_may_write_the_region_in_another_way(live: FakeAzure) -> None:
    live.add_group(location="West Europe")
    assert declare(live, config({"blue": 100})).endpoints


def test_a_retired_size_in_an_az_ml_file_is_refused(live: FakeAzure, model: dict[str, Model]) -> None:
    model["fraud"] = model_of(deployment_spec("blue"), deployment_spec("green", instance_type="Standard_NC6"))
    publish(live, model["fraud"])
    (problem,) = refuse(live, config({"blue": 100}, {"green": {}}))
    assert problem.startswith("models/fraud/green.yml: instance_type: ")
    assert "2023-09-06" in problem
    assert "Standard_NC4as_T4_v3" in problem
    # The caller passes the date.
    assert declare(live, config({"blue": 100}, {"green": {}}), date(2023, 9, 5)).endpoints


def test_the_older_network_of_single_deployments_is_refused_in_a_private_stack(
    azure: FakeAzure, model: dict[str, Model]
) -> None:
    body = {"endpointComputeType": "Managed", "egressPublicNetworkAccess": "Disabled"}
    model["fraud"] = model_of(deployment_spec("blue", body=body))
    (problem,) = refuse(azure, config({"blue": 100}, network=PRIVATE))
    assert problem.startswith("models/fraud/blue.yml: egress_public_network_access must not be disabled")


@pytest.mark.parametrize(
    ("image", "refused"),
    [
        ("registry.example/x:latest", True),
        ("registry.example/x", True),
        ("registry.example/x:20250601.v1", False),
        (f"registry.example/x:latest@sha256:{'a' * 64}", False),
    ],
)
def test_where_images_must_be_pinned_one_without_a_version_is_not_started(
    image: str, refused: bool, live: FakeAzure, model: dict[str, Model]
) -> None:
    environment = EnvironmentSpec(image=image, conda_file=None, name=None, inference_config=None, digest="f" * 64)
    model["fraud"] = model_of(deployment_spec("blue"), deployment_spec("green", environment=environment))
    publish(live, model["fraud"])
    green = {"green": {}}
    assert declare(live, config({"blue": 100}, green))  # a stack that does not request it
    settings = config({"blue": 100}, green, limits={"require_pinned": True})
    if not refused:
        assert declare(live, settings)
        return
    (problem,) = refuse(live, settings)
    assert f'got "{image}" in models/fraud/green.yml' in problem


def test_everything_wrong_with_any_endpoint_is_in_one_error(
    live: FakeAzure, model: dict[str, Model], monkeypatch: pytest.MonkeyPatch
) -> None:
    load_all = stack_module.load_models

    def load_or_fail(folder: Path, deployments: Any) -> Model:
        if folder.name == "broken":
            raise ModelFilesError(
                "broken", [Problem(file="broken/blue.yml", where="", what="is not YAML", fix="Mend it")]
            )
        loaded = load_all({folder: deployments})[folder]
        assert isinstance(loaded, Model)
        return loaded

    monkeypatch.setattr(stack_module, "load_models", each(load_or_fail))
    settings = config(
        {"blue": 90, "green": 10},
        location="northeurope",
        endpoints={
            "fraud": {"name": "fraud-dev", "deployments": {"blue": {}, "green": {}}},
            "broken": {"deployments": {"blue": {}}},
        },
    )
    problems = refuse(live, settings)
    assert problems[0] == "models/broken/blue.yml: is not YAML. Mend it."
    assert problems[1].startswith("azure-native:location must stay")
    assert problems[2].startswith("sluice:rollout.fraud.traffic.green must be 0 for now")


def test_the_message_counts_the_problems_and_says_that_nothing_was_changed(live: FakeAzure) -> None:
    with pytest.raises(
        DeclarationError, match=r"^The change of stack dev has 1 problem; nothing was changed:\n  sluice:"
    ):
        declare(live, config({"blue": 90, "green": 10}, {"green": {}}))


def test_a_failed_deployment_at_0_percent_is_recreated(live: FakeAzure, model: dict[str, Model]) -> None:
    tags = {"sluice:release": release(model["fraud"], "green"), "sluice:attempt": "1"}
    live.add_deployment("fraud-dev", "green", state="Failed", tags=tags)
    green = declare(live, config({"blue": 100}, {"green": {}})).endpoints[0].deployments[1]
    assert (green.name, green.attempt, green.serving) == ("green", 2, False)


def test_a_deployment_keeps_its_number_of_attempts(live: FakeAzure, model: dict[str, Model]) -> None:
    tags = {"sluice:release": release(model["fraud"], "green"), "sluice:attempt": "1"}
    live.add_deployment("fraud-dev", "green", tags=tags)
    assert declare(live, config({"blue": 100}, {"green": {}})).endpoints[0].deployments[1].attempt == 1


AUTOSCALE = {"min": 2, "max": 6, "default": 3}


@pytest.mark.parametrize(
    ("file", "stack_file", "instances", "least"),
    [
        (None, {}, 1, None),
        (None, {"instances": 4}, 4, None),
        (None, {"autoscale": AUTOSCALE}, 3, 2),
        (None, {"instances": 5, "autoscale": AUTOSCALE}, 5, 2),
        (AutoscaleSpec(min_instances=2, max_instances=4, target_cpu_percent=60), {}, 2, 2),
        (AutoscaleSpec(min_instances=9, max_instances=9, target_cpu_percent=60), {"autoscale": AUTOSCALE}, 3, 2),
    ],
)
def test_the_stack_file_decides_how_many_instances_else_the_az_ml_file(
    live: FakeAzure,
    model: dict[str, Model],
    file: AutoscaleSpec | None,
    stack_file: dict[str, Any],
    instances: int,
    least: int | None,
) -> None:
    model["fraud"] = model_of(deployment_spec("blue", autoscale=file))
    blue = declare(live, config({"blue": 100}, {"blue": stack_file})).endpoints[0].deployments[0]
    assert blue.instances == instances
    assert (blue.autoscale.min if blue.autoscale else None) == least


def test_kubernetes_compute_is_refused_with_a_managed_network(live: FakeAzure, model: dict[str, Model]) -> None:
    model["fraud"] = model_of(deployment_spec("blue"), compute="azureml:aks")
    (problem,) = [one for one in refuse(live, config({"blue": 100}, network=PRIVATE)) if "Kubernetes" in one]
    assert "Azure does not support Kubernetes compute in a workspace with a managed network" in problem


IDLE = AUTOSCALE | {
    "idle_instances": 1,
    "schedules": [
        {"name": "day", "days": ["Monday"], "start": "08:00", "end": "18:00", "min": 4, "max": 9, "default": 5}
    ],
}


def bounds(declaration: StackDeclaration, name: str) -> list[tuple[int, int, int]]:
    (found,) = [one for one in declaration.endpoints[0].deployments if one.name == name]
    assert found.autoscale is not None
    return [(one.min, one.max, one.default) for one in (found.autoscale, *found.autoscale.schedules)]


@pytest.mark.parametrize(
    ("rollout", "expected"),
    [
        ({"stable": "blue", "traffic": {"blue": 100}}, [(1, 6, 1), (1, 9, 1)]),
        ({"stable": "blue", "traffic": {"blue": 100, "green": 0}}, [(1, 6, 1), (1, 9, 1)]),
        ({"stable": "blue", "traffic": {"blue": 99, "green": 1}}, [(2, 6, 3), (4, 9, 5)]),
        ({"stable": "blue", "traffic": {"blue": 100}, "mirror": {"green": 5}}, [(2, 6, 3), (4, 9, 5)]),
        ({"stable": "green", "traffic": {"blue": 100}}, [(2, 6, 3), (4, 9, 5)]),
    ],
)
def test_a_colour_without_weight_may_have_fewer_instances_unless_it_is_the_way_back(
    live: FakeAzure, model: dict[str, Model], rollout: dict[str, Any], expected: list[tuple[int, int, int]]
) -> None:
    model["fraud"] = model_of(deployment_spec("blue"), deployment_spec("green"))
    live.add_deployment("fraud-dev", "green", capacity=6, tags={"sluice:release": release(model["fraud"], "green")})
    settings = config(deployments={"green": {"autoscale": IDLE}}, rollout={"fraud": rollout})
    assert bounds(declare(live, settings), "green") == expected


def test_a_colour_without_weight_is_created_with_its_idle_instances(live: FakeAzure, model: dict[str, Model]) -> None:
    model["fraud"] = model_of(deployment_spec("blue"), deployment_spec("green"))
    settings = config({"blue": 100}, {"green": {"autoscale": IDLE}})
    assert declare(live, settings).endpoints[0].deployments[1].instances == 1


def test_an_idle_colour_that_gets_weight_is_told_how(live: FakeAzure, model: dict[str, Model]) -> None:
    model["fraud"] = model_of(deployment_spec("blue"), deployment_spec("green"))
    live.add_deployment("fraud-dev", "green", capacity=1, tags={"sluice:release": release(model["fraud"], "green")})
    (problem,) = refuse(live, config({"blue": 99, "green": 1}, {"green": {"autoscale": IDLE}}))
    assert (
        "green has too few instances in Azure: 1, and autoscale.min is 2. Set it to 0 and remove idle_instances"
        in problem
    )


@pytest.mark.parametrize("rule", ["gpu", "gpu_memory"])
def test_a_rule_on_gpus_is_refused_on_a_size_without_any(live: FakeAzure, rule: str) -> None:
    rules = {"cpu": {"above": 70}, rule: {"above": 90}}
    (problem,) = refuse(live, config({"blue": 100}, {"blue": {"autoscale": AUTOSCALE | {"rules": rules}}}))
    assert problem.startswith(
        f"sluice:endpoints.fraud.deployments.blue.autoscale.rules.{rule} needs a VM size with GPUs, and "
        "Standard_DS3_v2 has none. Remove the rule in Pulumi.dev.yaml"
    )


def test_a_rule_on_gpus_is_taken_on_a_size_with_gpus(live: FakeAzure, model: dict[str, Model]) -> None:
    rules = {"gpu": {"above": 90}, "gpu_memory": {"above": 95}}
    green = {"sku": "standard_nc4as_t4_v3", "autoscale": AUTOSCALE | {"rules": rules}}
    model["fraud"] = model_of(deployment_spec("blue"), deployment_spec("green"))
    scaled = declare(live, config({"blue": 100}, {"green": green})).endpoints[0].deployments[1].autoscale
    assert scaled is not None
    assert scaled.rules is not None


def test_the_stacks_size_is_part_of_the_release(live: FakeAzure, model: dict[str, Model]) -> None:
    (problem,) = refuse(live, config({"blue": 100}, {"blue": {"sku": "Standard_F4s_v2"}}))
    assert "must keep its release" in problem


def test_a_stack_that_serves_cannot_get_another_team(live: FakeAzure) -> None:
    """Nothing exists under the new names, so the last update's outputs name the place, and Azure what is live there."""
    left = f"{live.names.workspace_id}/onlineEndpoints/fraud-dev"
    live.outputs = {"endpoints": {"fraud": {"id": left}, "odd": "text", "gone": {"id": f"{left}-gone"}}}
    (problem,) = refuse(live, config({"blue": 100}, team="fraud"))
    assert problem.startswith(
        "sluice:team and the stack's name cannot change while an endpoint named after them serves, got"
    )
    assert 'got "fraud" and "dev"' in problem
    assert f"{left} has weights (blue=100)" in problem


@pytest.mark.parametrize("serving", [True, False])
def test_a_stack_that_exists_cannot_get_another_environment(
    azure: FakeAzure, model: dict[str, Model], serving: bool
) -> None:
    azure.add_group()
    azure.add_workspace(tags={"sluice:team": "payments", "sluice:stack": "dev"})
    azure.add_endpoint("fraud-dev", traffic={"blue": 100} if serving else {})
    (problem,) = refuse(azure, config(environment="test"))
    assert problem.startswith('sluice:environment must stay "dev" while the stack exists, got "test": the environment')
    assert f"everything would be recreated and {azure.names.workspace_id} deleted" in problem
    assert problem.endswith(
        "Remove sluice:environment from Pulumi.dev.yaml. For another environment, create another stack; to take this "
        "one down first, run `sluice remove --stack dev` with the old environment."
    )


def test_the_environment_of_the_last_update_is_found_by_its_outputs(azure: FakeAzure, model: dict[str, Model]) -> None:
    azure.names = replace(azure.names, environment="test")
    azure.add_group(tags={"sluice:team": "payments", "sluice:stack": "dev"})
    azure.add_workspace(tags={"sluice:team": "payments", "sluice:stack": "dev", "sluice:environment": "test"})
    azure.outputs = {"workspace": {"id": azure.names.workspace_id}}
    (problem,) = refuse(azure, config())
    assert problem.startswith('sluice:environment must stay "test" while the stack exists, got "dev"')
    assert "Write sluice:environment: test into Pulumi.dev.yaml." in problem
    declare(azure, config(environment="test", endpoints={}, rollout={}))


def test_another_stacks_workspace_is_no_reason_to_keep_an_environment(
    azure: FakeAzure, model: dict[str, Model]
) -> None:
    azure.add_workspace(tags={"sluice:team": "payments", "sluice:stack": "other"})
    assert declare(azure, config(environment="test")).placement.names.environment == "test"


def test_a_workspace_that_the_caller_may_not_read_counts_as_absent(azure: FakeAzure, model: dict[str, Model]) -> None:
    """The first workspace is the stack's own, the second one that of its name."""
    forbidden = 'request failed /x: Status=403 Code="AuthorizationFailed" Message="no"'
    absent = 'request failed /x: Status=404 Code="ResourceGroupNotFound" Message="no"'
    azure.failures_first["azure-native:machinelearningservices:getWorkspace"] = [absent, forbidden]
    assert declare(azure, config(environment="test")).placement.names.environment == "test"


@pytest.mark.parametrize("read", [True, False])
def test_a_vault_that_an_endpoint_reads_gets_no_lock(live: FakeAzure, read: bool) -> None:
    vault = live.names.key_vault_id if read else live.names.key_vault_id + "x"
    endpoint = {"name": "fraud-dev", "deployments": {"blue": {}}, "secret_vaults": [vault]}
    declared = declare(live, config({"blue": 100}, locks=True, endpoints={"fraud": endpoint}))
    assert declared.locks == ({"logs"} if read else {"logs", "vault"})
    assert declare(live, config({"blue": 100})).locks == set()


def test_two_stacks_that_read_the_same_are_refused_in_the_first_generation(azure: FakeAzure) -> None:
    azure.names = Names(team="aa", stack="b-c", subscription_id=azure.names.subscription_id)
    azure.add_group(tags={"sluice:team": "aa-b", "sluice:stack": "c"})
    raw = {"team": "aa", "network": "public", "location": "westeurope"}
    (problem,) = refuse(azure, parse_settings(raw, stack="b-c", today=TODAY))
    assert problem.startswith(
        "resource group rg-aa-b-c belongs to stack c of team aa-b, and stack b-c of team aa has the"
    )
    assert "Set sluice:environment in Pulumi.b-c.yaml to another value" in problem
    declare(azure, parse_settings({**raw, "generation": 2}, stack="b-c", today=TODAY))


def test_the_generation_that_moves_the_group_is_refused_while_anything_serves(azure: FakeAzure) -> None:
    azure.names = Names(team="a-b", stack="dev", subscription_id=azure.names.subscription_id)
    azure.add_workspace(tags={"sluice:team": "a-b", "sluice:stack": "dev"})
    azure.add_endpoint("fraud-dev", traffic={"blue": 100})
    left = azure.names.endpoint_id("fraud-dev")
    azure.outputs = {"workspace": {"id": azure.names.workspace_id}, "endpoints": {"fraud": {"id": left}}}
    raw = {"team": "a-b", "network": "public", "location": "westeurope", "generation": 2}
    (problem,) = refuse(azure, parse_settings(raw, stack="dev", today=TODAY))
    assert problem.startswith(f"sluice:generation gives the stack other names while {left} has weights (blue=100)")


def test_a_vm_size_is_declared_as_azure_spells_it(live: FakeAzure) -> None:
    """Another spelling of a size once appeared as an update of the instance type, which cannot change in place."""
    (declaration,) = declare(live, config({"blue": 100}, {"blue": {"sku": "standard_ds3_V2"}})).endpoints
    assert declaration.deployments[0].instance_type == "Standard_DS3_v2"


def test_a_library_that_cannot_be_run_is_a_problem_and_no_traceback(
    azure: FakeAzure, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(asked: Any) -> Any:
        raise LibraryError("azure-ai-ml cannot be run: no module named azure. Install the requirements.lock again")

    monkeypatch.setattr(stack_module, "load_models", fail)
    assert refuse(azure, config())[0].startswith("azure-ai-ml cannot be run: no module named azure")


def test_an_endpoint_whose_files_are_refused_is_still_compared_with_what_is_live(
    live: FakeAzure, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All problems are reported at once, not only after the files are right."""
    problem = Problem(file="fraud/green.yml", where="", what="deployment green has no file", fix="Add green.yml")

    def load(folder: Path, deployments: Any) -> Model:
        raise ModelFilesError(folder.name, [problem])

    monkeypatch.setattr(stack_module, "load_models", each(load))
    settings = config(
        {"green": 100},
        endpoints={"fraud": {"name": "fraud-dev", "deployments": {"green": {}}}},
        rollout={"fraud": {"stable": "green", "traffic": {"green": 100}}},
    )
    first, removed, early = refuse(live, settings)
    assert first == f"models/{problem}"
    assert removed.startswith("sluice:endpoints.fraud.deployments.blue must stay declared")
    assert early.startswith("sluice:rollout.fraud.traffic.green must be 0 for now, got 100: green does not exist")


def test_files_that_are_refused_are_the_only_problem_of_an_endpoint_that_stays_as_it_is(
    live: FakeAzure, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(folder: Path, deployments: Any) -> Model:
        raise ModelFilesError(folder.name, [Problem(file="fraud/blue.yml", where="", what="broken", fix="Repair")])

    monkeypatch.setattr(stack_module, "load_models", each(load))
    settings = config({"blue": 100}, limits={"min_live_instances": 3})
    assert refuse(live, settings) == ("models/fraud/blue.yml: broken. Repair.",)


def test_more_instances_than_azure_allows_are_refused_in_the_az_ml_file_too(
    live: FakeAzure, model: dict[str, Model]
) -> None:
    model["fraud"] = model_of(deployment_spec("blue", instance_count=51))
    (problem,) = refuse(live, config({"blue": 100}))
    assert problem.startswith("models/fraud/blue.yml: instance_count must be at most 50")
    assert "got 51" in problem
    declare(live, config({"blue": 100}, {"blue": {"instances": 3}}))  # the stack file decides


SHARED_ID = "/subscriptions/s/resourceGroups/ml/providers/Microsoft.MachineLearningServices/registries/shared"


def test_registries_of_the_stack_file_are_declared_where_they_are_used(
    azure: FakeAzure, model: dict[str, Model]
) -> None:
    """Also before the workspace exists: a role takes minutes to become effective."""
    shared = AssetReference(reference="azureml://registries/Shared/models/m/versions/1")
    model["fraud"] = model_of(deployment_spec("blue", model=shared, code=None))
    model["other"] = model_of(deployment_spec("blue"))
    endpoints = {key: {"deployments": {"blue": {}}} for key in ("fraud", "other")}
    settings = config(existing={"ml_registries": {"shared": SHARED_ID}}, endpoints=endpoints, rollout={})
    fraud, other = declare(azure, settings).endpoints
    assert (fraud.registries, other.registries) == ({"shared": SHARED_ID}, {})


@pytest.mark.parametrize(
    ("tags", "owner"),
    [
        ({"sluice:stack": "Dev", "sluice:team": "payments"}, "stack Dev of team payments"),
        ({"sluice:stack": "dev", "sluice:team": "pay_ments"}, "stack dev of team pay_ments"),
    ],
)
def test_a_stack_whose_names_another_one_has_is_refused_with_the_owner_and_nothing_else(
    live: FakeAzure, tags: dict[str, str], owner: str
) -> None:
    live.add_group(tags=tags)
    (problem,) = refuse(live, config(traffic={"blue": 100}, location="northeurope"))  # a second fault
    assert problem.startswith(f"resource group rg-payments-dev belongs to {owner}, and stack dev of team payments has")


@pytest.mark.parametrize("tags", [{}, {"sluice:stack": "dev", "sluice:team": "payments"}, {"owner": "somebody"}])
def test_a_group_with_its_own_tags_or_none_belongs_to_this_stack(live: FakeAzure, tags: dict[str, str]) -> None:
    live.add_group(tags=tags)
    (endpoint,) = declare(live, config(traffic={"blue": 100})).endpoints
    assert endpoint.transition.traffic == {"blue": 100}


def test_an_update_from_another_branch_than_the_stacks_own_is_refused_and_a_preview_warns(
    live: FakeAzure, model: dict[str, Model], monkeypatch: pytest.MonkeyPatch
) -> None:
    warnings: list[str] = []
    monkeypatch.setattr("pulumi.log.warn", warnings.append)
    settings = config({"blue": 100}, branch="sluice/dev")
    (refusal,) = refuse(live, settings)
    assert "sluice:branch wants updates from the branch sluice/dev" in refusal
    assert "git fetch origin sluice/dev && git switch sluice/dev" in refusal
    deploy(lambda: declare_stack(settings, Path("models"), TODAY), live, preview=True)
    assert any("an update from here is refused" in line for line in warnings)


def test_an_update_on_the_stacks_own_branch_is_not_refused(tmp_path: Path) -> None:
    (tmp_path / "rollouts/dev").mkdir(parents=True)
    settings = config(branch="sluice/dev")
    assert branch_problem(settings, tmp_path) is not None
    (tmp_path / "rollouts/dev/source.json").write_text("{}")
    assert branch_problem(settings, tmp_path) is None
    assert branch_problem(config(), tmp_path / "elsewhere") is None


def test_with_require_proof_a_colour_gets_weight_only_with_a_line_of_proof_beside_its_document(
    live: FakeAzure, model: dict[str, Model], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    live.add_deployment("fraud-dev", "green", tags={"sluice:release": release(model["fraud"], "green")})
    content = "ab" * 32
    limits = {"limits": {"require_proof": "test"}}
    rising = config({"blue": 90, "green": 10}, {"green": {"release": content[:16]}}, **limits)
    (said,) = refuse(live, rising)
    assert said.startswith("sluice:rollout.fraud.traffic.green must not rise from 0 to 10 without a proof of test")
    assert f"its release {content[:16]} is proven in no stack" in said

    proof = Proof(
        **{"stack": "test", "endpoint": "fraud", "rollout": "20261127T140000Z-green", "head": "1" * 64},
        **{"content": content, "deployment": "2" * 16, "requests": 9, "errors": 0, "synthetic": False},
    )
    append_proof(tmp_path, "fraud", proof)
    assert declare(live, rising).endpoints[0].transition.traffic == {"blue": 90, "green": 10}

    proofs_path(tmp_path, "fraud", content).write_text("nonsense\n")
    (said,) = refuse(live, rising)
    assert "line 1 is not JSON" in said
    back = config({"blue": 100, "green": 0}, {"green": {"release": content[:16]}}, **limits)
    assert declare(live, back).endpoints[0].transition.traffic == {"blue": 100}
