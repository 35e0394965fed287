"""The pipeline files of a team: each stack gets its jobs, and what differs is named."""

from pathlib import Path

import pytest
import yaml

from command_errors import UsageError
from delivery.pipelines.pipeline_files import SYSTEMS, System, differences, pipeline_files, rendered
from delivery.pipelines.pipeline_init import TEMPLATES

STACKS = ("dev", "pre-prod", "prod")
OWN = TEMPLATES.parent / ".github" / "workflows" / "check.yml"


@pytest.mark.parametrize("system", SYSTEMS)
def test_no_placeholder_is_left_and_each_file_is_yaml(system: System) -> None:
    for path, text in pipeline_files(TEMPLATES, system, STACKS).items():
        assert "STACK}" in text or "STACK" not in text.replace('"$STACK"', "").replace("STACK: $", ""), path
        assert "for each stack" not in text
        assert yaml.safe_load(text)


def test_every_stack_gets_a_job_with_its_own_environment_and_group() -> None:
    text = pipeline_files(TEMPLATES, "github", STACKS)[".github/workflows/sluice-deliver.yml"]
    jobs = yaml.safe_load(text)["jobs"]
    assert {name: (job["environment"], job["concurrency"]["group"]) for name, job in jobs.items()} == {
        f"deliver-{stack}": (stack, f"sluice-{stack}") for stack in STACKS
    }
    assert [job["steps"][-1]["run"].split("--stack ")[1].split()[0] for job in jobs.values()] == list(STACKS)


def test_a_dispatch_offers_exactly_these_stacks() -> None:
    workflow = yaml.safe_load(pipeline_files(TEMPLATES, "github", STACKS)[".github/workflows/sluice-rollback.yml"])
    assert workflow[True]["workflow_dispatch"]["inputs"]["stack"]["options"] == list(STACKS)  # YAML 1.1 reads `on` so
    pipeline = yaml.safe_load(pipeline_files(TEMPLATES, "azure-devops", STACKS)[".azuredevops/sluice-deliver.yml"])
    assert pipeline["parameters"][0]["values"] == ["all", *STACKS]


def test_each_file_names_the_command_that_writes_exactly_it() -> None:
    for path, text in pipeline_files(TEMPLATES, "github", STACKS).items():
        assert text.startswith("# Written by `sluice ci init github --stacks dev,pre-prod,prod`;"), path


def test_no_job_of_github_has_the_name_of_another_so_that_a_required_check_is_one_check() -> None:
    texts = [*pipeline_files(TEMPLATES, "github", STACKS).values(), OWN.read_text()]
    names = [name for text in texts for name in yaml.safe_load(text)["jobs"]]
    assert len(names) == len(set(names))


def test_the_name_of_a_stage_has_no_hyphen_and_its_connection_keeps_it() -> None:
    text = pipeline_files(TEMPLATES, "azure-devops", STACKS)[".azuredevops/sluice-recover.yml"]
    stage = yaml.safe_load(text)["stages"][1]
    assert stage["stage"] == "recover_pre_prod"
    assert stage["variables"] == [{"group": "sluice-pre-prod"}]


def test_only_the_whole_word_is_a_stack() -> None:
    template = "a: [STACKS]\n  # for each stack:\nb-STACK: $STACKED xSTACK sluice-STACK-preview\n  # end\n"
    assert rendered(template, ["dev"]) == "a: [dev]\nb-dev: $STACKED xSTACK sluice-dev-preview\n"


@pytest.mark.parametrize("stacks", [(), ("dev", "dev"), ("Dev",), ("a b",), ("../x",), ("all",), ("dev-preview",)])
def test_names_that_are_no_environment_are_refused(stacks: tuple[str, ...]) -> None:
    with pytest.raises(UsageError, match="--stacks dev,prod"):
        pipeline_files(TEMPLATES, "github", stacks)


def test_differences_name_the_file_and_the_line(tmp_path: Path) -> None:
    wanted = pipeline_files(TEMPLATES, "github", ("dev",))
    for path, text in wanted.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    assert differences(tmp_path, wanted) == []
    folder = tmp_path / ".github" / "workflows"
    (folder / "sluice-check.yml").unlink()
    changed = folder / "sluice-deliver.yml"
    changed.write_text(changed.read_text().replace("timeout-minutes: 150", "timeout-minutes: 15"))
    (folder / "sluice-old.yml").write_text("")
    (folder / "theirs.yml").write_text("")
    line = 1 + wanted[".github/workflows/sluice-deliver.yml"].splitlines().index("    timeout-minutes: 150")
    assert [(found.path.rsplit("/", 1)[1], found.problem) for found in differences(tmp_path, wanted)] == [
        ("sluice-check.yml", "is missing"),
        ("sluice-deliver.yml", f"differs from line {line} on"),
        ("sluice-old.yml", "is no pipeline of this version"),
    ]
