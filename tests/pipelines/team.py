"""A team whose pipelines run here: its repository on a git server, its two stacks on a local Azure.

It does what people do: change a stack file, open and merge pull requests, answer reviews. Everything else is done by
the pipelines, as `sluice ci init` has written them.
"""

import contextlib
import hashlib
import json
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from cache_folder import cache_folder
from localazure.identity import SUBSCRIPTION_ID
from rehearsal.environment import without_guards
from rehearsal.faults import add_fault
from tests.integration.rehearsal import MODEL, ROOT, SLUICE, Azure, Stack, copy_project, processes_with
from tests.pipelines.narrative import Narrative
from tests.pipelines.repository import git
from tests.pipelines.runner import Ended, Runner
from tests.pipelines.server import Environment, PullRequest, Run, Server, System
from tests.pipelines.wire import serve
from tests.waiting import wait_until
from toolchain import cli_environment

STACKS = ("dev", "prod")
Edit = Callable[[Path], None]
"""A change of the files of a clone."""
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


class BlueOnly(Stack):
    """A stack to which only what serves is published: the pipelines publish what comes."""

    def publish(self, *deployments: str) -> None:
        """`sluice release publish` of blue."""
        super().publish(*(deployments or ("blue",)))


def settle_team(azure: Azure) -> None:
    """Both stacks as a platform engineer leaves them: blue at 100 %."""
    for name in STACKS:
        BlueOnly(azure, name, like=name).settle()


