"""`sluice release verify --stack` against the local Azure: equal after an update, different where a person edits."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from tests.integration.rehearsal import MODEL, Azure, Stack

OVERWRITE = """
import sys
from cli.release import container_of, publishing_place
credential, destination = publishing_place("dev")
with container_of(destination, credential) as container:
    blob = next(one.name for one in container.list_blobs("sluice/") if one.name.endswith("score.py"))
    client = container.get_blob_client(blob)
    was = client.get_blob_properties()
    client.upload_blob(b"#" * was.size, overwrite=True, metadata=was.metadata)
print(blob)
"""
"""Other bytes of the same size, under the metadata of the right ones."""


def verify(stack: Stack, *options: str, expect: int) -> list[dict[str, Any]]:
    said = stack.sluice("release", "verify", "--stack", stack.name, "--json", *options, expect=expect).stdout
    checks: list[dict[str, Any]] = json.loads(said)["stack"]
    return checks


def test_a_settled_stack_is_equal_and_what_a_person_changed_is_found(simulated_azure: Azure) -> None:
    dev = Stack(simulated_azure, "dev")
    checks = verify(dev, "--deep", expect=0)
    assert {(one["colour"], one["layer"]) for one in checks} >= {("blue", "storage"), ("green", "Azure")}
    assert all(one["equal"] for one in checks)

    done = subprocess.run(
        [sys.executable, "-c", OVERWRITE], cwd=dev.project, env=dev.environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert all(one["equal"] for one in verify(dev, expect=0))
    different = [one for one in verify(dev, "--deep", expect=1) if not one["equal"]]
    assert {(one["endpoint"], one["layer"]) for one in different} == {(MODEL, "storage")}
    assert f"the bytes of {done.stdout.strip()} have the SHA-256" in different[0]["problems"][0]

    deployment = f"{dev.endpoint_id}/deployments/green"
    tags = {**simulated_azure.get(deployment)["tags"], "sluice:release": "f" * 16}
    status, said = simulated_azure.request("PATCH", deployment, {"tags": tags})
    assert status in (200, 202), said
    (tagged,) = [one for one in verify(dev, expect=1) if not one["equal"]]
    assert (tagged["colour"], tagged["layer"]) == ("green", "Azure")
    assert "the tag sluice:release is ffffffffffffffff" in tagged["problems"][0]


def test_an_azure_that_does_not_answer_ends_with_4(simulated_azure: Azure) -> None:
    dev = Stack(simulated_azure, "dev")
    dev.environment["ARM_CLOUD_METADATA_URL"] = "https://127.0.0.1:9/metadata"  # where no server listens
    dev.sluice("release", "verify", "--stack", "dev", expect=4)
