"""The copy of a stack file: without the real stack's encryption, edits kept, the repository untouched."""

from pathlib import Path

import pytest
import yaml

from command_errors import UnavailableError, UsageError
from rehearsal import stack_copy
from rehearsal.home import LocalHome

STACK_FILE = """\
secretsprovider: azurekeyvault://vault/key
encryptedkey: abc
config:
  sluice:team: payments  # kept
encryptionsalt: v1:real
"""


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "checkout"
    root.mkdir()
    (root / "Pulumi.yaml").write_text("name: sluice\nruntime: python\n")
    (root / "Pulumi.dev.yaml").write_text(STACK_FILE)
    monkeypatch.chdir(root)

    def init(folder: Path, stack: str, environment: object) -> None:
        with (folder / f"Pulumi.{stack}.yaml").open("a") as file:
            file.write("encryptionsalt: v1:copy\n")

    monkeypatch.setattr(stack_copy, "create_stack", init)
    return root


@pytest.fixture
def home(tmp_path: Path) -> LocalHome:
    return LocalHome(tmp_path / "home")


def mark_created(home: LocalHome) -> None:
    state = home.state / ".pulumi" / "stacks" / "sluice" / "dev.json"
    state.parent.mkdir(parents=True)
    state.write_text("{}")


def test_the_copy_has_the_copys_salt_and_none_of_the_real_encryption(checkout: Path, home: LocalHome) -> None:
    copied = stack_copy.copy_stack(home, "dev", {}, fresh=False)
    text = copied.file.read_text()
    assert copied.file.is_relative_to(home.path)
    assert "# kept" in text
    assert "v1:copy" in text
    for word in ("secretsprovider", "encryptedkey", "v1:real"):
        assert word not in text
    assert (checkout / "Pulumi.dev.yaml").read_text() == STACK_FILE
    assert any("edits the copy" in note for note in copied.notes)


def test_edits_of_the_copy_survive_unless_it_is_made_fresh_and_its_salt_always_does(
    checkout: Path, home: LocalHome
) -> None:
    file = stack_copy.copy_stack(home, "dev", {}, fresh=False).file
    mark_created(home)
    file.write_text(file.read_text().replace("payments", "edited"))
    assert "edited" in stack_copy.copy_stack(home, "dev", {}, fresh=False).file.read_text()
    text = stack_copy.copy_stack(home, "dev", {}, fresh=True).file.read_text()
    assert "edited" not in text
    assert text.count("encryptionsalt: v1:copy") == 1


def test_encrypted_values_are_left_out_and_named() -> None:
    text, dropped = stack_copy.without_encryption(
        "config:\n  sluice:team: a\n  sluice:token:\n    secure: v1:x\n"
        "  sluice:nested:\n    inner: {secure: v1:y}\n    b: 1\n"
    )
    assert dropped == ["sluice:token", "sluice:nested.inner"]
    assert yaml.safe_load(text) == {"config": {"sluice:team": "a", "sluice:nested": {"b": 1}}}


def test_only_stacks_whose_file_can_be_copied_are_named(checkout: Path, home: LocalHome) -> None:
    (checkout / "Pulumi.old.yaml").symlink_to("gone.yaml")
    (checkout / "Pulumi.folder.yaml").mkdir()
    with pytest.raises(UsageError, match=r"Stacks with a file: dev\.$"):
        stack_copy.copy_stack(home, "old", {}, fresh=False)


