"""No command of `sluice` ends in a traceback, whatever Azure answers: one line says what happened and what to do.

Every command that asks Azure meets every refusal that the local Azure can produce, every odd body and every broken
connection, at each question that it asks. The network is played within the process; time does not pass.
"""

from __future__ import annotations

import argparse
import re
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from cli import main as command
from models.loader import load_model
from models.spec import Model
from rollout.events import Change, Outcome, Preview
from tests.cli.azure_that_answers import GROUP, SUBSCRIPTION, WORKSPACE, Answer, AzureThatAnswers, as_json
from tests.cli.azure_that_answers import LOGS as LOGS_ID
from tests.cli.refusals import arm_refusals, broken_connections, odd_answers, scoring_refusals

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
STACK_FILE = """
config:
  azure-native:location: westeurope
  sluice:team: shop
  sluice:network: public
  sluice:endpoints: {fraud: {name: fraud-live, deployments: {blue: {}}}}
"""
ABSENT = as_json({"error": {"code": "ResourceNotFound", "message": "not there"}}, 404)
INVOKE = "invoke fraud --stack dev --request-file request.json"
LOGS = "deployment-logs fraud blue --stack dev"
PREFLIGHT = "preflight --stack dev"
RECOVER = "recover --stack dev --wait-minutes 0"
REMOVE = "remove --stack dev --yes --wait-minutes 0"
PUBLISH = "release publish fraud-detection --stack dev"
# A command, a question that it asks, and what else has to be so for it to ask.
QUESTIONS: list[tuple[str, str, dict[str, Answer | Exception]]] = [
    *[(INVOKE, area, {}) for area in ("metadata", "token", "endpoint", "keys", "score")],
    (INVOKE, "endpoints", {"endpoint": ABSENT}),
    (f"{INVOKE} --deployment blue", "deployment", {}),
    (f"{INVOKE} --deployment blue", "deployments", {"deployment": ABSENT}),
    (f"{INVOKE} --deployment blue", "score", {}),
    *[(LOGS, area, {}) for area in ("metadata", "token", "logs")],
    (LOGS, "endpoint", {"logs": ABSENT}),
    (LOGS, "deployments", {"logs": ABSENT}),
    *[(PUBLISH, area, {}) for area in ("metadata", "token", "group", "workspace", "datastore", "account", "blob")],
    *[
        (PREFLIGHT, area, {})
        for area in ("metadata", "token", "endpoints", "deployments", "computes", "usages", "listed")
    ],
    *[(RECOVER, area, {}) for area in ("metadata", "token", "subscription", "endpoint", "group")],
    *[
        (REMOVE, area, {})
        for area in (
            *("metadata", "token", "group", "endpoints", "resources"),
            *("workspace", "log analytics", "kept vault", "purge", "operation"),
        )
    ],
    *[("doctor --stack dev", area, {}) for area in ("metadata", "token", "subscription", "group", "kept vault")],
]
REMEDY = re.compile(
    r"\b(add|allow|ask|check|compare|correct|delete|fix|free|give|go|let|log in|look|raise|repair|restore|run|see|send|"
    r"set|try|wait)\b|`",
    re.IGNORECASE,
)


class DeadEngine:
    """A stack whose last update died while it created the endpoint."""

    stack = "dev"

    def __init__(self, project: Path) -> None:
        self.project = project
        self.environment = {"PULUMI_BACKEND_URL": f"file://{project}", "ARM_SUBSCRIPTION_ID": SUBSCRIPTION}
        self.imported = False

    def export(self) -> dict[str, Any]:
        kind = "azure-native:machinelearningservices:OnlineEndpoint"
        inputs = {"resourceGroupName": "rg-shop-dev", "workspaceName": "mlw-shop-dev", "endpointName": "fraud-live"}
        urn = f"urn:pulumi:dev::sluice::{kind}::fraud"
        resource = {"urn": urn, "type": kind, "custom": True, "inputs": inputs}
        pending = [] if self.imported else [{"type": "creating", "resource": resource}]
        return {"deployment": {"resources": [resource] if self.imported else [], "pending_operations": pending}}

    def import_(self, state: dict[str, Any]) -> None:
        self.imported = True

    def import_resources(self, resources: list[Any]) -> Outcome:
        self.imported = True
        return Outcome()

    def preview(self) -> Preview:
        changes: tuple[Change, ...] = ()
        return Preview(changes=changes)

    def config(self) -> dict[str, Any]:
        return {}


