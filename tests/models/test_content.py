"""One digest for one content, on every machine."""

import os
from pathlib import Path

import pytest

from models import content
from models.content import ContentError, file_digest, local_asset
from models.spec import AssetKind

# Written down: a change of the algorithm would make every published release unknown.
KNOWN_CODE = "fd33f7f046dbfac3b5bfd8c364292dccc254fb3525a02cb1a646b60f28ff7dd4"


def folder_with(path: Path, **files: str) -> Path:
    for name, text in files.items():
        file = path / name.replace("__", "/").replace("_dot_", ".")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8", newline="\n")
    return path


def digest(path: Path, kind: AssetKind = AssetKind.CODE) -> str:
    return local_asset(kind, path, "code").digest


def test_the_digest_of_a_content_never_changes(tmp_path: Path) -> None:
    folder = folder_with(tmp_path / "src", score_dot_py="x = 1\n", lib__é_dot_py="y = 2\n")
    assert digest(folder) == KNOWN_CODE


def test_neither_time_nor_place_nor_order_matters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = folder_with(tmp_path / "one" / "src", a="1", B="2", b__c="3")
    second = folder_with(tmp_path / "two" / "code", b__c="3", B="2", a="1")
    os.utime(second / "a", (0, 0))
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    assert digest(first) == digest(second)
    assert local_asset(AssetKind.CODE, first, "code").files == ("B", "a", "b/c")


@pytest.mark.parametrize(
    "files",
    [{"a": "1", "b": "2", "c": "3"}, {"a": "1"}, {"a": "12", "b": ""}, {"b": "1", "a": "2"}, {"a": "1", "b": "3"}],
)
def test_every_change_of_content_is_another_digest(files: dict[str, str], tmp_path: Path) -> None:
    assert digest(folder_with(tmp_path / "x", **files)) != digest(folder_with(tmp_path / "y", a="1", b="2"))


def test_a_models_name_is_part_of_it_because_it_is_mounted_under_that_name(tmp_path: Path) -> None:
    blue, green = folder_with(tmp_path / "blue", a="1"), folder_with(tmp_path / "green", a="1")
    assert digest(blue, AssetKind.MODEL) != digest(green, AssetKind.MODEL)
    assert digest(blue, AssetKind.MODEL) != digest(blue)


def test_compiled_files_are_not_part_of_a_release(tmp_path: Path) -> None:
    folder = folder_with(tmp_path / "src", a="1")
    before = digest(folder)
    folder_with(folder, __pycache____a_dot_pyc="x", lib__b_dot_pyc="y")
    folder_with(folder / "__pycache__", a="x")
    assert digest(folder) == before


@pytest.mark.parametrize("name", [".amlignore", ".gitignore"])
def test_ignore_files_work_as_in_az_ml(name: str, tmp_path: Path) -> None:
    folder = folder_with(tmp_path / "src", score_dot_py="1", notes_dot_md="2", data__x_dot_csv="3")
    (folder / name).write_text("*.md\ndata/\n")
    assert local_asset(AssetKind.CODE, folder, "code").files == (name, "score.py")


def test_amlignore_wins_over_gitignore(tmp_path: Path) -> None:
    folder = folder_with(tmp_path / "src", a_dot_py="1", b_dot_md="2")
    (folder / ".gitignore").write_text("*.py\n")
    (folder / ".amlignore").write_text("*.md\n.gitignore\n")
    assert local_asset(AssetKind.CODE, folder, "code").files == (".amlignore", "a.py")


def test_an_empty_folder_is_nothing_to_publish(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    with pytest.raises(ContentError, match="src/ holds no file"):
        digest(tmp_path / "src")


def test_links_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    folder = folder_with(tmp_path / "src", a="1")
    (folder / "b").symlink_to(folder / "a")
    assert digest(folder) == digest(folder_with(tmp_path / "other", a="1", b="1"))
    (folder / "loop").symlink_to(folder)
    with pytest.raises(ContentError, match="contains itself through a symbolic link"):
        digest(folder)


def test_a_broken_link_is_an_error_and_not_left_out(tmp_path: Path) -> None:
    folder = folder_with(tmp_path / "src", a="1")
    (folder / "gone").symlink_to(folder / "nowhere")
    with pytest.raises(ContentError, match="gone is a link to what does not exist"):
        digest(folder)


def test_a_large_unchanged_file_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content, "LARGE_FILE_BYTES", 4)
    file = tmp_path / "model.bin"
    file.write_bytes(b"12345678")
    first = file_digest(file)
    with monkeypatch.context() as patch:
        patch.setattr(content, "write_atomically", lambda *_: pytest.fail("the file was read again"))
        assert file_digest(file) == first
    file.write_bytes(b"87654321")  # the same size
    assert file_digest(file) != first


def test_what_cannot_be_uploaded_is_named_and_not_waited_for(tmp_path: Path) -> None:
    """A preview hung on a pipe, and ended in a traceback at a name that is not UTF-8."""
    folder = folder_with(tmp_path / "src", score_dot_py="x = 1\n")
    os.mkfifo(folder / "pipe")
    with pytest.raises(ContentError, match="pipe is neither a file nor a folder"):
        digest(folder)
    with pytest.raises(ContentError, match="pipe is neither a file nor a folder"):
        digest(folder / "pipe")
    (folder / ".amlignore").write_text("pipe\n", encoding="utf-8")
    digest(folder)
    Path(os.fsdecode(os.fsencode(folder) + b"/\xff")).write_text("", encoding="utf-8")
    with pytest.raises(ContentError, match=r"\\xff has a name that is not UTF-8"):
        digest(folder)
