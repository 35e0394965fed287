"""The config of the bootstrap project: which team, which environment, whose ID tokens, which ids outside its group.

Pure; imports no Pulumi. `sluice new team` writes such a file, the platform team reviews and applies it. Errors are all
reported together, each with key, value, rule and fix.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, ValidationError, field_validator
from pydantic_core import PydanticCustomError

from arm_id import ArmId
from config_errors import explain_file
from config_values import MAX_TAGS, Location, ObjectId, Section, StackName, TagKey, TagValue, Team
from naming import NAME_PATTERN
from problem import Problem

__all__ = ["GITHUB_ISSUER", "AzureDevOps", "Environment", "FederatedSubject", "GitHub", "read_environment"]

GITHUB_ISSUER = "https://token.actions.githubusercontent.com"
STRUCTURED = frozenset({"stacks", "github", "azure_devops", "groups", "outside", "tags", "protect"})
"""Keys whose values Pulumi passes as JSON text."""
MAX_SUBJECTS = 20
"""Azure's limit of federated credentials for one identity."""

Text = Annotated[str, StringConstraints(pattern=r"^\S+$", max_length=600)]
Job = Literal["preview", "deploy"]


class FederatedSubject(Section):
    """Whose ID tokens an identity accepts."""

    issuer: str
    subject: str


class GitHub(Section):
    """The repositories whose workflows preview and deploy."""

    subject_prefixes: Annotated[tuple[Text, ...], Field(min_length=1)]
    """How subjects begin, one per repository, as GitHub prints them (`sub_claim_prefix`); case matters."""


class AzureDevOps(Section):
    """The service connections whose pipelines preview and deploy."""

    issuer: Annotated[str, StringConstraints(pattern=r"^https://\S+$")]
    """As the service connection shows it; it holds the tenant's or the organisation's id."""
    preview: Annotated[tuple[Text, ...], Field(min_length=1)]
    """Subjects of the service connections of previews."""
    deploy: Annotated[tuple[Text, ...], Field(min_length=1)]
    """Subjects of the service connections that deploy."""


class Environment(Section):
    """The keys `bootstrap:` of a file Pulumi.<name>.yaml in bootstrap/, and the region."""

    location: Location
    """Azure region of everything that bootstrap creates."""
    team: Team
    """`sluice:team` of the stack."""
    environment: Annotated[str, StringConstraints(pattern=NAME_PATTERN, min_length=2, max_length=24)]
    """With the team it names group and identities."""
    stacks: tuple[StackName, ...] = ()
    """Names of the stacks that pipelines preview and deploy. Default: <team>-<environment>."""
    github: GitHub | None = None
    """Workflows of GitHub."""
    azure_devops: AzureDevOps | None = None
    """Pipelines of Azure DevOps."""
    groups: tuple[ObjectId, ...] = ()
    """Object ids of the Entra groups that the stack may give roles to (`sluice:access`)."""
    outside: tuple[str, ...] = ()
    """ARM ids outside of the stack's group that the stack uses: of `existing`, `network`, `customer_key`."""
    tags: Annotated[dict[TagKey, TagValue], Field(max_length=MAX_TAGS)] = Field(default_factory=dict)
    """Tags of everything that bootstrap creates."""
    protect: bool = True
    """Protect state and secrets key against deletion, the key's vault against purging too."""

    @field_validator("outside")
    @classmethod
    def _ids_of_resources(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for one in value:
            try:
                ArmId.parse(one)
            except ValueError:
                raise PydanticCustomError(
                    "resource_id",
                    "must be ARM ids of resources, /subscriptions/<id>/resourceGroups/<group>/providers/..., got {id}",
                    {"id": one},
                ) from None
        return value

    @property
    def stack_names(self) -> tuple[str, ...]:
        """The stacks that pipelines preview and deploy."""
        return self.stacks or (f"{self.team}-{self.environment}",)

    def subjects(self, job: Job) -> tuple[FederatedSubject, ...]:
        """Whose ID tokens the identity of a job accepts; each once, in the order of the file."""
        ending = "-preview" if job == "preview" else ""
        found = [
            FederatedSubject(issuer=GITHUB_ISSUER, subject=f"{prefix}:environment:{stack}{ending}")
            for prefix in (self.github.subject_prefixes if self.github else ())
            for stack in self.stack_names
        ]
        if self.azure_devops:
            own = self.azure_devops
            found += [
                FederatedSubject(issuer=own.issuer, subject=one)
                for one in (own.preview if job == "preview" else own.deploy)
            ]
        return tuple(dict.fromkeys(found))


def read_environment(raw: Mapping[str, object], *, file: str) -> tuple[Environment | None, list[Problem]]:
    """The config, from its keys without the prefix; None with every reason if something is wrong."""
    try:
        environment = Environment.model_validate_json(json.dumps(raw, default=str))
    except ValidationError as error:
        return None, list(explain_file(error, model=Environment, file=file))
    problems = list(_between_keys(environment, file))
    return (None if problems else environment), problems


def _between_keys(environment: Environment, file: str) -> Iterator[Problem]:
    if environment.github is None and environment.azure_devops is None:
        yield Problem(
            "",
            "neither github nor azure_devops is set, so no pipeline could use the identities",
            "Add bootstrap:github with subject_prefixes, or bootstrap:azure_devops",
            file=file,
        )
    jobs: tuple[Job, ...] = ("preview", "deploy")
    for job in jobs:
        count = len(environment.subjects(job))
        if count > MAX_SUBJECTS:
            yield Problem(
                "stacks",
                f"stacks and repositories give {count} subjects for {job}, and Azure accepts {MAX_SUBJECTS} federated "
                "credentials for one identity",
                "Bootstrap some of the stacks or repositories as another environment",
                file=file,
            )
    both = {one.subject for one in environment.subjects("preview")} & {
        one.subject for one in environment.subjects("deploy")
    }
    for subject in sorted(both):
        yield Problem(
            "",
            f"the subject {subject} would be accepted for preview and for deploy, so a preview could deploy",
            "Give each job a subject of its own",
            file=file,
        )