class FullEngine(DeadEngine):
    """A stack with a group, a workspace and what it logs to, which nothing interrupted."""

    def __init__(self, project: Path) -> None:
        super().__init__(project)
        ids = {"resources:ResourceGroup": GROUP, "operationalinsights:Workspace": LOGS_ID}
        ids["machinelearningservices:Workspace"] = WORKSPACE
        self.resources = [
            {"urn": f"urn::{kind}", "type": f"azure-native:{kind}", "id": one, "protect": True}
            for kind, one in ids.items()
        ]

    def export(self) -> dict[str, Any]:
        return {"deployment": {"resources": self.resources}}

    def import_(self, state: dict[str, Any]) -> None:
        self.resources = state["deployment"]["resources"]

    def destroy(self, *, targets: Any = (), on_event: Any = None) -> Outcome:
        self.resources = []
        return Outcome()


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with one stack and the example's model."""
    root = tmp_path_factory.mktemp("checkout")
    (root / "Pulumi.yaml").write_text("name: sluice\nruntime: python\n")
    (root / "Pulumi.dev.yaml").write_text(STACK_FILE)
    (root / "request.json").write_text("[1]")
    shutil.copytree(ROOT / "models" / "fraud-detection", root / "models" / "fraud-detection")
    return root


@pytest.fixture(scope="module")
def model(checkout: Path) -> Model:
    return load_model(checkout / "models" / "fraud-detection", ["blue"])


@pytest.fixture
def azure(checkout: Path, model: Model, monkeypatch: pytest.MonkeyPatch) -> AzureThatAnswers:
    monkeypatch.chdir(checkout)
    monkeypatch.delenv("PULUMI_OPTION_CONFIG_FILE", raising=False)
    monkeypatch.setenv("SLUICE_RELEASE_LOCKS", str(checkout / "locks"))
    monkeypatch.setattr(time, "sleep", lambda seconds: None)

    def engine(options: argparse.Namespace) -> DeadEngine:
        return DeadEngine(checkout)

    monkeypatch.setattr("cli.recover.engine_for", engine)
    monkeypatch.setattr("cli.remove.engine_for", lambda options: FullEngine(checkout))
    # Neither the files of the model nor the Pulumi CLI change between hundreds of commands: look once.
    monkeypatch.setattr("models.loader.load_models", lambda asked: dict.fromkeys(asked, model))
    monkeypatch.setattr("toolchain.selection.look", lambda environment: (None, []))
    return AzureThatAnswers(monkeypatch)


def expected_code(words: str, area: str, trouble: Answer | Exception) -> set[int]:
    """What the exit code may be; 4 always means that the same command may do later."""
    if words.startswith("doctor"):
        return {0, 1}
    if words == REMOVE and area in ("purge", "operation"):
        return {0, 3}  # the stack is gone, the name of its vault stays taken
    if isinstance(trouble, Exception):
        return {4}
    if trouble.status in (429, 500, *range(502, 600)):
        return {1} if area == "score" and trouble.status == 429 else {4}
    if area == "score":
        return {0} if trouble.status == 200 and not trouble.breaks else {4} if trouble.status in (200, 500) else {1}
    if words == PREFLIGHT and trouble.status >= 300 and trouble.status != 404:
        return {4}  # quota that cannot be read, whatever the reason, is no failure of the plan
    if trouble.status >= 300:
        return {0, 1, 2, 3, 4} if trouble.status in (404, 500) or area in ("metadata", "token", "blob") else {1}
    return {0, 1, 2, 3, 4}


def troubles_of(words: str, area: str, also: dict[str, Answer | Exception]) -> list[Answer | Exception]:
    """All troubles for the question that only this command asks, every fifth for the others: each meets all in turn."""
    refusals = scoring_refusals() if area == "score" else arm_refusals()
    troubles = [*refusals, *odd_answers(), *broken_connections()]
    if area in ("score", "endpoint", "logs", "workspace", "blob", "subscription", "purge") and not also:
        return troubles
    return troubles[QUESTIONS.index((words, area, also)) % 5 :: 5]


def faults_of(words: str, area: str, trouble: Answer | Exception, code: int, err: str) -> list[str]:
    """What is wrong with how a command ended."""
    lines = err.splitlines()
    last = lines[-1] if lines else ""
    faults = []
    if "Traceback" in err or "a defect of sluice" in err:
        faults.append("a defect")
    if code not in expected_code(words, area, trouble):
        faults.append(f"exit code {code}")
    if code in (1, 2, 4) and not words.startswith("doctor"):
        if sum(line.startswith("sluice: ") for line in lines) != 1 or not last.startswith("sluice: "):
            faults.append("not one line that begins with `sluice: `")
        if not REMEDY.search(last):
            faults.append("no remedy")
    refused = isinstance(trouble, Answer) and b"the reason" in trouble.body and trouble.status != 404
    refused = refused and area not in ("metadata", "token") and not (words.startswith("doctor") and area == "group")
    if refused and code in (1, 2) and "the reason" not in err:
        faults.append("the service's own message is lost")
    return faults


