"""The checkout that follows its branch: when a newer commit is to be deployed, and when another run must go on."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from command_errors import UsageError
from delivery.run.deliver import Look
from delivery.run.source_checkout import SourceCheckout, fingerprint, is_program
from rollout.declaration.stack_text import WeightLines
from rollout.ports import Message
from rollout.split import Split

pytestmark = pytest.mark.slow
STACK = "config:\n  sluice:rollout:\n    e: {stable: blue, traffic: {blue: %d, green: %d}}\n  sluice:team: %s\n"
IDENTITY = ["-c", "user.name=ana", "-c", "user.email=ana@example.com"]


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *IDENTITY, "-C", str(folder), *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


class Repository:
    """A bare origin, a person's clone, and a runner's clone of depth 1."""

    def __init__(self, folder: Path) -> None:
        self.origin, self.person, self.runner = (folder / name for name in ("origin.git", "person", "runner"))
        git(folder, "init", "-q", "--bare", "-b", "main", str(self.origin))
        git(folder, "clone", "-q", str(self.origin), str(self.person))
        git(self.person, "checkout", "-q", "-b", "main")
        self.commit({"Pulumi.dev.yaml": STACK % (100, 0, "payments"), "settings.py": "", "docs/a.md": ""})
        git(folder, "clone", "-q", "--depth", "1", f"file://{self.origin}", str(self.runner))
        git(self.runner, "config", "user.name", "ci")
        git(self.runner, "config", "user.email", "ci@example.com")
        self.weights = WeightLines(split=Split(traffic={"blue": 100}), stable="blue")

    def commit(self, files: dict[str, str]) -> None:
        for name, text in files.items():
            path = self.person / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        git(self.person, "add", "-A")
        git(self.person, "commit", "-q", "-m", "change")
        git(self.person, "push", "-q", "origin", "main")

    def checkout(self) -> SourceCheckout:
        return SourceCheckout(self.runner, self.runner / "Pulumi.dev.yaml", {}, lambda: {"e": self.weights})


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path)


def test_the_first_look_deploys_and_the_next_one_finds_nothing(repository: Repository) -> None:
    checkout = repository.checkout()
    assert [checkout.look(), checkout.look()] == [Look.MOVED, Look.SAME]


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"docs/a.md": "more"}, Look.MOVED),
        ({"Pulumi.dev.yaml": STACK % (100, 0, "fraud")}, Look.MOVED),
        ({"rollouts/dev/e/1.jsonl": "{}\n"}, Look.SAME),
        ({"Pulumi.prod.yaml": "config: {}\n"}, Look.SAME),
        ({"models/m/release.lock.yml": "model: m\n"}, Look.SAME),
        ({"models/m/src/score.py": "x = 1\n"}, Look.MOVED),
        ({"settings.py": "x = 1\n"}, Look.PROGRAM),
        ({"requirements.lock": "pulumi\n"}, Look.PROGRAM),
    ],
)
def test_what_a_newer_commit_changes_decides(repository: Repository, files: dict[str, str], expected: Look) -> None:
    checkout = repository.checkout()
    checkout.look()
    repository.commit(files)
    assert checkout.look() is expected
    assert git(repository.runner, "status", "--porcelain") == ""
    assert git(repository.runner, "rev-parse", "HEAD") == git(repository.origin, "rev-parse", "main")


def test_weights_that_a_rollout_wrote_are_no_reason_to_deploy_and_those_of_a_person_are(repository: Repository) -> None:
    checkout = repository.checkout()
    checkout.look()
    repository.weights = WeightLines(split=Split(traffic={"blue": 90, "green": 10}), stable="blue")
    repository.commit({"Pulumi.dev.yaml": STACK % (90, 10, "payments")})
    assert checkout.look() is Look.SAME
    repository.commit({"Pulumi.dev.yaml": STACK % (50, 50, "payments")})
    assert checkout.look() is Look.MOVED


def test_a_commit_that_only_this_clone_has_is_not_lost(repository: Repository) -> None:
    checkout = repository.checkout()
    git(repository.runner, "commit", "-q", "--allow-empty", "-m", "mine")
    with pytest.raises(UsageError, match="main here has commits that origin does not have"):
        checkout.look()


def test_edits_that_are_in_the_way_stay_and_are_told(repository: Repository) -> None:
    checkout = repository.checkout()
    checkout.look()
    (repository.runner / "docs" / "a.md").write_text("mine")
    repository.commit({"docs/a.md": "theirs"})
    with pytest.raises(UsageError, match="files here that are not committed are in their way"):
        checkout.look()
    assert (repository.runner / "docs" / "a.md").read_text() == "mine"


def test_edits_that_are_not_committed_are_not_deployed(repository: Repository) -> None:
    checkout = repository.checkout()
    file = repository.runner / "Pulumi.dev.yaml"
    text = file.read_text()
    file.write_text(text.replace("payments", "fraud"))
    (repository.runner / "docs" / "a.md").write_text("mine")
    with pytest.raises(UsageError, match=r"not committed, of Pulumi.dev.yaml and 1 more, and a delivery deploys only"):
        checkout.look()
    git(repository.runner, "checkout", "-q", "docs/a.md")
    file.write_text(f"encryptionsalt: v1:abc\n{text}")  # Pulumi writes it where the passphrase has none yet
    record = repository.runner / "rollouts" / "dev" / "e" / "r.jsonl"
    record.parent.mkdir(parents=True)
    record.write_text("evidence\n")
    git(repository.runner, "add", "--intent-to-add", str(record))
    assert checkout.look() is Look.MOVED


def test_a_lock_is_pushed_beside_what_others_push_and_the_checkout_goes_on(repository: Repository) -> None:
    checkout = repository.checkout()
    checkout.look()
    repository.commit({"docs/a.md": "theirs"})
    lock = repository.runner / "models" / "m" / "release.lock.yml"
    lock.parent.mkdir(parents=True)
    lock.write_text("model: m\n")
    assert checkout.keep([lock], Message(subject="release(dev): publish m")) is True
    assert git(repository.origin, "show", "main:models/m/release.lock.yml") == "model: m"
    assert "[skip ci]" in git(repository.origin, "log", "-1", "--format=%B", "main")
    assert checkout.look() is Look.MOVED  # the other commit
    assert git(repository.runner, "status", "--porcelain") == ""
    assert checkout.keep([lock], Message(subject="again")) is False


def test_a_clone_without_an_origin_cannot_be_delivered(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    with pytest.raises(UsageError, match="no clone with a remote origin"):
        SourceCheckout(tmp_path, tmp_path / "Pulumi.dev.yaml", {}, dict)


def test_the_files_of_models_and_tests_are_not_the_program() -> None:
    from pathlib import PurePosixPath as Path

    assert not is_program([Path("models/m/src/score.py"), Path("tests/test_x.py"), Path("docs/x.py"), Path("a.md")])
    assert is_program([Path("models/loader.py")])
    assert is_program([Path("cli/main.py")])


def test_a_weight_that_is_no_number_is_a_change() -> None:
    recorded = {"e": WeightLines(split=Split(traffic={"blue": 100}), stable="blue")}
    config = {"sluice:rollout": {"e": {"stable": "blue", "traffic": {"blue": "all"}}}}
    assert "all" in fingerprint(config, recorded)
    kept = {"sluice:rollout": {"e": {"stable": "blue", "traffic": {"blue": 100, "green": 0}, "plan": 1}}}
    assert fingerprint(kept, recorded) == '{"sluice:rollout": {"e": {"plan": 1}}}'
