"""A stack's settings from its file: read as strictly as Pulumi does, with encrypted values from the CLI."""

from pathlib import Path

import pytest

from command_errors import UsageError
from rehearsal.environment import IS_SET
from rehearsal.home import HOME_VARIABLE
from stacks.file import SUBSCRIPTION_VARIABLES, read_settings

STACK_FILE = """
config:
  azure-native:location: westeurope
  sluice:team: payments
  sluice:network: public
  sluice:endpoints: {}
"""


@pytest.fixture
def stack_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "Pulumi.trial.yaml"
    path.write_text(STACK_FILE)
    monkeypatch.setenv("PULUMI_OPTION_CONFIG_FILE", str(path))
    for name in SUBSCRIPTION_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    return path


def test_the_stack_file_is_the_one_that_pulumi_reads(stack_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_SUBSCRIPTION_ID", "from-azure")
    monkeypatch.setenv("ARM_SUBSCRIPTION_ID", "from-arm")
    settings, subscription = read_settings("trial")
    assert (settings.team, subscription) == ("payments", "from-arm")
    stack_file.write_text(f"{STACK_FILE}  azure-native:subscriptionId: from-file\n")
    assert read_settings("trial")[1] == "from-file"


def test_an_unknown_subscription_names_the_command(stack_file: Path) -> None:
    with pytest.raises(UsageError, match=r"subscription is not known.*az account show"):
        read_settings("trial")


@pytest.mark.parametrize(("text", "piece"), [("config: [", "cannot be read"), ("- a\n", "cannot be read")])
def test_a_broken_stack_file_is_named(text: str, piece: str, stack_file: Path) -> None:
    stack_file.write_text(text)
    with pytest.raises(UsageError, match=piece):
        read_settings("trial")


def test_a_copy_that_a_reset_deleted_is_told_with_the_next_step(
    stack_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack_file.unlink()
    monkeypatch.setenv(IS_SET, "https://localhost:18443")
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "home"))
    monkeypatch.setenv("PULUMI_STACK", "trial")
    with pytest.raises(UsageError) as refused:
        read_settings("trial")
    next_step = 'sluice local start && eval "$(sluice local env --stack trial)"'
    assert str(refused.value) == f"{stack_file}, this shell's copy of the stack file, is gone. Run `{next_step}`."


def test_a_missing_stack_file_is_named(stack_file: Path) -> None:
    stack_file.unlink()
    with pytest.raises(UsageError, match="stack trial has no file"):
        read_settings("trial")


@pytest.mark.parametrize(
    ("text", "piece"),
    [
        (f"{STACK_FILE}  sluice:team: others\n", "line 7, column 3: key 'sluice:team' is written twice"),
        (
            STACK_FILE.replace("{}", "\n    a: {deployments: {}}\n    a: {deployments: {}}"),
            "key 'a' is written twice",
        ),
        ("config: []\n", "`config` must be a mapping of keys to values"),
        ("config: {1: 2}\n", "`config` must be a mapping of keys to values"),
    ],
)
def test_what_pulumi_refuses_is_refused(text: str, piece: str, stack_file: Path) -> None:
    """Of a key that is written twice, PyYAML takes the last; Pulumi refuses the file."""
    stack_file.write_text(text)
    with pytest.raises(UsageError) as refused:
        read_settings("trial")
    assert str(refused.value).startswith(f"{stack_file} cannot be read: ")
    assert piece in str(refused.value)


def test_a_file_that_is_not_utf_8_is_named(stack_file: Path) -> None:
    stack_file.write_bytes(b"# Z\xfcrich\n")
    with pytest.raises(UsageError, match="not UTF-8 text"):
        read_settings("trial")


ENCRYPTED = STACK_FILE.replace("payments", "{secure: v1:abc}").replace("{}", "{shop: {name: {secure: v1:def}}}")
DECRYPTED = """{
 "sluice:team": {"value": "payments", "secret": true},
 "sluice:endpoints": {"value": "{}", "objectValue": {"shop": {"name": "shop-live"}}, "secret": true}
}"""


def fake_cli(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> Path:
    """A `pulumi` first on PATH that keeps its arguments."""
    cli = folder / "bin" / "pulumi"
    cli.parent.mkdir()
    cli.write_text(f'#!/bin/sh\necho "$@" > {folder}/asked\n{script}')
    cli.chmod(0o755)
    monkeypatch.setenv("PATH", str(cli.parent), prepend=":")
    monkeypatch.setenv("ARM_SUBSCRIPTION_ID", "s")
    return folder / "asked"


def test_a_value_that_is_a_secret_is_read_as_the_program_reads_it(
    stack_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = fake_cli(tmp_path, monkeypatch, f"cat <<'EOF'\n{DECRYPTED}\nEOF\n")
    stack_file.write_text(ENCRYPTED)
    settings, _ = read_settings("trial")
    assert (settings.team, settings.endpoints["shop"].name) == ("payments", "shop-live")
    assert asked.read_text().split() == ["--non-interactive", "config", "--json", "--show-secrets", "--stack", "trial"]


def test_a_secret_that_cannot_be_decrypted_is_named_with_the_way_out(
    stack_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_cli(tmp_path, monkeypatch, "echo 'error: passphrase must be set' >&2\nexit 255\n")
    stack_file.write_text(ENCRYPTED)
    with pytest.raises(UsageError) as refused:
        read_settings("trial")
    for piece in ("sluice:endpoints, sluice:team is encrypted", "passphrase must be set", "write the value in plain"):
        assert piece in str(refused.value)


def test_without_secrets_the_cli_is_not_asked(
    stack_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = fake_cli(tmp_path, monkeypatch, "exit 1\n")
    stack_file.write_text(f"{STACK_FILE}  other:key: {{secure: v1:abc}}\n")
    read_settings("trial")
    assert not asked.exists()
