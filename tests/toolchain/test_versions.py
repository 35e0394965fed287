"""Versions as programs print them."""

import pytest

from toolchain.versions import of_program, parse, show


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("v3.259.0\n", (3, 259, 0)),
        ("3.259.0-alpha.1a2b", (3, 259, 0)),
        ("go1.26.8", (1, 26, 8)),
        ("go1.26", (1, 26, 0)),
        ("uv 0.13.9 (x86_64-unknown-linux-gnu)", (0, 13, 9)),
        ("Python 3.11.7", (3, 11, 7)),
        ("no number here", None),
        ("", None),
    ],
)
def test_a_version_is_read_from_what_programs_print(text: str, version: tuple[int, int, int] | None) -> None:
    assert parse(text) == version


def test_a_version_is_shown_with_dots() -> None:
    assert show((3, 259, 0)) == "3.259.0"


def test_a_program_that_fails_or_is_missing_has_no_version() -> None:
    assert of_program(["/bin/sh", "-c", "echo 1.2.3; exit 1"]) is None
    assert of_program(["/nowhere/at/all"]) is None
    assert of_program(["/bin/sh", "-c", "echo 1.2.3"]) == (1, 2, 3)
