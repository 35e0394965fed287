"""A pin holds a colour to what is live: nothing else can be pinned, and the next preview changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from command_errors import UsageError
from delivery.releases.pinning import Pinned, Request, pin
from endpoint_state import LiveDeployment
from models.loader import load_model
from models.release_document import read
from models.spec import content_digest, release_digest
from rollout.declaration.stack_file import StackFile
from settings import Settings, parse_settings
from tests.delivery.repository import commit_all, git, new_repository
from tests.models.conftest import deployment, write_model

pytestmark = pytest.mark.slow  # real git, and azure-ai-ml

STACK_FILE = """\
config:
  azure-native:location: westeurope
  sluice:team: payments
  sluice:network: public
  sluice:endpoints:
    shop:
      deployments:
        blue: {}  # serves
        green: {instances: 2}
"""


@pytest.fixture(scope="module", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


class Team:
    """A repository with one model and one stack."""

    def __init__(self, root: Path) -> None:
        self.root = new_repository(root)
        self.folder = write_model(
            root / "models" / "shop",
            blue=deployment("blue"),
            green=deployment("green", instance_type="Standard_F4s_v2"),
        )
        self.stack_file = StackFile(root / "Pulumi.dev.yaml", "shop")
        self.stack_file.path.write_text(STACK_FILE)
        self.first = commit_all(root)

    def settings(self) -> Settings:
        config = yaml.safe_load(self.stack_file.path.read_text())["config"]
        raw = {key.removeprefix("sluice:").replace("azure-native:", ""): value for key, value in config.items()}
        return parse_settings(raw, stack="dev", today=date(2026, 1, 1))

    def live(self, colour: str, **changes: Any) -> LiveDeployment:
        """A deployment that was made from the folder as it is now, with the stack's settings."""
        chosen = self.settings().endpoints["shop"].deployments[colour]
        spec = load_model(self.folder, {colour: chosen.release}).deployments[colour]
        spec = replace(spec, environment_variables=chosen.environment_variables)
        values = {
            "release": release_digest(spec, chosen.sku)[:16],
            "content": content_digest(spec)[:16],
            "provisioning_state": "Succeeded",
            **changes,
        }
        return LiveDeployment(name=colour, **values)

    def request(self, colour: str, live: LiveDeployment | None, commit: str | None = None) -> Request:
        return Request(
            root=self.root,
            stack="dev",
            endpoint="shop",
            colour=colour,
            settings=self.settings().endpoints["shop"].deployments[colour],
            live=live,
            commit=commit,
        )

    def pin(self, colour: str, live: LiveDeployment | None, commit: str | None = None) -> Pinned:
        return pin(self.request(colour, live, commit), self.stack_file)

    def refuse(self, colour: str, live: LiveDeployment | None, commit: str | None = None) -> str:
        before = self.stack_file.path.read_bytes()
        with pytest.raises(UsageError) as caught:
            self.pin(colour, live, commit)
        assert self.stack_file.path.read_bytes() == before
        assert not (self.folder / "releases").exists()
        return str(caught.value)

    def edit(self, content: bytes = b"def init():\n    pass\n\n\ndef run(raw_data):\n    return 2\n") -> None:
        (self.folder / "src" / "score.py").write_bytes(content)


@pytest.fixture
def team(tmp_path: Path) -> Team:
    return Team(tmp_path / "team")


def test_what_is_live_is_pinned_from_the_folder_and_stays_what_it_is(team: Team) -> None:
    live = team.live("blue")
    pinned = team.pin("blue", live)
    assert pinned.document_is_new
    assert pinned.values == {"release": live.content}
    assert team.stack_file.path.read_text() == STACK_FILE.replace(
        "blue: {}  # serves", f'blue: {{release: "{live.content}"}}  # serves'
    )
    team.edit()
    (team.folder / "blue.yml").unlink()
    assert team.live("blue").release == live.release
    assert team.live("green").release != team.live("blue").release


