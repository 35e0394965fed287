"""The config of the bootstrap project: subjects per job, and every refusal with its fix."""

from __future__ import annotations

from typing import Any

import pytest

from bootstrap.environment import GITHUB_ISSUER, Environment, read_environment
from bootstrap.outside import ids_outside
from stack_config import StackConfig

FILE = "bootstrap/Pulumi.payments-prod.yaml"
SUBSCRIPTION = "/subscriptions/00000000-0000-4000-8000-00000000abcd"
ZONE = f"{SUBSCRIPTION}/resourceGroups/hub/providers/Microsoft.Network/privateDnsZones/privatelink.azurecr.io"
LEAST: dict[str, Any] = {
    "location": "westeurope",
    "team": "payments",
    "environment": "prod",
    "github": {"subject_prefixes": ["repo:acme@1/models@2"]},
}


def environment(**keys: Any) -> Environment:
    found, problems = read_environment({**LEAST, **keys}, file=FILE)
    assert problems == []
    assert found is not None
    return found


def refusals(**keys: Any) -> list[str]:
    found, problems = read_environment({**LEAST, **keys}, file=FILE)
    assert found is None
    return [str(problem) for problem in problems]


def test_github_has_one_subject_per_repository_stack_and_job() -> None:
    one = environment(github={"subject_prefixes": ["repo:acme@1/models@2", "repo:acme@1/more@3"]})
    assert {subject.issuer for subject in one.subjects("deploy")} == {GITHUB_ISSUER}
    assert [subject.subject for subject in one.subjects("preview")] == [
        "repo:acme@1/models@2:environment:payments-prod-preview",
        "repo:acme@1/more@3:environment:payments-prod-preview",
    ]
    assert [subject.subject for subject in one.subjects("deploy")] == [
        "repo:acme@1/models@2:environment:payments-prod",
        "repo:acme@1/more@3:environment:payments-prod",
    ]


def test_issuer_and_subjects_of_azure_devops_are_taken_as_given() -> None:
    given = {"issuer": "https://login.microsoftonline.com/t/v2.0", "preview": ["/eid1/a"], "deploy": ["/eid1/b"]}
    one = environment(github=None, azure_devops=given)
    assert [(each.issuer, each.subject) for each in one.subjects("deploy")] == [(given["issuer"], "/eid1/b")]
    assert [each.subject for each in one.subjects("preview")] == ["/eid1/a"]


def test_more_subjects_than_an_identity_can_have_are_refused() -> None:
    stacks = [f"payments-{number}" for number in range(21)]
    assert environment(stacks=stacks[:20])
    preview, deploy = refusals(stacks=stacks)
    assert preview == (
        f"{FILE}: stacks and repositories give 21 subjects for preview, and Azure accepts 20 federated credentials for "
        "one identity. Bootstrap some of the stacks or repositories as another environment."
    )
    assert "21 subjects for deploy" in deploy


def test_a_subject_that_may_preview_must_not_deploy() -> None:
    (refusal,) = refusals(stacks=["prod", "prod-preview"])
    assert "repo:acme@1/models@2:environment:prod-preview would be accepted for preview and for deploy" in refusal


def test_an_environment_without_pipelines_is_refused() -> None:
    (refusal,) = refusals(github=None)
    assert refusal.startswith(f"{FILE}: neither github nor azure_devops is set")


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        (
            {"team": "Payments"},
            "team must be lower-case letters, digits and single dashes, starting with a letter",
        ),
        ({"colour": "red"}, "colour is not a known key"),
        ({"groups": ["scientists"]}, 'groups[0] must be the object id of an Entra group, a GUID, got "scientists"'),
        ({"outside": ["hub"]}, "outside must be ARM ids of resources"),
        ({"github": {"subject_prefixes": []}}, "github.subject_prefixes must have at least 1 entry"),
        ({"github": {"subject_prefixes": ["repo:a b"]}}, "github.subject_prefixes[0] must be without spaces"),
    ],
)
def test_what_is_wrong_is_named_with_its_key(keys: dict[str, Any], text: str) -> None:
    assert any(text in refusal for refusal in refusals(**keys)), refusals(**keys)


def test_everything_wrong_is_reported_together() -> None:
    assert len(refusals(team="X", environment="", location="West Europe")) >= 3


def test_the_ids_of_a_stack_file_that_lie_in_other_groups_are_found() -> None:
    own = f"{SUBSCRIPTION}/resourceGroups/rg-payments-prod"
    network = {
        "mode": "private",
        "address_space": "10.1.0.0/22",
        "dns": {"privatelink.azurecr.io": ZONE},
        "outbound": {
            "ours": {"resource": f"{own}/providers/Microsoft.Storage/storageAccounts/own", "subresource": "blob"},
            "data": {"resource": ZONE.replace("/hub/", "/data/"), "subresource": "blob"},
        },
    }
    config = StackConfig.model_validate({"team": "payments", "network": network}, strict=False)
    assert ids_outside(config, own.upper()) == (ZONE.replace("/hub/", "/data/"), ZONE)
