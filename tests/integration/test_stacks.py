"""Whole stacks: prod comes up private and protected, a failed deployment is replaced, a refused upload has its fix."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from rollout.errors import EngineError, EngineFailed
from tests.integration.rehearsal import MODEL, ROOT, Azure, Stack, copy_project

pytestmark = pytest.mark.integration


def test_prod_comes_up_and_its_next_update_is_empty(prod: Stack) -> None:
    preview = prod.engine.preview()
    assert preview.is_empty, list(map(str, preview.changes))
    assert prod.live_traffic() == {"blue": 100}
    assert prod.live_deployments()["blue"]["sku"]["capacity"] == 3


def test_prod_is_closed_to_the_public(prod: Stack) -> None:
    resources = prod.engine.export()["deployment"]["resources"]
    access = {
        resource["urn"].rsplit("::", 1)[-1]: value
        for resource in resources
        for inputs in [resource.get("inputs") or {}]
        for value in [inputs.get("publicNetworkAccess") or (inputs.get("properties") or {}).get("publicNetworkAccess")]
        if value
    }
    assert len(access) >= 5
    assert set(map(str.lower, access.values())) == {"disabled"}, access


def test_prod_is_not_destroyed_by_one_command(prod: Stack) -> None:
    before = prod.snapshot()
    with pytest.raises(EngineError, match="protect"):
        prod.engine.destroy()
    assert prod.snapshot()[1:] == before[1:]


def test_a_deployment_that_failed_is_replaced_at_0(azure: Azure, tmp_path: Path) -> None:
    project = copy_project(tmp_path / "checkout")
    script = project / "models" / MODEL / "src" / "score.py"
    good = script.read_text()
    stack = Stack(azure, "broken", project=project)
    stack.engine.up()
    broken = good.replace("def init():\n", "def init():\n    raise RuntimeError('no such feature')\n", 1)
    assert broken != good
    script.write_text(broken)
    stack.publish("blue")
    with pytest.raises(EngineFailed, match="blue"):
        stack.engine.up()
    assert stack.live_deployments()["blue"]["properties"]["provisioningState"] == "Failed"
    assert "no such feature" in stack.sluice("deployment-logs", MODEL, "blue").stdout
    script.write_text(good)
    stack.publish("blue")
    stack.settle()
    assert stack.live_deployments()["blue"]["properties"]["provisioningState"] == "Succeeded"
    assert stack.live_traffic() == {"blue": 100}
    assert stack.engine.preview().is_empty


@pytest.fixture(scope="module")
def restricted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azure]:
    """Another local Azure, whose caller is outside the private network and has no role."""
    azure = Azure.started(tmp_path_factory.mktemp("restricted"), "--outside-network", "--caller-without-data-roles")
    yield azure
    azure.stop()


@pytest.mark.parametrize(
    ("like", "reasons"),
    [("prod", ("network",)), ("dev", ("Storage Blob Data Contributor", "az role assignment create"))],
)
def test_publishing_that_is_not_allowed_names_the_way_out(
    restricted: Azure, like: str, reasons: tuple[str, ...]
) -> None:
    stack = Stack(restricted, like, like=like)
    stack.engine.up()
    refused = stack.sluice("release", "publish", MODEL, "--stack", like, expect=2)
    for reason in reasons:
        assert reason in refused.stderr
    assert not list((restricted.folder / "locks").rglob("release.lock.yml"))


def test_two_local_azures_do_not_know_each_other(azure: Azure, restricted: Azure) -> None:
    assert azure.url != restricted.url
    assert json.loads((restricted.home.path / "server.json").read_text())["https"] == restricted.url
    assert ROOT not in restricted.home.path.parents
