"""A new team's files: accepted by `pulumi up` and bootstrap, all or none, never over what exists."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from ipaddress import IPv4Network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bootstrap.environment import read_environment
from cli.main import main
from scaffold.errors import ScaffoldError
from scaffold.team import NewTeam, write_team
from settings import Settings, parse_settings
from strict_yaml import read_yaml
from tests.test_settings import TODAY

TEAM = NewTeam(name="fraud", location="westeurope", environments=("dev", "prod"), address_space="10.90.0.0/20")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "bootstrap").mkdir()
    (tmp_path / "Pulumi.yaml").write_text("name: sluice\n")
    return tmp_path


def settings_in(root: Path, stack: str) -> Settings:
    config = read_yaml((root / f"Pulumi.{stack}.yaml").read_text())["config"]
    raw = {key.removeprefix("sluice:"): value for key, value in config.items() if key.startswith("sluice:")}
    return parse_settings({**raw, "location": config["azure-native:location"]}, stack=stack, today=TODAY)


def files_in(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()} - {"Pulumi.yaml"}


def refused(team: NewTeam, root: Path) -> list[str]:
    before = files_in(root)
    with pytest.raises(ScaffoldError) as error:
        write_team(team, root)
    assert files_in(root) == before
    return [str(one) for one in error.value.problems]


def test_each_environment_gets_a_stack_file_and_a_bootstrap_config(root: Path) -> None:
    written = write_team(replace(TEAM, subject_prefix="repo:org@1/repo@2"), root)
    assert {str(path.relative_to(root)) for path in written} == files_in(root)
    assert files_in(root) == {
        f"{folder}Pulumi.fraud-{one}.yaml" for folder in ("", "bootstrap/") for one in ("dev", "prod")
    }
    dev, prod = settings_in(root, "fraud-dev"), settings_in(root, "fraud-prod")
    assert (dev.names("s").base, prod.names("s").base) == ("fraud-dev", "fraud-prod")
    assert [one.network.address_space for one in (dev, prod)] == ["10.90.0.0/21", "10.90.8.0/21"]
    assert (dev.limits.require_proof, prod.limits.require_proof) == (None, "fraud-dev")
    config = read_yaml((root / "bootstrap/Pulumi.fraud-prod.yaml").read_text())["config"]
    environment, problems = read_environment({key.partition(":")[2]: one for key, one in config.items()}, file="f")
    assert problems == []
    assert environment is not None
    assert environment.stack_names == ("fraud-prod",)
    assert [one.subject for one in environment.subjects("deploy")] == ["repo:org@1/repo@2:environment:fraud-prod"]


def test_a_team_that_comes_back_has_the_next_generation(root: Path) -> None:
    write_team(replace(TEAM, generation=2), root)
    assert settings_in(root, "fraud-dev").generation == 2


def test_a_generation_that_cannot_be_is_refused(root: Path) -> None:
    lines = refused(replace(TEAM, generation=0), root)
    assert lines[0].startswith("sluice:generation must be at least 1, got 0")


def test_without_a_range_the_stacks_are_public(root: Path) -> None:
    write_team(replace(TEAM, address_space=None), root)
    assert settings_in(root, "fraud-prod").network.mode == "public"


def test_everything_that_is_wrong_is_reported_at_once(root: Path) -> None:
    (root / "Pulumi.Fraud-dev.yaml").write_text("")
    wrong = NewTeam(
        name="Fraud",
        location="West Europe",
        environments=("dev", "dev", "P"),
        address_space="10.90.0.0/27",
        repository="repo",
        subject_prefix='a"b',
    )
    begins = [
        "NAME must be 2 to 24 lower-case",
        "--location must be a region's short name",
        "--environments must be 2 to 24 lower-case letters, digits and single dashes",
        '--environments must name each once, got "dev" 2 times',
        "--address-space must leave a /26 or more to each of 3 environments, got 10.90.0.0/27. Give a /24",
        '--repository must be owner/name, got "repo"',
        "--subject-prefix must have neither spaces nor quotes",
        "Pulumi.Fraud-dev.yaml exists already",
    ]
    found = refused(wrong, root)
    assert [line.startswith(begin) for line, begin in zip(found, begins, strict=True)] == [True] * len(begins), found


@pytest.mark.parametrize("space", ["10.90.0.0", "10.90.0.1/20", "8.8.0.0/16", "ten", "fd00::/8"])
def test_a_range_that_no_network_can_have_is_refused(root: Path, space: str) -> None:
    (line,) = refused(replace(TEAM, address_space=space), root)
    assert line.startswith("--address-space must ")


def test_existing_files_are_named_and_kept(root: Path) -> None:
    for name in ("Pulumi.fraud-prod.yaml", "bootstrap/Pulumi.fraud-dev.yaml"):
        (root / name).write_text("mine")
    lines = refused(TEAM, root)
    assert [line.partition(" ")[0] for line in lines] == ["Pulumi.fraud-prod.yaml", "bootstrap/Pulumi.fraud-dev.yaml"]
    assert (root / "Pulumi.fraud-prod.yaml").read_text() == "mine"


def test_a_stack_that_would_have_the_names_of_another_is_refused(root: Path) -> None:
    (root / "Pulumi.other.yaml").write_text("config: {sluice:team: fraud-eu, sluice:environment: dev}")
    (line,) = refused(replace(TEAM, environments=("eu-dev",)), root)
    assert line.startswith("environment eu-dev would have the same names in Azure as stack other of team fraud-eu")


def test_a_failure_in_the_middle_leaves_nothing(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    link, done = os.link, []

    def fails(source: Path, target: Path) -> None:
        if len(done) == 2:
            raise OSError(28, "No space left on device")
        done.append(target)
        link(source, target)

    monkeypatch.setattr(os, "link", fails)
    with pytest.raises(OSError, match="No space"):
        write_team(TEAM, root)
    assert files_in(root) == set()
    assert not list(root.glob(".*"))


names = st.from_regex(r"[a-z][a-z0-9]{1,8}(-[a-z0-9]{1,4}){0,2}", fullmatch=True)


@given(names, st.lists(names, min_size=1, max_size=9, unique=True), st.integers(0, 2**12 - 1))
def test_environments_never_share_addresses_and_every_file_is_valid(
    tmp_path_factory: pytest.TempPathFactory, name: str, environments: list[str], at: int
) -> None:
    root = tmp_path_factory.mktemp("root")
    (root / "bootstrap").mkdir()
    space = IPv4Network(("10.0.0.0", 8)).network_address + at * 2**12
    team = NewTeam(name=name, location="westeurope", environments=tuple(environments), address_space=f"{space}/20")
    write_team(team, root)
    ranges = [IPv4Network(settings_in(root, one).network.address_space or "") for one in team.stacks]
    assert all(one.subnet_of(IPv4Network(f"{space}/20")) for one in ranges)
    assert not any(one.overlaps(other) for one in ranges for other in ranges if one is not other)


def test_the_command_prints_what_it_wrote_and_what_comes_next(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(root)
    words = ["new", "team", "fraud", "--location", "westeurope", "--environments", "dev", "--repository", "org/repo"]
    assert main([*words, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["files"] == ["Pulumi.fraud-dev.yaml", "bootstrap/Pulumi.fraud-dev.yaml"]
    assert said["next"][0].startswith("gh api repos/org/repo/actions/oidc/customization/sub --jq .sub_claim_prefix")
    assert said["next"][-1] == "pulumi up --stack fraud-dev"
    assert main(words) == 2
    assert "Pulumi.fraud-dev.yaml exists already" in capsys.readouterr().err
