"""A release that dev has proven, and the two stacks' files, for the tests of promotions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from delivery.promotion.promote import Promotion, plan_promotion
from delivery.promotion.promotion_request import PromotionRequest
from delivery.proofs.verification import Verifier
from models.errors import ModelError
from models.release_document import Environment, ReleaseDocument
from models.spec import DeploymentSpec, digest_of, environment_digest
from rollout_config import PlanSettings
from tests.delivery.records import BLUE, HOST, ID, content_of, done
from tests.rollout.record.rollouts import PLAN, T0, Story

MODEL = "fraud-detection"
REGISTRY = "azureml://registries/azureml/environments/sklearn/versions/3"
COMMIT = "c0" * 20

DEV = """\
config:
  sluice:network: public
  sluice:endpoints:
    fraud-detection: {deployments: {blue: {instances: 1}, green: {instances: 1, sku: Standard_F2s_v2}}}
  sluice:rollout:
    fraud-detection: {stable: green, traffic: {blue: 0, green: 100}}
"""
PROD = """\
# prod: ask Ana before you change it
config:
  sluice:network: private
  sluice:endpoints:
    fraud-detection:
      deployments:
        blue:
          instances: 3  # three zones
          sku: Standard_DS3_v2
          autoscale: {min: 3, max: 10, default: 3}
  sluice:rollout:
    fraud-detection: {stable: blue, traffic: {blue: 100}}
"""


def document(
    body: Mapping[str, Any] | None = None, environment: str | None = REGISTRY, image: str | None = None
) -> ReleaseDocument:
    """A release without files of its own, in an environment of a registry or of an image."""
    digest = environment_digest(image, None, None) if image else None
    settings: dict[str, Any] = {
        **{"release": 1, "body": dict(body or {}), "model": None, "code": None, "scoring_script": None},
        "environment": {"content": digest} if digest else {"reference": environment},
    }
    return ReleaseDocument(
        model=MODEL,
        content=digest_of(settings),
        settings=settings,
        conda=None,
        files=(),
        commit=COMMIT,
        environment=Environment(image=image, name=None, inference_config=None) if image else None,
        defaults={
            **{"body": {}, "instance_type": "Standard_F2s_v2", "instance_count": 1, "autoscale": None, "tags": {}}
        },
    )


RELEASE = document({"environmentVariables": {"DB": "dev.example"}})


def spec(instance_type: str = "Standard_DS3_v2", instance_count: int = 1, **other: Any) -> DeploymentSpec:
    """What a stable colour serves."""
    values: dict[str, Any] = {"model": None, "code": None, "scoring_script": None, "environment": None}
    return DeploymentSpec(
        **{"name": "blue", "body": {}, "instance_type": instance_type, "instance_count": instance_count, "tags": {}},
        **{**values, "autoscale": None, **other},
    )


@dataclass
class FakeReleases:
    """`promotion.Releases`: green is `RELEASE`, blue is something else."""

    contents: Mapping[str, str] = field(default_factory=lambda: {"blue": BLUE, "green": RELEASE.content})
    frozen: ReleaseDocument = RELEASE
    stable: DeploymentSpec = field(default_factory=spec)
    asked: list[str] = field(default_factory=list)

    def content(self, colour: str) -> str:
        if colour not in self.contents:
            raise ModelError(f"there is no {colour}.yml")
        return self.contents[colour]

    def freeze(self, colour: str) -> ReleaseDocument:
        self.asked.append(f"freeze {colour}")
        return self.frozen

    def deployment(self, colour: str, pin: str | None) -> DeploymentSpec:
        self.asked.append(f"read {colour} {pin}")
        return self.stable


def proven(release: ReleaseDocument = RELEASE, plan: PlanSettings = PLAN, **started: Any) -> Story:
    """A rollout of green in dev that ended well with this release."""
    colours = {
        "blue": {"release": "b" * 16, "content": BLUE},
        "green": {"release": "a" * 16, "content": release.content},
    }
    return done(plan, colours=colours, **started)


@dataclass
class Tip:
    """The tip of main, which has the records; `stack_place.Files` and `promotion.Base`."""

    files: dict[str, bytes] = field(default_factory=dict)
    branch: str = "main"
    tip: str = "f" * 40

    def read(self, path: str) -> bytes | None:
        return self.files.get(path)

    def rollouts(self, stack: str) -> tuple[tuple[str, str], ...]:
        parts = [path.split("/") for path in self.files if path.startswith(f"rollouts/{stack}/")]
        return tuple(sorted((name.removesuffix(".jsonl"), endpoint) for _, _, endpoint, name in parts))


def record(story: Story, rollout: str = ID, stack: str = "dev") -> dict[str, bytes]:
    return {f"rollouts/{stack}/{MODEL}/{rollout}.jsonl": content_of(story)}


def tip(*stories: dict[str, bytes], dev: str = DEV, prod: str = PROD) -> Tip:
    files = {"Pulumi.dev.yaml": dev.encode(), "Pulumi.prod.yaml": prod.encode()}
    for story in stories or (record(proven()),):
        files |= story
    return Tip(files)


NOW = T0 + 10_000
REQUEST = PromotionRequest(endpoint=MODEL, source="dev", target="prod")
PROOFS = f"models/{MODEL}/releases/{RELEASE.short}.proofs.jsonl"


def plan(
    main: Tip, request: PromotionRequest = REQUEST, releases: FakeReleases | None = None, now: int = NOW
) -> Promotion:
    verifier = Verifier(files_of=lambda stack: main, project="sluice", arm_host=HOST)
    return plan_promotion(request, main, releases or FakeReleases(), verifier, lambda stack: main, now=now)
