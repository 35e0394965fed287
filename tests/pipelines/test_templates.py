"""The pipelines as they are written: who starts them, what they may do, what keeps them apart (docs/github.md)."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
CHECKOUT = "actions/checkout@de0fac2e4500dabe0009e67214ff5f5447ce83dd"
GITHUB = {path.stem: path for path in sorted((ROOT / "pipelines" / "github").glob("*.yml"))}
AZURE = {path.stem: path for path in sorted((ROOT / "pipelines" / "azure-devops").glob("*.yml"))}
OWN = ROOT / ".github" / "workflows" / "check.yml"
NAMES = {"approve", "check", "deliver", "drift", "preview", "preview-fork", "recover", "rollback"}

# name: (started by, environment, permissions, concurrency group, does a new run cancel, minutes)
READ, WRITE = "read", "write"
TABLE: dict[str, tuple[set[str], str | None, dict[str, str], str, bool, int]] = {
    "check": ({"pull_request", "merge_group"}, None, {"contents": READ}, "sluice-check-${{ github.ref }}", True, 30),
    "preview": (
        {"pull_request"},
        "STACK-preview",
        {"contents": READ, "id-token": WRITE, "pull-requests": WRITE},
        "sluice-preview-STACK-${{ github.ref }}",
        True,
        30,
    ),
    "preview-fork": (
        {"pull_request"},
        None,
        {"contents": READ},
        "sluice-preview-fork-${{ github.ref }}",
        True,
        30,
    ),
    "deliver": (
        {"push", "workflow_dispatch", "schedule"},
        "STACK",
        {"contents": WRITE, "pull-requests": WRITE, "actions": WRITE, "id-token": WRITE},
        "sluice-STACK",
        False,
        150,
    ),
    "approve": (
        {"workflow_dispatch"},
        "${{ inputs.stack }}-approval",
        {"contents": WRITE, "actions": WRITE},
        "sluice-approve-${{ github.run_id }}",
        False,
        30,
    ),
    "rollback": (
        {"workflow_dispatch"},
        "${{ inputs.stack }}",
        {"contents": WRITE, "actions": READ, "id-token": WRITE},
        "sluice-${{ inputs.stack }}-rollback",
        False,
        60,
    ),
    "drift": (
        {"schedule", "workflow_dispatch"},
        "STACK-preview",
        {"contents": READ, "id-token": WRITE, "issues": WRITE},
        "sluice-drift-STACK",
        False,
        30,
    ),
    "recover": (
        {"workflow_dispatch"},
        "${{ inputs.stack }}",
        {"contents": WRITE, "id-token": WRITE},
        "sluice-${{ inputs.stack }}",
        False,
        60,
    ),
}


def parsed(path: Path) -> Any:
    """The YAML with `on` as a string, as GitHub reads it."""
    return yaml.load(path.read_text(), Loader=yaml.BaseLoader)


def only_job(workflow: Any) -> Any:
    (job,) = workflow["jobs"].values()
    return job


def strings_of(value: Any, key: str = "") -> list[tuple[str, str]]:
    """Every text of a YAML document, with the key that it stands under."""
    if isinstance(value, dict):
        return [found for name, below in value.items() for found in strings_of(below, name)]
    if isinstance(value, list):
        return [found for below in value for found in strings_of(below, key)]
    return [(key, str(value))]


def azure_jobs(pipeline: Any) -> list[Any]:
    """The jobs of a pipeline, with or without stages."""
    stages = pipeline.get("stages") or [pipeline]
    return [job for stage in stages for job in stage["jobs"]]


def azure_steps(job: Any) -> list[Any]:
    steps: list[Any] = job["steps"] if "steps" in job else job["strategy"]["runOnce"]["deploy"]["steps"]
    return steps


def test_both_systems_have_the_same_pipelines() -> None:
    assert set(GITHUB) == set(AZURE) == set(TABLE) == NAMES


@pytest.mark.parametrize("name", sorted(NAMES))
def test_a_workflow_is_what_the_table_says(name: str) -> None:
    workflow = parsed(GITHUB[name])
    job = only_job(workflow)
    environment = job.get("environment")
    concurrency = job.get("concurrency") or workflow["concurrency"]
    assert (
        set(workflow["on"]),
        environment["name"] if isinstance(environment, dict) else environment,
        job["permissions"],
        concurrency["group"],
        concurrency["cancel-in-progress"] == "true",
        int(job["timeout-minutes"]),
    ) == TABLE[name]


@pytest.mark.parametrize("path", [*GITHUB.values(), OWN], ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_workflow_has_no_right_by_itself_one_pinned_action_and_no_expression_in_a_command(path: Path) -> None:
    workflow = parsed(path)
    assert workflow["permissions"] == {}
    assert "pull_request_target" not in workflow["on"]
    steps = only_job(workflow)["steps"]
    assert [step["uses"] for step in steps if "uses" in step] == [CHECKOUT]
    assert f"{CHECKOUT} # v6.0.2\n" in path.read_text()
    assert steps[0]["with"] == {"fetch-depth": "1", "persist-credentials": "false"}
    assert not [text for key, text in strings_of(workflow) if key == "run" and "${{" in text]


@pytest.mark.parametrize("name", sorted(NAMES))
def test_a_job_is_one_command_after_check_out_and_set_up_and_the_same_in_both_systems(name: str) -> None:
    checkout, setup, command = only_job(parsed(GITHUB[name]))["steps"]
    assert "uses" in checkout
    assert setup["run"] == "make setup"
    (job,) = azure_jobs(parsed(AZURE[name]))
    azure_checkout, azure_setup, azure_command = azure_steps(job)
    assert azure_checkout == {"checkout": "self", "fetchDepth": "1", "persistCredentials": "false"}
    assert azure_setup["script"] == "make setup"
    said = azure_command.get("script") or azure_command["inputs"]["inlineScript"]
    assert re.fullmatch(r"\.venv/bin/sluice ci [a-z]+( [^|&;]*)?", said)
    assert command["run"].replace('"$STACK"', "STACK") == said.replace('"$STACK"', "STACK")
    assert job["timeoutInMinutes"] == str(TABLE[name][-1])


def test_only_drift_and_previews_leave_no_deployment() -> None:
    for name, path in GITHUB.items():
        environment = only_job(parsed(path)).get("environment")
        recorded = not (isinstance(environment, dict) and environment.get("deployment") == "false")
        assert recorded == (name not in {"preview", "drift"}), name


def test_a_pull_request_is_previewed_with_an_identity_or_without_one_never_both() -> None:
    own, fork = (" ".join(only_job(parsed(GITHUB[name]))["if"].split()) for name in ("preview", "preview-fork"))
    opposite = {"==": "!=", "!=": "==", "&&": "||"}
    assert re.sub("==|!=|&&", lambda found: opposite[found[0]], own) == fork
    assert [key for key, _ in strings_of(only_job(parsed(GITHUB["preview-fork"]))["steps"][-1]["env"])] == [
        "GITHUB_TOKEN"
    ]


@pytest.mark.parametrize("name", sorted(NAMES))
def test_a_pipeline_of_azure_names_its_connection_and_maps_the_token_for_each_step(name: str) -> None:
    (job,) = azure_jobs(parsed(AZURE[name]))
    command = azure_steps(job)[-1]
    assert command["env"]["SYSTEM_ACCESSTOKEN"] == "$(System.AccessToken)"
    signs_in = "id-token" in TABLE[name][2]
    assert ("task" in command) == signs_in
    if signs_in:
        preview = "-preview" if name in {"preview", "drift"} else ""
        assert command["inputs"]["azureSubscription"] == f"sluice-STACK{preview}"


@pytest.mark.parametrize("name", sorted(NAMES))
def test_only_a_delivery_is_started_by_a_push_in_azure(name: str) -> None:
    pipeline = parsed(AZURE[name])
    assert pipeline["pr"] == "none"
    wanted = {"batch": "true", "branches": {"include": ["main"]}} if name == "deliver" else "none"
    assert pipeline["trigger"] == wanted
    assert all(schedule["always"] == "true" for schedule in pipeline.get("schedules", ()))
    assert bool(pipeline.get("schedules")) == (name in {"deliver", "drift"})


def test_the_locks_of_azure_environments_keep_apart_what_the_groups_of_github_keep_apart() -> None:
    found = {
        name: next((job.get("environment") for job in azure_jobs(parsed(path))), None) for name, path in AZURE.items()
    }
    assert found == {
        "approve": "${{ parameters.stack }}-approval",
        "check": None,
        "deliver": "STACK",
        "drift": None,
        "preview": None,
        "preview-fork": None,
        "recover": "STACK",
        "rollback": "STACK-rollback",
    }
    for name in ("deliver", "recover"):
        assert parsed(AZURE[name])["stages"][0]["lockBehavior"] == "runLatest"
