"""One folder for everything that can be recreated."""

from pathlib import Path

from cache_folder import cache_folder


def test_the_cache_is_where_xdg_points_and_never_relative() -> None:
    assert cache_folder({"XDG_CACHE_HOME": "/elsewhere"}) == Path("/elsewhere/sluice")
    assert cache_folder({"XDG_CACHE_HOME": "relative"}) == Path.home() / ".cache" / "sluice"
    assert cache_folder({}) == Path.home() / ".cache" / "sluice"
