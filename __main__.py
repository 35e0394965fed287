"""The Pulumi program: settings, then the assessment of the change, then components, then exports."""

import gc

gc.disable()  # the program imports megabytes of generated classes, and this takes half of its time (measured)

from datetime import date
from pathlib import Path

import pulumi

from assessment.stack import declare_stack
from components.exports import export_outputs
from components.online_endpoint import OnlineEndpoint, OnlineEndpointArgs
from components.platform import Platform, PlatformArgs
from components.tags import TagKeeper
from components.version_aliases import omit_version_aliases
from settings import load_settings

omit_version_aliases()
today = date.today()
settings = load_settings(today)
declaration = declare_stack(settings, models_folder=Path(__file__).parent / "models", today=today)
tags = TagKeeper(declaration)
platform = Platform(
    "platform",
    PlatformArgs(
        placement=declaration.placement,
        network=declaration.network,
        existing=declaration.existing,
        access=settings.access,
        protection=declaration.protection,
        undeclared_rules=declaration.undeclared_rules,
        monitor_scope_provider=declaration.monitor_scope_provider,
        protect=declaration.protect,
        protect_vault=settings.protect,
        locks=declaration.locks,
        compute=settings.compute,
        storage_redundancy=settings.storage.redundancy,
        role_delay_seconds=declaration.role_delay_seconds,
        group_tags=declaration.group_tags,
        record_tags=declaration.record_tags,
    ),
)
endpoints = {
    endpoint.key: OnlineEndpoint(
        endpoint.key,
        OnlineEndpointArgs(
            host=platform.host, enable_public_access=declaration.network.is_public, declaration=endpoint
        ),
        opts=pulumi.ResourceOptions(depends_on=[platform], transformations=[platform.after_identity]),
    )
    for endpoint in declaration.endpoints
}

export_outputs(platform, endpoints, tags.written())

gc.freeze()  # the interpreter collects once more at its end