@pytest.mark.parametrize(("stack", "reason"), [("prod", "Stacks with a file: dev"), ("../dev", "is not a stack name")])
def test_a_stack_without_a_file_is_refused(checkout: Path, home: LocalHome, stack: str, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        stack_copy.copy_stack(home, stack, {}, fresh=False)
    assert not home.stacks.exists() or not list(home.stacks.rglob("*.yaml"))


BROKEN = [
    (b"config:\n\tsluice:team: a\n", "line 2"),
    (b"config:\n  sluice:team: a\n  sluice:team: b\n", "'sluice:team' appears twice, first in line 2"),
    (b"config:\n  sluice:limits: {max_step: 1,\n    max_step: 2}\n", "line 3: the key 'max_step'"),
    (b"config: {}\nconfig: {}\n", "line 2: the key 'config'"),
    (b"# Z\xfcrich\nconfig: {}\n", "not UTF-8: line 1 has the byte 0xfc"),
    (b"config: []\n", "`config` in it must be a mapping of keys to values"),
    (b"- config\n", "it must be a mapping of keys to values"),
    (b"config: {a:b: 1\n", "line 2"),
    (b"config:\n  sluice:team: a\x00\n", "not YAML"),
]


@pytest.mark.parametrize(("content", "reason"), BROKEN)
def test_a_file_that_pulumi_cannot_read_is_refused_by_its_own_name_and_not_copied(
    checkout: Path, home: LocalHome, content: bytes, reason: str
) -> None:
    file = checkout / "Pulumi.dev.yaml"
    file.write_bytes(content)
    with pytest.raises(UsageError) as refused:
        stack_copy.copy_stack(home, "dev", {}, fresh=False)
    assert reason in str(refused.value)
    assert str(file) in str(refused.value)
    assert not list(home.path.rglob("Pulumi.dev.yaml"))
    file.write_text(STACK_FILE)
    assert "payments" in stack_copy.copy_stack(home, "dev", {}, fresh=False).file.read_text()


def test_a_file_that_only_pulumi_finds_fault_with_is_not_kept_either(
    checkout: Path, home: LocalHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(folder: Path, stack: str, environment: object) -> None:
        raise UnavailableError("error: could not read stack configuration for new stack: something new")

    monkeypatch.setattr(stack_copy, "create_stack", refuse)
    with pytest.raises(UsageError, match=r"checkout/Pulumi\.dev\.yaml.*something new"):
        stack_copy.copy_stack(home, "dev", {}, fresh=False)
    assert not list(home.path.rglob("Pulumi.dev.yaml"))


def test_a_copy_that_was_broken_by_hand_is_named_with_the_way_back(checkout: Path, home: LocalHome) -> None:
    copy = stack_copy.copy_stack(home, "dev", {}, fresh=False).file
    for content, _ in BROKEN:
        copy.write_bytes(content)
        with pytest.raises(UsageError, match=r"home/stacks.*--stack dev --fresh"):
            stack_copy.copy_stack(home, "dev", {}, fresh=False)
    assert "payments" in stack_copy.copy_stack(home, "dev", {}, fresh=True).file.read_text()


def test_a_stack_that_exists_only_in_the_rehearsal_is_found_again(checkout: Path, home: LocalHome) -> None:
    copy = stack_copy.copy_stack(home, "dev", {}, fresh=False).file
    renamed = copy.rename(copy.with_name("Pulumi.dev2.yaml"))
    assert stack_copy.copy_stack(home, "dev2", {}, fresh=False).file == renamed


def test_the_copies_have_a_project_file_that_runs_the_repositorys_program(checkout: Path, home: LocalHome) -> None:
    options = "{virtualenv: .venv}"
    (checkout / "Pulumi.yaml").write_text(f"name: sluice\nruntime: {{name: python, options: {options}}}\n")
    project = yaml.safe_load((stack_copy.prepare_folder(home, checkout) / "Pulumi.yaml").read_text())
    assert project == {
        "name": "sluice",
        "main": str(checkout),
        "runtime": {"name": "python", "options": {"virtualenv": str(checkout / ".venv")}},
    }


def test_a_rehearsal_writes_to_no_branch(checkout: Path, home: LocalHome) -> None:
    lines = ("config:", "  sluice:branch: sluice/dev", "  sluice:after: qa", "  sluice:team: ml")
    (checkout / "Pulumi.dev.yaml").write_text("\n".join(lines) + "\n")
    text = stack_copy.copy_stack(home, "dev", {}, fresh=False).file.read_text()
    assert yaml.safe_load(text)["config"] == {"sluice:team": "ml"}
