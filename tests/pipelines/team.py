"""A team whose pipelines run here: its repository on a git server, its two stacks on a local Azure.

It does what people do: change a stack file, open and merge pull requests, answer reviews. Everything else is done by
the pipelines, as `sluice ci init` has written them.
"""

import json
import subprocess
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import yaml

from localazure.identity import SUBSCRIPTION_ID
from rehearsal.environment import without_guards
from rehearsal.faults import add_fault
from tests.integration.rehearsal import MODEL, ROOT, SLUICE, Azure, Stack, copy_project
from tests.pipelines.repository import git
from tests.pipelines.runner import Ended, Runner
from tests.pipelines.server import Environment, PullRequest, Run, Server, System
from tests.pipelines.wire import serve
from toolchain import cli_environment

STACKS = ("dev", "prod")
PEOPLE = {"ana": "ana@acme.example", "bo": "bo@acme.example"}
HIDDEN = (
    *("PULUMI_BACKEND_URL", "PULUMI_CONFIG_PASSPHRASE", "PULUMI_STACK", "PULUMI_OPTION_CONFIG_FILE"),
    *("ARM_SUBSCRIPTION_ID", "AZURE_SUBSCRIPTION_ID", "SLUICE_RELEASE_LOCKS"),
)
"""What a shell of the local Azure has, and a hosted runner has not: the pipelines set it themselves."""
STEPS = [{"weight": 50, "bake": "4s"}, {"weight": 100, "bake": "4s"}]
PLAN = {
    "steps": STEPS,
    "gates": {"error_rate": {"max": 0.05, "vs_stable": 1.5}},
    "min_requests": 30,
    "step_deadline": "5m",
    "load": {"rpm": 1800},
}


def settle_team(azure: Azure) -> None:
    """Both stacks as a platform engineer leaves them: blue at 100 %."""
    for name in STACKS:
        Stack(azure, name, like=name).settle()


