"""The autoscale settings of one endpoint's deployments in Azure: `ports.Autoscale`, one request each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from command_errors import CommandError, UnavailableError
from resource_manager.client import ArmClient
from rollout.instances import Numbers, numbers_of_profiles

API_VERSION = "2022-10-01"


@dataclass(frozen=True)
class ArmAutoscale:
    """The settings by deployment; `setting_id` gives the ARM id of a deployment's setting."""

    arm: ArmClient
    setting_id: Callable[[str], str]

    def numbers(self, deployment: str) -> Numbers | None:
        """Minimum, maximum and default of each profile; None if Azure says 404. Raises UnavailableError."""
        setting_id = self.setting_id(deployment)
        try:
            found = self.arm.get(setting_id, API_VERSION)
            return None if found is None else numbers_of_profiles(found["properties"]["profiles"])
        except CommandError as error:
            raise error if isinstance(error, UnavailableError) else UnavailableError(str(error)) from error
        except (KeyError, TypeError, ValueError) as error:
            raise UnavailableError(
                f"Azure's answer about {setting_id} lacks the numbers that every profile has ({error}). Try again; a "
                "proxy may have answered in its place."
            ) from error
