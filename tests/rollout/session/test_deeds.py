"""What people say to a rollout, in one command."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from command_errors import CommandError
from exit_codes import ExitCode
from rollout.session import deeds


@pytest.mark.parametrize(
    ("code", "raised"), [(ExitCode.UNAVAILABLE, ExitCode.UNAVAILABLE), (ExitCode.DONE, ExitCode.WAITING)]
)
def test_no_rollout_starts_in_the_place_of_one_that_is_not_back(
    code: ExitCode, raised: ExitCode, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = SimpleNamespace(is_over=False, id="20261127T140000Z-green")
    tick = SimpleNamespace(state=state, exit_code=code, text="Azure has blue 100 %; the file has yet to follow.")
    monkeypatch.setattr(deeds, "go_back", lambda *_, **__: (tick, None))
    site: Any = SimpleNamespace(is_under_way=lambda: True)
    screen: Any = None
    with pytest.raises(CommandError, match="no rollout was started, because 20261127T140000Z-green is still") as error:
        deeds.supersede(site, screen)
    assert error.value.exit_code is raised
    assert str(error.value).endswith("Azure has blue 100 %; the file has yet to follow.")
