"""An empty Azure, as the stage before the components finds it."""

from __future__ import annotations

import pytest

from tests.components.conftest import placement_of
from tests.components.engine import FakeAzure


@pytest.fixture
def azure() -> FakeAzure:
    return FakeAzure(placement_of("dev").names)
