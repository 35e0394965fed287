"""What a damaged server.json says: nothing."""

from pathlib import Path

import pytest

from rehearsal.home import LocalHome


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "{}", '{"pid": "x"}', '{"pid": null, "https": 1}', "\xff"])
def test_what_is_no_record_is_no_server(tmp_path: Path, text: str) -> None:
    home = LocalHome(tmp_path)
    home.server_file.write_bytes(text.encode("latin-1"))
    assert home.record() is None
    assert home.server() is None
