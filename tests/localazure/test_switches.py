"""The table of switches and the server's own command line agree."""

from __future__ import annotations

import pytest

from localazure.command_line import server_parser
from localazure.switches import SERVER_SWITCHES, Switch


@pytest.mark.parametrize("switch", SERVER_SWITCHES, ids=lambda switch: switch.name)
def test_help_shows_each_switch_as_the_table_has_it(switch: Switch) -> None:
    (action,) = (one for one in server_parser()._actions if switch.name in one.option_strings)
    assert action.help == switch.meaning
    assert (action.nargs != 0) == bool(switch.value)
    if action.choices:
        assert "|".join(action.choices) == switch.value
    assert (action.default == []) == switch.repeatable


def test_the_table_has_every_switch_that_a_rehearsal_can_choose() -> None:
    own = {"--help", "--home", "--environments", "--host"}
    found = {one.option_strings[-1] for one in server_parser()._actions}
    assert found - own == {switch.name for switch in SERVER_SWITCHES}