class Team:
    """The people of one repository."""

    def __init__(self, azure: Azure, system: System, folder: Path, *, stack_branches: bool = False) -> None:
        self.azure = azure
        self.stacks = {name: Stack(azure, name, like=name) for name in STACKS}
        self._resources = ExitStack()
        self.work = copy_project(folder / "person")
        self._begin(system, stack_branches=stack_branches)
        git(folder, "clone", "-q", "--bare", str(self.work), str(folder / "origin.git"))
        git(self.work, "remote", "add", "origin", str(folder / "origin.git"))
        self.server = self._resources.enter_context(serve(Server(system, folder / "origin.git")))
        self.server.environments = self._environments()
        (folder / "runs").mkdir()
        self.machine = self._machine(folder)
        self.runner = Runner(self.server, folder / "runs", self.machine)

    def close(self) -> None:
        """Stop the git server."""
        self._resources.close()

    def _begin(self, system: System, *, stack_branches: bool) -> None:
        (self.work / ".gitignore").write_text((ROOT / ".gitignore").read_text() + ".venv\n")
        (self.work / ".gitattributes").write_text("models/** -text\n")
        lock = self.azure.folder / "locks" / MODEL / "release.lock.yml"
        (self.work / "models" / MODEL / lock.name).write_text(lock.read_text())
        for name, stack in self.stacks.items():
            document = yaml.safe_load(stack.file.read_text())
            plan = dict(PLAN)
            if name == "prod":
                # The example's conda file has `python=3.11` and `pip`, which are no exact versions.
                document["config"]["sluice:limits"].update(max_step=50, require_pinned=False)
                plan["steps"] = [{**STEPS[0], "approve": True}, STEPS[1]]
            document["config"]["sluice:rollout"][MODEL]["plan"] = plan
            (self.work / f"Pulumi.{name}.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
        git(self.work, "init", "-q", "-b", "main")
        repository = "acme/models" if system == "github" else "acme/shop/models"
        branches = ["--stack-branches"] if stack_branches else []
        command = [
            str(SLUICE),
            "ci",
            "init",
            system,
            "--stacks",
            ",".join(STACKS),
            "--repository",
            repository,
            *branches,
        ]
        done = subprocess.run(command, cwd=self.work, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        self._commit("ana", "The pipelines")

    def _environments(self) -> dict[str, Environment]:
        azure = {"AZURE_SUBSCRIPTION_ID": SUBSCRIPTION_ID, "ARM_SUBSCRIPTION_ID": SUBSCRIPTION_ID}
        variables = {**azure, "PULUMI_BACKEND_URL": f"file://{self.azure.folder / 'state'}"}
        secrets = {"PULUMI_CONFIG_PASSPHRASE": ""}
        found = {}
        for stack in STACKS:
            found[f"{stack}-preview"] = Environment(False, False, variables, secrets)
            found[stack] = Environment(True, False, variables, secrets)
            found[f"{stack}-rollback"] = Environment(True, False, variables, secrets)
            found[f"{stack}-approval"] = Environment(True, True)
        return found

    def _machine(self, folder: Path) -> dict[str, str]:
        """The variables of a hosted runner in a network where this Azure is the only one. Git has no user there."""
        (folder / "home").mkdir()
        kept = {name: value for name, value in self.azure.environment().items() if name not in HIDDEN}
        strange = ("GITHUB_", "GIT_", "PYTEST_", "TF_BUILD", "SYSTEM_", "BUILD_")
        kept = {name: value for name, value in kept.items() if not name.startswith(strange)}
        kept["PATH"] = cli_environment({**kept, "PATH": without_guards(kept["PATH"])})["PATH"]
        return {**kept, "HOME": str(folder / "home"), "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}

    def _commit(self, author: str, message: str) -> None:
        who = {f"GIT_{role}_NAME": author for role in ("AUTHOR", "COMMITTER")}
        who |= {f"GIT_{role}_EMAIL": PEOPLE[author] for role in ("AUTHOR", "COMMITTER")}
        git(self.work, "add", "-A")
        git(self.work, "commit", "-qm", message, environment=who)

    # What people do

    def change(self, branch: str, message: str, edit: Callable[[Path], None], *, author: str = "ana") -> None:
        """Commit a change on a branch that starts at main, and push it."""
        git(self.work, "fetch", "-q", "origin")
        git(self.work, "checkout", "-q", "-B", branch, "origin/main")
        edit(self.work)
        self._commit(author, message)
        git(self.work, "push", "-qf", "origin", f"HEAD:refs/heads/{branch}")

    def stack_file(self, stack: str, edit: Callable[[dict[str, Any]], None]) -> Callable[[Path], None]:
        """A change of a stack file's `config`."""

        def change(work: Path) -> None:
            file = work / f"Pulumi.{stack}.yaml"
            document = yaml.safe_load(file.read_text())
            edit(document["config"])
            file.write_text(yaml.safe_dump(document, sort_keys=False))

        return change

    def adds_green(self, stack: str = "dev") -> Callable[[Path], None]:
        """The new model: a colour at 0 %."""
        colours = ("sluice:endpoints", MODEL, "deployments")
        return self.stack_file(
            stack, lambda config: config[colours[0]][colours[1]][colours[2]].update(green={"instances": 1})
        )

    def propose(self, branch: str, title: str, edit: Callable[[Path], None], *, fork: bool = False) -> PullRequest:
        """Open a pull request with one change."""
        self.change(branch, title, edit)
        return self.server.open(branch, title, author="ana", fork=fork)

    def checks(self, request: PullRequest) -> dict[str, Ended]:
        """Run the checks and previews of a pull request."""
        return by_job(self.runner.run(self.server.pull_request_event(request)))

    def merges(self, request: PullRequest) -> list[Ended]:
        """Merge a pull request, and run what that starts."""
        ended = self.runner.run(self.server.merge(request, by="bo"))
        return [*ended, *self.runner.work()]

    def hour(self) -> list[Ended]:
        """The hourly run, and what it starts."""
        ended = self.runner.run(self.server.schedule("sluice-deliver"))
        return [*ended, *self.runner.work()]

    def approves(self, run: Run, state: Any = "approved") -> list[Ended]:
        """Answer a run that waits for a reviewer, and run what that starts."""
        self.server.review(run, state, by=self.account("bo"))
        return self.runner.work()

    def account(self, person: str) -> str:
        """How the git server names a person."""
        return person if self.server.system == "github" else PEOPLE[person]

    # What is there

    def traffic(self, stack: str) -> dict[str, int]:
        """The live weights of a stack."""
        return self.stacks[stack].live_traffic()

    def promotion(self) -> PullRequest | None:
        """The open pull request of a promotion."""
        return next((each for each in self.server.pull_requests if each.branch.startswith("promote/")), None)

    def events(self, stack: str, branch: str = "main") -> list[Mapping[str, Any]]:
        """The events of a stack's newest record."""
        listed = git(self.server.origin, "ls-tree", "-r", "--name-only", branch, "--", f"rollouts/{stack}").split()
        records = sorted(path for path in listed if path.endswith(".jsonl"))
        return [json.loads(line) for line in self.server.file(records[-1], branch).splitlines()] if records else []

    def breaks(self, stack: str, colour: str, share: int = 40) -> None:
        """Let a colour answer with errors from now on."""
        name = f"{self.stacks[stack].names.endpoint(MODEL)}/{colour}"
        add_fault(self.azure.home, kind="errors", name=name, share_percent=share)


def by_job(ended: list[Ended]) -> dict[str, Ended]:
    """What ran, by the name of its job."""
    return {each.job: each for each in ended}


def told(ended: list[Ended]) -> str:
    """What went on in some jobs, for a message."""
    return "\n".join(f"--- {each.pipeline} {each.job}: {each.code} {each.refusal}\n{each.output}" for each in ended)
