"""The SDK's aliases per API version are removed; an alias that a developer sets stays."""

from typing import Any

import pulumi

from components.version_aliases import _omit


def _aliases_after(*aliases: Any, type_: str = "azure-native:storage:StorageAccount") -> Any:
    opts = pulumi.ResourceOptions(aliases=list(aliases))
    args = pulumi.ResourceTransformationArgs(
        resource=None,  # type: ignore[arg-type]  # the transformation does not look at it
        type_=type_,
        name="account",
        props={},
        opts=opts,
    )
    _omit(args)
    return opts.aliases


def test_aliases_that_only_name_another_api_version_are_left_out() -> None:
    of_the_sdk = pulumi.Alias(type_="azure-native:storage/v20230101:StorageAccount")
    assert _aliases_after(of_the_sdk) == []


def test_an_alias_for_a_renamed_resource_stays() -> None:
    renamed = pulumi.Alias(name="old-name")
    urn = "urn:pulumi:dev::sluice::azure-native:storage:StorageAccount::old"
    assert _aliases_after(renamed, urn) == [renamed, urn]


def test_resources_of_others_are_left_alone() -> None:
    alias = pulumi.Alias(type_="sluice:index:Old")
    assert _aliases_after(alias, type_="sluice:index:Platform") == [alias]
