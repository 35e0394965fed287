"""The copy of a stack file: without the real stack's encryption, edits kept, the repository untouched."""

from pathlib import Path

import pytest
import yaml

from cli import localstack
from cli.errors import UsageError
from cli.localhome import LocalHome

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

    monkeypatch.setattr(localstack, "create_stack", init)
    return root


@pytest.fixture
def home(tmp_path: Path) -> LocalHome:
    return LocalHome(tmp_path / "home")


def mark_created(home: LocalHome) -> None:
    state = home.state / ".pulumi" / "stacks" / "sluice" / "dev.json"
    state.parent.mkdir(parents=True)
    state.write_text("{}")


def test_the_copy_has_the_copys_salt_and_none_of_the_real_encryption(checkout: Path, home: LocalHome) -> None:
    copied = localstack.copy_stack(home, "dev", {}, fresh=False)
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
    file = localstack.copy_stack(home, "dev", {}, fresh=False).file
    mark_created(home)
    file.write_text(file.read_text().replace("payments", "edited"))
    assert "edited" in localstack.copy_stack(home, "dev", {}, fresh=False).file.read_text()
    text = localstack.copy_stack(home, "dev", {}, fresh=True).file.read_text()
    assert "edited" not in text
    assert text.count("encryptionsalt: v1:copy") == 1


def test_encrypted_values_are_left_out_and_named() -> None:
    text, dropped = localstack.without_encryption(
        "config:\n  sluice:team: a\n  sluice:token:\n    secure: v1:x\n"
        "  sluice:nested:\n    inner: {secure: v1:y}\n    b: 1\n"
    )
    assert dropped == ["sluice:token", "sluice:nested.inner"]
    assert yaml.safe_load(text) == {"config": {"sluice:team": "a", "sluice:nested": {"b": 1}}}


@pytest.mark.parametrize(("stack", "reason"), [("prod", "Stacks with a file: dev"), ("../dev", "no stack name")])
def test_a_stack_without_a_file_is_refused(checkout: Path, home: LocalHome, stack: str, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        localstack.copy_stack(home, stack, {}, fresh=False)
    assert not home.stacks.exists() or not list(home.stacks.rglob("*.yaml"))
