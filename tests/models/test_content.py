"""One digest for one content, on every machine."""

import errno
import os
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest

from models import content
from models.content import ContentError, file_digest, local_asset
from models.spec import AssetKind

# Fixed, because a change of the algorithm would make every published release unknown.
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


def test_modes_do_not_count_and_a_link_counts_as_what_it_leads_to(tmp_path: Path) -> None:
    plain = folder_with(tmp_path / "plain", a="1", b="2")
    linked = folder_with(tmp_path / "linked", a="1")
    (tmp_path / "elsewhere.py").write_text("2")
    (linked / "b").symlink_to(tmp_path / "elsewhere.py")
    assert digest(linked) == digest(plain)
    (plain / "a").chmod(0o755)
    assert digest(linked) == digest(plain)


def test_a_carriage_return_counts_and_so_does_a_pointer_in_place_of_a_file(tmp_path: Path) -> None:
    """Bytes are never normalised; freezing refuses what the commit does not have (`committed_files.py`)."""
    contents = (b"a\nb\n", b"a\r\nb\r\n", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 4\n")
    found = set()
    for number, each in enumerate(contents):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "a.py").write_bytes(each)
        found.add(digest(tmp_path / str(number)))
    assert len(found) == 3


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
    with pytest.raises(ContentError, match="gone is a link to something that does not exist"):
        digest(folder)


def test_a_large_unchanged_file_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content, "LARGE_FILE_BYTES", 4)
    file = tmp_path / "model.bin"
    file.write_bytes(b"12345678")
    first = file_digest(file)
    with monkeypatch.context() as patch:
        patch.setattr(content, "remember", lambda *_: pytest.fail("the file was read again"))
        assert file_digest(file) == first
    file.write_bytes(b"87654321")  # the same size
    assert file_digest(file) != first


def test_what_cannot_be_uploaded_is_named_and_not_waited_for(tmp_path: Path) -> None:
    """A preview once hung at a pipe, and ended in a traceback at a name that is not UTF-8."""
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


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    """A model's folder that is itself its code and its model."""
    return folder_with(tmp_path / "shop", endpoint_dot_yml="name: shop\n", blue_dot_yml="", score_dot_py="1", w="2")


@pytest.mark.parametrize("kind", [AssetKind.CODE, AssetKind.MODEL])
@pytest.mark.parametrize("inside", ["shop", "."])
def test_what_this_program_records_is_never_part_of_what_it_publishes(
    inside: str, kind: AssetKind, whole: Path
) -> None:
    """The lock is in the model's folder; if it were content, each publication would require the next one."""
    asset = whole if inside == "shop" else whole.parent
    before = digest(asset, kind)
    (whole / "release.lock.yml").write_text("stacks: {}\n")
    (whole / ".release.lock.yml.abc123.tmp").write_text("half")
    folder_with(whole / "releases", green_dot_yml="pinned: true\n", old__blue_dot_yml="x")
    assert digest(asset, kind) == before


def test_a_folder_called_releases_elsewhere_is_content(tmp_path: Path) -> None:
    folder = folder_with(tmp_path / "src", score_dot_py="1", releases__names_dot_csv="a")
    assert local_asset(AssetKind.CODE, folder, "code").files == ("releases/names.csv", "score.py")


def hostile(folder: Path, name: str) -> None:
    """Put what cannot be uploaded, opened or followed below folder/name."""
    place = folder / name
    place.mkdir()
    os.mkfifo(place / "pipe")
    (place / "broken").symlink_to(place / "nowhere")
    (place / "loop").symlink_to(folder)
    (place / "itself").symlink_to(place / "itself")
    Path(os.fsdecode(os.fsencode(place) + b"/\xff")).write_text("", encoding="utf-8")


@pytest.mark.parametrize("ignore_file", [".amlignore", ".gitignore"])
@pytest.mark.parametrize("line", ["data", "data/", "/data", "data/**", "dat*", "*\n!score.py\n!.*ignore"])
def test_what_is_ignored_is_neither_opened_nor_followed_nor_refused(
    line: str, ignore_file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = folder_with(tmp_path / "src", score_dot_py="1")
    hostile(folder, "data")
    (folder / ignore_file).write_text(f"{line}\n")
    listed: list[Path] = []
    real = Path.iterdir
    monkeypatch.setattr(Path, "iterdir", lambda self: listed.append(self) or real(self))
    assert local_asset(AssetKind.CODE, folder, "code").files == (ignore_file, "score.py")
    assert [path.name for path in listed if path.is_symlink()] == []
    if "!" not in line and "**" not in line:
        assert listed == [folder]


@pytest.mark.parametrize(
    ("line", "target"),
    # A pattern that ends in a slash matches only folders, as in git; a dangling link is not a folder.
    [*product(["link", "li*"], ["folder", "circle", "nothing", "itself"]), ("link/", "folder"), ("link/", "circle")],
)
def test_an_ignored_link_is_not_followed(line: str, target: str, tmp_path: Path) -> None:
    folder = folder_with(tmp_path / "src", score_dot_py="1")
    outside = folder_with(tmp_path / "outside", secret="x")
    place = {"folder": outside, "circle": folder, "nothing": tmp_path / "gone", "itself": folder / "link"}[target]
    (folder / "link").symlink_to(place)
    (folder / ".amlignore").write_text(f"{line}\n")
    assert local_asset(AssetKind.CODE, folder, "code").files == (".amlignore", "score.py")


def test_an_ignored_folder_that_cannot_be_read_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = folder_with(tmp_path / "src", score_dot_py="1", data__a="2")
    real = Path.iterdir

    def refuse(self: Path) -> Iterator[Path]:
        if self.name == "data":
            raise PermissionError(errno.EACCES, "Permission denied")  # chmod would not keep root out
        return real(self)

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(ContentError, match="data/ cannot be read"):
        digest(folder)
    for lines in ("data/\n", "data/\n!score.py\n"):
        (folder / ".amlignore").write_text(lines)
        assert local_asset(AssetKind.CODE, folder, "code").files == (".amlignore", "score.py")


def test_a_file_that_a_later_line_takes_back_is_uploaded_as_in_az_ml(tmp_path: Path) -> None:
    folder = folder_with(tmp_path / "src", score_dot_py="1", data__keep_dot_csv="2", data__b_dot_csv="3")
    (folder / ".amlignore").write_text("data/\n!data/keep.csv\n")
    assert local_asset(AssetKind.CODE, folder, "code").files == (".amlignore", "data/keep.csv", "score.py")


@pytest.mark.parametrize("content", [b"\xff\xfe\n", b"!\n", b"[z-a]\n"])
def test_an_ignore_file_that_cannot_be_understood_is_named(content: bytes, tmp_path: Path) -> None:
    folder = folder_with(tmp_path / "src", score_dot_py="1")
    (folder / ".amlignore").write_bytes(content)
    with pytest.raises(ContentError, match=r"\.amlignore is not a valid ignore file"):
        digest(folder)
