"""The bootstrap program: its config, checked, then everything that one environment needs."""

import json

import pulumi
from pulumi.runtime.config import CONFIG
from pulumi_azure_native import authorization

from bootstrap.environment import STRUCTURED, read_environment
from bootstrap.program import declare
from components.version_aliases import omit_version_aliases


def raw_config() -> dict[str, object]:
    """The keys of the stack file, without their prefix."""
    raw: dict[str, object] = {}
    for full_key, text in CONFIG.get().items():
        namespace, _, key = full_key.partition(":")
        if full_key == "azure-native:location":
            raw["location"] = text
        elif namespace == "bootstrap":
            raw[key] = json.loads(text) if key in STRUCTURED else text
    return raw


file = f"bootstrap/Pulumi.{pulumi.get_stack()}.yaml"
environment, problems = read_environment(raw_config(), file=file)
if environment is None:
    lines = "".join(f"\n  {problem}" for problem in problems)
    raise pulumi.RunError(f"{file} has {len(problems)} problem{'s' * (len(problems) > 1)}; nothing was changed:{lines}")
omit_version_aliases()
caller = authorization.get_client_config()
declare(environment, subscription_id=caller.subscription_id, tenant_id=caller.tenant_id)
