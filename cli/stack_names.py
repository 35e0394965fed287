"""The names of a stack's resources in Azure, from its file and the environment, as the program computes them.

Nothing is asked: neither Azure nor the state, which after a failed or interrupted update do not know everything.
"""

from typing import TYPE_CHECKING

from cli.stack_file import read_settings

if TYPE_CHECKING:
    from naming import Names
    from settings import Settings


def read_names(stack: str) -> "tuple[Settings, Names]":
    """Settings and names of a stack. Raises UsageError or SettingsError when its file or the subscription is wrong."""
    settings, subscription = read_settings(stack)
    return settings, settings.names(subscription)
