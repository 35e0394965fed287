"""What a person has to set up on the git server and in Azure before the pipelines run, as commands to copy.

Pure text. The reason for each setting is in docs/github.md and docs/azure-devops.md. Sources: the REST references of
GitHub and Azure DevOps and the help of `gh` and `az`; none of these commands was run here against the real services.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from delivery.pipelines.pipeline_files import FOLDERS, PREFIX, System

ISSUER = "https://token.actions.githubusercontent.com"
AUDIENCE = "api://AzureADTokenExchange"
PIPELINES = ("check", "preview", "preview-fork", "deliver", "approve", "rollback", "drift", "recover")
POLICIES = ("check", "preview", "preview-fork")
"""The pipelines that a build validation policy starts."""
BUILD_NAMESPACE = "33344d9c-fc72-4d6f-aba5-fa317101a7e9"
GIT_NAMESPACE = "2e9eb7ed-3c0a-47d4-87c1-0ffdd275fd87"
QUEUE_BUILDS = 128
CONTRIBUTE, CREATE_BRANCH, BYPASS_POLICIES_WHEN_PUSHING, CONTRIBUTE_TO_PULL_REQUESTS = 4, 16, 128, 16384


@dataclass(frozen=True, kw_only=True)
class Team:
    """Whose pipelines they are. `repository` is `owner/name` on GitHub, `organization/project/name` in Azure DevOps."""

    repository: str
    stacks: tuple[str, ...]
    """In the order of promotion."""
    branches: bool = False
    """Whether each stack has a branch of its own."""


@dataclass(frozen=True, kw_only=True)
class Section:
    """Some commands, and the reason for them."""

    title: str
    commands: tuple[str, ...]


def setup(system: System, team: Team) -> list[Section]:
    """What a person has to do, in this order."""
    return _github(team) if system == "github" else _azure_devops(team)


def as_text(sections: Sequence[Section]) -> str:
    """The sections as a shell script that a person reads and runs piece by piece."""
    parts = []
    for number, section in enumerate(sections, 1):
        parts.append(f"# {number}. {section.title}\n" + "\n".join(section.commands))
    return "\n\n".join(parts) + "\n"


def _github(team: Team) -> list[Section]:
    owner, _, _ = team.repository.partition("/")
    repository, place = f"repos/{team.repository}", f"--repo {team.repository}"
    main_only = """'{"deployment_branch_policy": {"protected_branches": false, "custom_branch_policies": true}}'"""
    deploying = [
        command
        for stack in team.stacks
        for command in (
            f"gh api --method PUT {repository}/environments/{stack}-preview",
            f"echo {main_only} | gh api --method PUT {repository}/environments/{stack} --input -",
            f"gh api --method POST {repository}/environments/{stack}/deployment-branch-policies -f name=main",
        )
    ]
    reviewing = [
        command
        for stack in team.stacks
        for command in (
            f"""echo '{{"prevent_self_review": true, "reviewers": [{{"type": "Team", "id": '"$TEAM_ID"'}}], """
            """"deployment_branch_policy": {"protected_branches": false, "custom_branch_policies": true}}' """
            f"| gh api --method PUT {repository}/environments/{stack}-approval --input -",
            f"gh api --method POST {repository}/environments/{stack}-approval/deployment-branch-policies -f name=main",
        )
    ]
    federated = [
        f"az identity federated-credential create --resource-group $IDENTITY_GROUP --identity-name sluice-{name} "
        f'--name github --issuer {ISSUER} --audiences {AUDIENCE} --subject "${{SUBJECT}}:environment:{name}"'
        for name in _identities(team)
    ]
    return [
        Section(
            title="Environments: only main deploys, and a delivery needs no review",
            commands=tuple(deploying),
        ),
        Section(
            title="Environments of approvals: a reviewer who did not start the run. In private repositories reviewers "
            "need GitHub Enterprise",
            commands=(
                f'TEAM_ID=$(gh api orgs/{owner}/teams/<team> --jq .id) # a person: "type": "User" below, with the id '
                "of users/<name>",
                *reviewing,
            ),
        ),
        Section(
            title="The workflow may open the pull request of a promotion, and has no other right by itself",
            commands=(
                f"gh api --method PUT {repository}/actions/permissions/workflow -f default_workflow_permissions=read "
                "-F can_approve_pull_request_reviews=true",
            ),
        ),
        _identity_section(team),
        Section(
            title="Each identity trusts the jobs of its environment only. The prefix has numbers in repositories made "
            "since July 2026",
            commands=(
                f"SUBJECT=$(gh api {repository}/actions/oidc/customization/sub --jq .sub_claim_prefix)",
                *federated,
            ),
        ),
        _roles_section(team),
        Section(
            title="What each environment tells its jobs. The passphrase only where no key vault keeps the secrets",
            commands=tuple(
                command
                for name in _identities(team)
                for command in (
                    f"gh variable set AZURE_CLIENT_ID {place} --env {name} --body "
                    f"$(az identity show -g $IDENTITY_GROUP -n sluice-{name} --query clientId -o tsv)",
                    f"gh variable set AZURE_TENANT_ID {place} --env {name} --body "
                    "$(az account show --query tenantId -o tsv)",
                    f"gh variable set AZURE_SUBSCRIPTION_ID {place} --env {name} --body $SUBSCRIPTION",
                    f'gh variable set PULUMI_BACKEND_URL {place} --env {name} --body "$BACKEND"',
                    f"gh secret set PULUMI_CONFIG_PASSPHRASE {place} --env {name}",
                )
            ),
        ),
        Section(
            title="main: " + ("the check is required; " if team.branches else "") + _who_pushes(team, "GITHUB_TOKEN"),
            commands=(_github_rule_set(team),),
        ),
    ]