def test_a_second_run_changes_nothing(team: Team) -> None:
    live = team.live("blue")
    team.pin("blue", live)
    before = team.stack_file.path.read_bytes()
    again = team.pin("blue", live)
    assert (again.document_is_new, again.values) == (False, {})
    assert team.stack_file.path.read_bytes() == before


def test_after_an_edit_the_commit_of_what_is_live_is_asked_for(team: Team) -> None:
    """blue.yml and green.yml share src/: one edited line there changes both."""
    live = team.live("blue")
    team.edit()
    second = commit_all(team.root)
    said = team.refuse("blue", live)
    assert "the folder models/shop does not describe what is live" in said
    assert "sluice release pin shop blue --stack dev --commit <commit>" in said
    assert f"commit {second} does not describe what is live" in team.refuse("blue", live, second)
    pinned = team.pin("blue", live, team.first[:12])
    assert pinned.document.commit == team.first
    assert team.live("blue").release == live.release
    assert git(team.root, "worktree", "list").count("\n") == 0
    assert git(team.root, "status", "--porcelain", "--", "models/shop/src") == ""


def test_nothing_live_is_nothing_to_pin(team: Team) -> None:
    assert "blue of shop in dev does not exist in Azure" in team.refuse("blue", None)
    without = team.live("blue", release=None)
    assert "has no tag sluice:release" in team.refuse("blue", without)


def test_a_file_that_is_not_committed_is_refused(team: Team) -> None:
    team.edit()
    assert "models/shop/src/score.py differs from the commit" in team.refuse("blue", team.live("blue"))


def test_a_commit_that_is_gone_is_named(team: Team) -> None:
    assert f"there is no commit {'0' * 40}: this clone does not have it" in team.refuse(
        "blue", team.live("blue"), "0" * 40
    )


def test_a_document_that_exists_is_used_where_the_folder_has_moved_on(team: Team) -> None:
    live = team.live("blue")
    team.pin("blue", live)
    commit_all(team.root)
    git(team.root, "checkout", "-q", team.first, "--", "Pulumi.dev.yaml")  # the pin was lost, the document is there
    team.edit()
    pinned = team.pin("blue", live)
    assert (pinned.document_is_new, pinned.values) == (False, {"release": live.content})


def test_another_size_of_the_same_content_goes_into_the_stack_file(team: Team) -> None:
    """Green differs from blue in its VM size only, so both have one document, which blue has written."""
    blue, green = team.live("blue"), team.live("green")
    assert blue.content == green.content
    team.pin("blue", blue)
    pinned = team.pin("green", green)
    assert pinned.values == {"release": green.content, "sku": "Standard_F4s_v2"}
    assert team.live("green").release == green.release
    assert f'green: {{instances: 2, release: "{green.content}", sku: Standard_F4s_v2}}' in (
        team.stack_file.path.read_text()
    )


def test_values_of_the_stack_are_part_of_what_is_live(team: Team) -> None:
    (team.folder / "blue.yml").write_text(
        yaml.safe_dump(deployment("blue", environment_variables={"DATABASE": "local"}))
    )
    team.stack_file.path.write_text(STACK_FILE.replace("blue: {}", "blue: {environment_variables: {DATABASE: prod}}"))
    commit_all(team.root)
    live = team.live("blue")
    pinned = team.pin("blue", live)
    assert team.live("blue").release == live.release
    document = read(team.root, "shop", pinned.document.short)
    assert document.settings["body"]["environmentVariables"] == {"DATABASE": "local"}


def test_a_shallow_clone_fetches_the_commit_from_its_origin(team: Team, tmp_path: Path) -> None:
    live = team.live("blue")
    team.edit()
    commit_all(team.root)
    git(team.root, "config", "uploadpack.allowAnySHA1InWant", "true")
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", "--depth=1", f"file://{team.root}", str(clone))
    request = replace(team.request("blue", live, team.first), root=clone)
    pinned = pin(request, StackFile(clone / "Pulumi.dev.yaml", "shop"))
    assert pinned.document.commit == team.first
