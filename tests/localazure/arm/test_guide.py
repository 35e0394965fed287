"""The example in docs/local-azure.md, run as a reader would run it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration

GUIDE = Path(__file__).parents[3] / "docs" / "local-azure.md"


def test_the_example_of_the_guide_passes(tmp_path):
    (example,) = re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    (tmp_path / "test_doubler.py").write_text(example)
    sluice = [sys.executable, "-m", "cli.main", "local"]
    home = ["--home", str(tmp_path / "azure")]
    subprocess.run([*sluice, "start", *home], check=True, cwd=GUIDE.parents[1], capture_output=True)
    try:
        led_there = f'eval "$({" ".join([*sluice, "env", *home])})"'
        script = f'{led_there}; cd {tmp_path}; exec "$0" -m pytest -q -W ignore test_doubler.py'
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
        done = subprocess.run(
            ["sh", "-c", script, sys.executable], cwd=GUIDE.parents[1], env=environment, capture_output=True, text=True
        )
        assert "1 passed" in done.stdout, done.stdout + done.stderr
    finally:
        subprocess.run([*sluice, "stop", *home], check=True, cwd=GUIDE.parents[1], capture_output=True)