def _github_rule_set(team: Team) -> str:
    rules = (
        '[{"type": "pull_request", "parameters": {"required_approving_review_count": 1, '
        '"dismiss_stale_reviews_on_push": true, "require_code_owner_review": false, '
        '"require_last_push_approval": true, '
        '"required_review_thread_resolution": false}}, '
        '{"type": "required_status_checks", "parameters": {"strict_required_status_checks_policy": false, '
        '"required_status_checks": [{"context": "check"}]}}]'
    )
    if not team.branches:
        return (
            "# make no rule set that refuses pushes to main or requires a check: without branches of their own, the "
            "stacks keep records and weights in main"
        )
    return (
        f"""echo '{{"name": "main", "target": "branch", "enforcement": "active", "conditions": {{"ref_name": """
        f"""{{"include": ["refs/heads/main"], "exclude": []}}}}, "rules": {rules}}}' """
        f"| gh api --method POST repos/{team.repository}/rulesets --input -"
    )


def _who_pushes(team: Team, account: str) -> str:
    if team.branches:
        return "pipelines push to " + ", ".join(f"sluice/{stack}" for stack in team.stacks) + " only"
    return f"{account} pushes records and weights there, so a rule that refuses its pushes stops every rollout"


def _identities(team: Team) -> list[str]:
    return [name for stack in team.stacks for name in (f"{stack}-preview", stack)]


def _identity_section(team: Team) -> Section:
    return Section(
        title="Two identities for each stack: one that only reads, for previews, and one that deploys",
        commands=(
            "IDENTITY_GROUP=<resource group of the identities>",
            "SUBSCRIPTION=<subscription of the stacks>",
            "BACKEND='azblob://state?storage_account=<account>'",
            *(
                f"az identity create --resource-group $IDENTITY_GROUP --name sluice-{name}"
                for name in _identities(team)
            ),
        ),
    )


def _roles_section(team: Team) -> Section:
    def assign(name: str, role: str, scope: str) -> str:
        return (
            f"az role assignment create --role '{role}' --scope {scope} --assignee-principal-type ServicePrincipal "
            f"--assignee-object-id $(az identity show -g $IDENTITY_GROUP -n sluice-{name} --query principalId -o tsv)"
        )

    scope = "/subscriptions/$SUBSCRIPTION"
    return Section(
        title="Their roles; $STATE is the ARM id of the container that holds the state",
        commands=(
            "STATE=<ARM id of the container>",
            *(
                command
                for stack in team.stacks
                for command in (
                    assign(f"{stack}-preview", "Reader", scope),
                    assign(f"{stack}-preview", "Storage Blob Data Reader", "$STATE"),
                    assign(stack, "Contributor", scope),
                    assign(stack, "Role Based Access Control Administrator", scope),
                    assign(stack, "Storage Blob Data Contributor", scope),
                    assign(stack, "Storage Blob Data Contributor", "$STATE"),
                )
            ),
        ),
    )


