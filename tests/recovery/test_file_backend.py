"""What a killed CLI leaves in a folder."""

from pathlib import Path

from recovery.file_backend import FileBackend
from tests.recovery.lock_files import write_lock


def test_locks_are_found_and_removed_with_their_attributes(tmp_path: Path) -> None:
    file = write_lock(tmp_path, pid=7)
    attributes = file.with_name("7.json.attrs")
    attributes.write_text("{}")
    backend = FileBackend(tmp_path)
    (lock,) = backend.locks("sluice", "dev")
    assert (lock.name, lock.pid) == (str(file), 7)
    assert backend.locks("sluice", "prod") == []
    backend.remove(lock)
    assert not file.exists()
    assert not attributes.exists()
    backend.remove(lock)


def test_a_lock_that_is_just_being_written_is_no_lock_yet(tmp_path: Path) -> None:
    write_lock(tmp_path, pid=1).write_text('{"pid": 1')
    assert FileBackend(tmp_path).locks("sluice", "dev") == []


def test_only_what_a_killed_update_was_writing_is_broken(tmp_path: Path) -> None:
    folder = tmp_path / ".pulumi" / "stacks" / "sluice"
    folder.mkdir(parents=True)
    for name, text in {
        "dev.json": "{}",
        "dev.json.attrs": "",
        "dev.json.bak.attrs": '{"md5": ""}',
        "dev.json.18f.tmp": "{",
        "prod.json.attrs": "",
    }.items():
        (folder / name).write_text(text)
    backend = FileBackend(tmp_path)
    assert backend.remove_broken_files("sluice", "dev") == ["dev.json.18f.tmp", "dev.json.attrs"]
    assert sorted(file.name for file in folder.iterdir()) == ["dev.json", "dev.json.bak.attrs", "prod.json.attrs"]