@pytest.mark.parametrize(
    ("words", "area", "also"), QUESTIONS, ids=[f"{w.split(' -')[0]}: {a}" for w, a, _ in QUESTIONS]
)
def test_a_command_ends_with_one_line_and_the_right_code(
    words: str,
    area: str,
    also: dict[str, Answer | Exception],
    azure: AzureThatAnswers,
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = []
    for trouble in troubles_of(words, area, also):
        azure.trouble = {**also, area: trouble}
        azure.asked.clear()
        code = command.main(words.split())
        out, err = capsys.readouterr()
        err = out if words.startswith("doctor") else err
        assert area in azure.asked, f"{area} was never asked: {err}"
        found += [
            f"{fault}: {str(trouble)[:200]}\n    {err[-700:]}" for fault in faults_of(words, area, trouble, code, err)
        ]
    kinds = {fault.partition(":")[0]: fault for fault in reversed(found)}  # the first of each kind
    assert not found, f"{len(found)} faults:\n" + "\n".join(kinds.values())


def test_the_models_own_status_and_message_the_reason_and_the_logs_command_are_in_the_line(
    azure: AzureThatAnswers, capsys: pytest.CaptureFixture[str]
) -> None:
    headers = {
        "azureml-model-deployment": "blue",
        "x-request-id": "the-id",
        "ms-azureml-model-error-reason": "model_error",
        "ms-azureml-model-error-statuscode": "400",
    }
    azure.trouble["score"] = Answer(424, b'{"error": "features\nmissing"}', headers)
    assert command.main(INVOKE.split()) == 1
    assert capsys.readouterr().err == (
        'sluice: endpoint fraud-live: 424 model_error: model blue answered 400: {"error": "features missing"}. '
        "The model failed. See `sluice deployment-logs fraud blue --stack dev`. (x-request-id the-id)\n"
    )


def test_an_endpoint_that_is_not_there_is_told_with_those_that_are(
    azure: AzureThatAnswers, capsys: pytest.CaptureFixture[str]
) -> None:
    azure.trouble["endpoint"] = ABSENT
    assert command.main(INVOKE.split()) == 2
    assert "its endpoints are: fraud-live. Check the name" in capsys.readouterr().err


@pytest.mark.parametrize("tags", [{"sluice:stack": "Dev", "sluice:team": "shop"}, {"sluice:team": "sh_op"}])
def test_a_stack_whose_names_are_another_stacks_is_refused_with_the_owner(
    tags: dict[str, str], azure: AzureThatAnswers, capsys: pytest.CaptureFixture[str]
) -> None:
    azure.trouble["group"] = as_json({"id": GROUP, "tags": tags})
    assert command.main(PUBLISH.split()) == 2
    said = capsys.readouterr().err
    assert said.startswith("sluice: resource group rg-shop-dev belongs to stack ")
    assert f"of team {tags['sluice:team']}" in said
    assert "blob" not in azure.asked
    assert command.main(["doctor", "--stack", "dev"]) == 1
    assert "PROBLEM  names in azure: resource group rg-shop-dev belongs to stack" in capsys.readouterr().out


def test_a_name_that_azure_keeps_for_a_deleted_vault_is_told_with_the_line_to_write(
    azure: AzureThatAnswers, capsys: pytest.CaptureFixture[str]
) -> None:
    azure.trouble["kept vault"] = ABSENT
    command.main(["doctor", "--stack", "dev"])
    assert "and no deleted vault holds" in capsys.readouterr().out
    del azure.trouble["kept vault"]
    assert command.main(["doctor", "--stack", "dev"]) == 1
    said = capsys.readouterr().out
    assert "PROBLEM  names in azure: the key vault kv-shop-dev-" in said
    assert "Write the line `sluice:generation: 2` into Pulumi.dev.yaml" in said


def test_the_answer_and_the_log_are_printed_and_no_secret_is(
    azure: AzureThatAnswers, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(INVOKE.split()) == 0
    assert capsys.readouterr() == ("[1]\n", "")
    assert command.main(LOGS.split()) == 0
    assert capsys.readouterr() == ("the log\n", "")