def _azure_devops(team: Team) -> list[Section]:
    organization, project, repository = team.repository.split("/")
    folder = FOLDERS["azure-devops"]
    token = "repoV2/$PROJECT_ID/$REPOSITORY_ID"
    bits = CONTRIBUTE + CREATE_BRANCH + CONTRIBUTE_TO_PULL_REQUESTS
    allow_git = (
        f'az devops security permission update --namespace-id {GIT_NAMESPACE} --subject "$BUILD_SERVICE" --token'
    )
    bypass = "" if team.branches else "Bypass policies when pushing, because build validation is a policy of main; "
    environments = [
        f"""echo '{{"name": "{name}"}}' > body.json && az devops invoke --http-method POST --area distributedtask """
        f"--resource environments --route-parameters project=$PROJECT_ID --in-file body.json --api-version 7.1"
        for stack in team.stacks
        for name in (stack, f"{stack}-rollback", f"{stack}-approval")
    ]
    checks = [
        f"# {stack}: branch control (refs/heads/main), exclusive lock; {stack}-rollback: branch control, no lock; "
        f"{stack}-approval: branch control and approvers, who must not approve their own runs, and no lock"
        for stack in team.stacks
    ]
    rights = (
        "# the build service: Reader of each environment (its Security); Edit work items in this node of the area path "
        "(Project settings, Project configuration, Areas)"
    )
    return [
        Section(
            title="The project",
            commands=(
                f"az devops configure --defaults organization=https://dev.azure.com/{organization} project='{project}'",
                f"PROJECT_ID=$(az devops project show --project '{project}' --query id -o tsv)",
                f"REPOSITORY_ID=$(az repos show --repository '{repository}' --query id -o tsv)",
                f'BUILD_SERVICE="{project} Build Service ({organization})"',
            ),
        ),
        Section(
            title="The pipelines, with these names: deliveries start approvals by name",
            commands=tuple(
                f"az pipelines create --name {PREFIX}{name} --repository '{repository}' --repository-type tfsgit "
                f"--branch main --yaml-path {folder}/{PREFIX}{name}.yml --skip-first-run true"
                for name in PIPELINES
            ),
        ),
        Section(
            title="Build validation of main starts check and previews; `pr:` does nothing in Azure Repos",
            commands=tuple(
                f"az repos policy build create --branch main --repository-id $REPOSITORY_ID --enabled true --blocking "
                f"{'true' if name == 'check' else 'false'} --display-name {PREFIX}{name} --manual-queue-only false "
                f"--queue-on-source-update-only true --valid-duration 720 --build-definition-id "
                f"$(az pipelines show --name {PREFIX}{name} --query id -o tsv)"
                for name in POLICIES
            ),
        ),
        Section(
            title="The build service may push records, open branches and pull requests, and start pipelines: "
            f"Contribute, Create branch, Contribute to pull requests, Queue builds; {bypass}"
            + _who_pushes(team, "the build service"),
            commands=(
                f"{allow_git} {token} --allow-bit {bits}",
                *([f"{allow_git} {token} --allow-bit {BYPASS_POLICIES_WHEN_PUSHING}"] if bypass else []),
                f'az devops security permission update --namespace-id {BUILD_NAMESPACE} --subject "$BUILD_SERVICE" '
                f"--token $PROJECT_ID --allow-bit {QUEUE_BUILDS}",
            ),
        ),
        Section(
            title="Environments; their checks are set in the browser: Environments, the name, Approvals and checks",
            commands=(*environments, *checks, rights),
        ),
        _identity_section(team),
        Section(
            title="Service connections, in the browser: Azure Resource Manager, workload identity federation (manual), "
            "with the client id of the identity. Each shows issuer and subject, which its identity has to trust. "
            "Those that deploy get branch control: refs/heads/main",
            commands=tuple(
                f"# connection sluice-{name}: az identity federated-credential create --resource-group $IDENTITY_GROUP "
                f"--identity-name sluice-{name} --name azure-devops --issuer <issuer> --subject <subject> "
                f"--audiences {AUDIENCE}"
                for name in _identities(team)
            ),
        ),
        _roles_section(team),
        Section(
            title="What each stack's jobs are told. The passphrase only where no key vault keeps the secrets",
            commands=tuple(
                f"az pipelines variable-group create --name sluice-{name} --authorize false --variables "
                f'ARM_SUBSCRIPTION_ID=$SUBSCRIPTION PULUMI_BACKEND_URL="$BACKEND" '
                f"# then: az pipelines variable-group variable create --secret true --name PULUMI_CONFIG_PASSPHRASE"
                for name in _identities(team)
            ),
        ),
    ]