class Team:
    """The people of one repository. Without an Azure, the pipelines can do what needs none: checks and refusals.

    With `stack_branches`, `main` is protected, and each stack has a branch of its own, which pipelines alone write.
    """

    def __init__(self, azure: Azure | None, system: System, folder: Path, *, stack_branches: bool = False) -> None:
        self._azure = azure
        self.stacks = {name: Stack(azure, name, like=name) for name in STACKS} if azure else {}
        self._resources = ExitStack()
        self.narrative = Narrative()
        self.work = copy_project(folder / "person")
        self._begin(system, stack_branches=stack_branches)
        git(folder, "clone", "-q", "--bare", str(self.work), str(folder / "origin.git"))
        git(self.work, "remote", "add", "origin", str(folder / "origin.git"))
        self.server = self._resources.enter_context(serve(Server(system, folder / "origin.git")))
        self.server.environments = self._environments(folder)
        self._stack_branches = stack_branches
        if stack_branches:
            self.server.protect_main()
        (folder / "runs").mkdir()
        self.machine = self._machine(folder)
        self.runner = self.runner_of_its_own()

    @property
    def azure(self) -> Azure:
        """The local Azure."""
        assert self._azure, "this team has no Azure"
        return self._azure

    def runner_of_its_own(self) -> Runner:
        """A runner that knows of no other: neither groups nor locks keep their jobs apart."""
        return Runner(self.server, self.work.parent / "runs", self.machine)

    def close(self) -> None:
        """Stop the git server."""
        self._resources.close()

    def _begin(self, system: System, *, stack_branches: bool) -> None:
        (self.work / ".gitignore").write_text((ROOT / ".gitignore").read_text() + ".venv\n")
        (self.work / ".gitattributes").write_text("models/** -text\n")
        if self._azure:
            lock = self._azure.folder / "locks" / MODEL / "release.lock.yml"
            (self.work / "models" / MODEL / lock.name).write_text(lock.read_text())
        for name in STACKS:
            file = self.stacks[name].file if self._azure else ROOT / f"Pulumi.{name}.yaml"
            document = yaml.safe_load(file.read_text())
            plan = dict(PLAN)
            if name == "prod":
                # The example's conda file has `python=3.11` and `pip`, which are no exact versions.
                document["config"]["sluice:limits"].update(max_step=50, require_pinned=False)
                plan["steps"] = [{**STEPS[0], "approve": True}, *STEPS[1:]]
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

    def _environments(self, folder: Path) -> dict[str, Environment]:
        azure = {"AZURE_SUBSCRIPTION_ID": SUBSCRIPTION_ID, "ARM_SUBSCRIPTION_ID": SUBSCRIPTION_ID}
        variables = {
            **azure,
            "PULUMI_BACKEND_URL": f"file://{(self._azure.folder if self._azure else folder) / 'state'}",
        }
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
        shell = {**os.environ, "XDG_CACHE_HOME": str(cache_folder(os.environ).parent)}
        given = self._azure.environment() if self._azure else shell
        kept = {name: value for name, value in given.items() if name not in HIDDEN}
        strange = ("GITHUB_", "GIT_", "PYTEST_", "TF_BUILD", "SYSTEM_", "BUILD_")
        kept = {name: value for name, value in kept.items() if not name.startswith(strange)}
        kept["PATH"] = cli_environment({**kept, "PATH": without_guards(kept["PATH"])})["PATH"]
        return {**kept, "HOME": str(folder / "home"), "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}

    def _commit(self, author: str, message: str) -> None:
        git(self.work, "add", "-A")
        git(self.work, "commit", "-qm", message, environment=self.identity(author))

    # What people do

    def change(self, branch: str, message: str, edit: Edit, *, author: str = "ana") -> None:
        """Commit a change on a branch that starts at main, and push it."""
        git(self.work, "fetch", "-q", "origin")
        git(self.work, "checkout", "-q", "-B", branch, "origin/main")
        edit(self.work)
        self._commit(author, message)
        git(self.work, "push", "-qf", "origin", f"HEAD:refs/heads/{branch}")

    def stack_file(self, stack: str, edit: Callable[[dict[str, Any]], None]) -> Edit:
        """A change of a stack file's `config`."""

        def change(work: Path) -> None:
            file = work / f"Pulumi.{stack}.yaml"
            document = yaml.safe_load(file.read_text())
            edit(document["config"])
            file.write_text(yaml.safe_dump(document, sort_keys=False))

        return change

    def adds_green(self, stack: str = "dev", **settings: Any) -> Edit:
        """The new model: a colour at 0 %."""
        wanted = {"instances": 1, **settings}
        return self.stack_file(
            stack, lambda config: config["sluice:endpoints"][MODEL]["deployments"].update(green=wanted)
        )

    def resizes(self, stack: str, colour: str, instances: int) -> Edit:
        """Another number of instances."""
        return self.stack_file(
            stack,
            lambda config: config["sluice:endpoints"][MODEL]["deployments"][colour].update(instances=instances),
        )

    def plans(self, stack: str, **each: Any) -> Edit:
        """Something else in every step, such as another bake, and an hour for each."""
        steps = [{**step, **each} for step in STEPS]
        return self.stack_file(
            stack, lambda config: config["sluice:rollout"][MODEL]["plan"].update(steps=steps, step_deadline="1h")
        )

    def removes(self, stack: str, colour: str) -> Edit:
        """One colour less: what taking its promotion back does to the stack file."""
        return self.stack_file(stack, lambda config: config["sluice:endpoints"][MODEL]["deployments"].pop(colour))

    def propose(self, branch: str, title: str, edit: Edit, *, fork: bool = False) -> PullRequest:
        """Open a pull request with one change."""
        self.change(branch, title, edit)
        request = self.server.open(branch, title, author="ana", fork=fork)
        self.narrative.tell(f"ana opens pull request {request.number}: {title}")
        return request

    def checks(self, request: PullRequest) -> dict[str, Ended]:
        """Run the checks and previews of a pull request."""
        ended = self.runner.run(self.server.pull_request_event(request))
        self.tells(f"pull request {request.number} is checked", ended)
        for text in self.comments(request):
            self.narrative.comment(text)
        return by_job(ended)

    def merges(self, request: PullRequest) -> list[Ended]:
        """Merge a pull request, and run what that starts, to the end."""
        ended = self.runner.run(self.server.merge(request, by="bo"))
        self.tells(f"bo merges pull request {request.number}: {request.title}", ended)
        return [*ended, *self.goes_on()]

    def goes_on(self) -> list[Ended]:
        """Run what was dispatched and answered."""
        ended = self.runner.work()
        if ended:
            self.tells("what was dispatched runs", ended)
        return ended

    def tells(self, happened: str, ended: list[Ended]) -> None:
        """Keep for the page of stories what happened, what ran, and what serves now."""
        self.narrative.tell(happened)
        self.narrative.jobs(ended)
        for name, stack in self.stacks.items():
            if self.azure.request("GET", stack.endpoint_id)[0] == 200:
                self.narrative.tell(f"{name} serves {shown(self.traffic(name))}")

    def in_background(self, work: Callable[[], list[Ended]]) -> Callable[[], list[Ended]]:
        """Begin something; the result waits for its end."""
        found: list[Ended] = []
        thread = threading.Thread(target=lambda: found.extend(work()), daemon=True)
        thread.start()

        def ended() -> list[Ended]:
            thread.join()
            return found

        return ended

    def hour(self) -> list[Ended]:
        """The hourly run, and what it starts."""
        ended = self.runner.run(self.server.schedule("sluice-deliver"))
        self.tells("an hour has passed", ended)
        return [*ended, *self.goes_on()]

    def lands(self, request: PullRequest) -> None:
        """Merge a pull request without what the push starts: what a story is about comes next."""
        self.server.merge(request, by="bo")
        self.narrative.tell(f"bo merges pull request {request.number}: {request.title}")

    def starts(self, stack: str) -> None:
        """Start the delivery to one stack by hand."""
        self.server.dispatch("sluice-deliver", by=self.account("bo"), stack=stack)

    def delivers(self, stack: str) -> list[Ended]:
        """Start the delivery to one stack by hand, and run what that starts."""
        self.starts(stack)
        ended = self.runner.work()
        self.tells(f"bo starts the delivery to {stack}", ended)
        return ended

    def is_killed_at(self, moment: Any, stack: str) -> list[Ended]:
        """Deliver to one stack by hand, and take its machine away while the world is held at a moment."""
        self.starts(stack)
        before = self.runner.process
        with moment:
            work = self.in_background(self.runner.work)
            wait_until(lambda: self.runner.process is not before, "the command begins")
            process = self.runner.process
            assert process is not None
            reached = moment.reached(process)
            while left := processes_with(str(self.work.parent / "runs")):
                for pid in left:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
        ended = work()
        assert reached, told(ended)
        return ended

    def approves(self, run: Run, state: Any = "approved") -> list[Ended]:
        """Answer a run that waits for a reviewer, and run what that starts."""
        self.server.review(run, state, by=self.account("bo"))
        self.narrative.tell(f"bo answers run {run.id}: {state}")
        return self.goes_on()

    def squashes_main(self) -> None:
        """Rewrite main: all that came after the first commit becomes one commit, and the rest is gone."""
        first = git(self.server.origin, "rev-list", "--max-parents=0", "main").strip()
        message = ("main^{tree}", "-p", first, "-m", "everything until now")
        alone = git(self.server.origin, "commit-tree", *message, environment=self.identity("bo")).strip()
        git(self.server.origin, "update-ref", "refs/heads/main", alone)
        self.narrative.tell("bo squashes and rewrites main")

    def takes_down(self, stack: str) -> None:
        """Remove everything that a stack has in Azure."""
        live = self.stacks[stack]
        emptied = live.live_endpoint()
        emptied["properties"]["traffic"] = {}
        status, answer = self.azure.request("PUT", live.endpoint_id, emptied)
        assert status in (200, 201), answer
        removed = self.sluice("remove", "--stack", stack, "--yes")
        assert removed.returncode == 0, removed.stdout + removed.stderr
        self.narrative.tell(f"ana takes {stack} down: `sluice remove --stack {stack}`")

    def account(self, person: str) -> str:
        """How the git server names a person."""
        return person if self.server.system == "github" else PEOPLE[person]

    def sluice(self, *words: str, ref: str = "main") -> "subprocess.CompletedProcess[str]":
        """Run `sluice` in a fresh clone, with the variables of the dev stack's environment."""
        clone = self.work.parent / f"clone-{len(list(self.work.parent.iterdir()))}"
        git(self.work.parent, "clone", "-q", "--depth=1", "--branch", ref, f"file://{self.server.origin}", str(clone))
        (clone / ".venv").symlink_to(ROOT / ".venv")
        given = self.server.environments["dev"]
        variables = {**self.machine, **given.variables, **given.secrets, **self.identity("ana")}
        command = [str(SLUICE), *words]
        return subprocess.run(command, cwd=clone, env=variables, capture_output=True, text=True)

    def identity(self, person: str) -> dict[str, str]:
        """Who commits."""
        parts = {"NAME": person, "EMAIL": PEOPLE[person]}
        return {f"GIT_{role}_{part}": said for role in ("AUTHOR", "COMMITTER") for part, said in parts.items()}

    # What is there

    def comments(self, request: PullRequest) -> list[str]:
        """The comments on a pull request."""
        if self.server.system == "github":
            return [comment["body"] for comment in request.comments]
        return [thread["comments"][0]["content"] for thread in request.comments]

    def traffic(self, stack: str) -> dict[str, int]:
        """The live weights of a stack."""
        return self.stacks[stack].live_traffic()

    def promotion(self) -> PullRequest | None:
        """The open pull request of a promotion."""
        open_ones = (each for each in self.server.pull_requests if each.state == "open")
        return next((each for each in open_ones if each.branch.startswith("promote/")), None)

    def branch(self, stack: str) -> str:
        """The branch that keeps a stack's records and weights."""
        return f"sluice/{stack}" if self._stack_branches else "main"

    def records(self, stack: str) -> list[str]:
        """The paths of a stack's records, oldest first."""
        where = (self.branch(stack), "--", f"rollouts/{stack}")
        listed = git(self.server.origin, "ls-tree", "-r", "--name-only", *where).split()
        return sorted(path for path in listed if path.endswith(".jsonl"))

    def events(self, stack: str) -> list[Mapping[str, Any]]:
        """The events of a stack's newest record."""
        records = self.records(stack)
        lines = self.server.file(records[-1], self.branch(stack)).splitlines() if records else []
        return [json.loads(line) for line in lines]

    def documented(self, stack: str, colour: str) -> dict[str, str]:
        """The files of the release document that a stack pins for a colour: SHA-256 by part and path."""
        config = yaml.safe_load(self.server.file(f"Pulumi.{stack}.yaml"))["config"]
        release = config["sluice:endpoints"][MODEL]["deployments"][colour]["release"]
        document = json.loads(self.server.file(f"models/{MODEL}/releases/{release[:16]}.json"))
        return {f"{file['part']}/{file['path']}": file["sha256"] for file in document["files"]}

    def served(self, stack: str, colour: str) -> dict[str, str]:
        """The files behind the assets of a live deployment, as they are in the stack's storage."""
        deployment = self.stacks[stack].live_deployments()[colour]["properties"]
        found = {}
        for part, asset in (("model", deployment["model"]), ("code", deployment["codeConfiguration"]["codeId"])):
            properties = self.azure.get(asset)["properties"]
            address = properties.get("modelUri") or properties["codeUri"]
            folder = self._blobs(stack, address)
            found |= {
                f"{part}/{file.relative_to(folder)}": hashlib.sha256(file.read_bytes()).hexdigest()
                for file in folder.rglob("*")
                if file.is_file()
            }
        return found

    def _blobs(self, stack: str, address: str) -> Path:
        """The folder in which the local Azure keeps the blobs below an address of a stack."""
        parts = urlsplit(address).path.strip("/").split("/")
        root = self.azure.home.path / "blobs" / self.stacks[stack].names.storage_account
        found = [path for start in range(len(parts)) for path in root.glob(f"*/{'/'.join(parts[start:])}")]
        assert found, f"no blobs at {address}"
        return found[0]

    def breaks(self, stack: str, colour: str, share: int = 40) -> None:
        """Let a colour answer with errors from now on."""
        name = f"{self.stacks[stack].names.endpoint(MODEL)}/{colour}"
        add_fault(self.azure.home, kind="errors", name=name, share_percent=share)


def shown(traffic: Mapping[str, int]) -> str:
    """Weights for people."""
    return ", ".join(f"{colour} {weight} %" for colour, weight in sorted(traffic.items())) or "nothing"


def both(*edits: Edit) -> Edit:
    """Several changes in one."""

    def change(work: Path) -> None:
        for edit in edits:
            edit(work)

    return change


def by_job(ended: list[Ended]) -> dict[str, Ended]:
    """What ran, by the name of its job."""
    return {each.job: each for each in ended}


def told(ended: list[Ended]) -> str:
    """What went on in some jobs, for a message."""
    return "\n".join(f"--- {each.pipeline} {each.job}: {each.code} {each.refusal}\n{each.output}" for each in ended)
