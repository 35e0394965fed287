"""The runner and the git server of the stories: what they let through, and what they refuse as the real ones do."""

import json
import os
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.pipelines.expressions import Unsupported, evaluate, filled_in
from tests.pipelines.repository import git
from tests.pipelines.runner import CHECKOUT, Runner
from tests.pipelines.server import Environment, Server, System
from tests.pipelines.wire import serve
from tests.waiting import wait_until

pytestmark = pytest.mark.slow

HEAD = """name: test
on:
  push: {branches: [main]}
  pull_request:
  workflow_dispatch: {inputs: {stack: {type: string}}}
permissions: {}
jobs:
"""
JOB = """  %s:
    runs-on: ubuntu-24.04
    timeout-minutes: 1
    permissions: {contents: %s}
    steps:
      - uses: %s
        with: {fetch-depth: "1", persist-credentials: "false"}
      - run: %s
        env: {GITHUB_TOKEN: "${{ github.token }}", STACK: "${{ inputs.stack }}", VALUE: "${{ vars.VALUE }}"}
"""
AZURE = """trigger: {branches: {include: [main]}}
pr: none
parameters: [{name: stack, type: string, default: dev}]
stages:
  - stage: test
    condition: in('${{ parameters.stack }}', 'dev', 'all')
    variables: [{group: sluice-dev}]
    jobs:
      - deployment: go
        environment: dev
        timeoutInMinutes: "1"
        strategy:
          runOnce:
            deploy:
              steps:
                - {checkout: self, fetchDepth: "1", persistCredentials: "false"}
                - task: AzureCLI@2
                  inputs:
                    azureSubscription: sluice-dev
                    inlineScript: 'echo "$STACK $PLAIN $SECRET $NONE"; git status'
                  env: {STACK: "${{ parameters.stack }}", SECRET: $(S), NONE: $(None)}
"""


def job(script: str, name: str = "one", contents: str = "write") -> str:
    return JOB % (name, contents, CHECKOUT, json.dumps(script))


@pytest.fixture
def hosted(tmp_path: Path) -> Iterator[Callable[..., tuple[Server, Runner]]]:
    """A repository with one pipeline, its server and its runner."""
    with_servers: list[Any] = []

    def make(text: str, system: System = "github") -> tuple[Server, Runner]:
        work = tmp_path / "person"
        folder = {"github": ".github/workflows", "azure-devops": ".azuredevops"}[system]
        (work / folder).mkdir(parents=True)
        (work / folder / "sluice-test.yml").write_text(text)
        git(work, "init", "-q", "-b", "main")
        commit(work, "first")
        git(tmp_path, "clone", "-q", "--bare", str(work), str(tmp_path / "origin.git"))
        git(work, "remote", "add", "origin", str(tmp_path / "origin.git"))
        server = Server(system, tmp_path / "origin.git")
        context = serve(server)
        context.__enter__()
        with_servers.append(context)
        (tmp_path / "runs").mkdir()
        machine = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
        return server, Runner(server, tmp_path / "runs", machine)

    yield make
    for context in with_servers:
        context.__exit__(None, None, None)


def commit(work: Path, text: str) -> None:
    git(work, "add", ".")
    git(work, "-c", "user.name=ana", "-c", "user.email=a@x", "commit", "-q", "--allow-empty", "-m", text)


PUSH = (
    'git -c user.name=ci -c user.email=c@x commit -q --allow-empty -m "ci $STACK" && '
    'git -c "http.extraheader=Authorization: Basic $(printf x-access-token:$GITHUB_TOKEN | base64 -w0)" '
    "push -q origin HEAD:%s"
)


def test_steps_run_in_a_clone_of_depth_one_that_keeps_no_token(hosted: Any, tmp_path: Path) -> None:
    server, runner = hosted(HEAD + job("git rev-list --count HEAD; git push -q origin HEAD:main"))
    (ended,) = runner.run(server.push_of("main", by="ana"))
    assert ended.output.startswith("1\n")
    assert "could not read Username" in ended.output
    assert ended.code != 0
    (clone,) = (tmp_path / "runs").glob("*/work")
    assert "token-" not in "".join(path.read_text() for path in (clone / ".git").glob("config"))


def test_a_job_pushes_with_its_token_and_only_with_the_permission(hosted: Any) -> None:
    server, runner = hosted(HEAD + job(PUSH % "main") + job(PUSH % "x", "two", "read"))
    before = server.tip("main")
    one, two = runner.run(server.push_of("main", by="ana"))
    assert one.code == 0, one.output
    assert server.tip("main") != before
    assert "403" in two.output


def test_a_protected_main_and_workflow_files_refuse_a_token(hosted: Any) -> None:
    touch = "echo '# more' >> .github/workflows/sluice-test.yml && git add . && "
    server, runner = hosted(HEAD + job(PUSH % "main") + job(touch + PUSH % "other", "two"))
    server.protect_main()
    one, two = runner.run(server.push_of("main", by="ana"))
    assert "GH006: Protected branch update failed" in one.output
    assert "refusing to allow a GitHub App" in two.output


def test_a_run_waits_for_a_reviewer_and_a_rejection_ends_it(hosted: Any) -> None:
    text = HEAD + job('echo "$STACK $VALUE"').replace(
        "    runs-on", '    environment: "${{ inputs.stack }}-approval"\n    runs-on'
    )
    server, runner = hosted(text)
    server.environments["prod-approval"] = Environment(True, True, {"VALUE": "7"})
    runs = [server.dispatch("sluice-test", by="ana", stack="prod") for _ in range(2)]
    assert [ended.refusal for ended in runner.work()] == ["waits for a reviewer"] * 2
    assert server.waiting() == runs
    server.review(runs[0], "approved", by="bo")
    server.review(runs[1], "rejected", by="bo")
    approved, rejected = runner.work()
    assert (approved.code, approved.output) == (0, "prod 7\n")
    assert (rejected.code, rejected.refusal) == (None, "rejected")
    git(server.origin, "branch", "x", "main")
    server.dispatch("sluice-test", by="ana", branch="x", stack="prod")
    assert [ended.refusal for ended in runner.work()] == ["x is not allowed to deploy to prod-approval"]


def test_jobs_of_one_group_run_one_after_another(hosted: Any, tmp_path: Path) -> None:
    script = (
        "mkdir ../../busy && touch ../../$STACK && while [ ! -f ../../go ]; do sleep 0.05; done && rmdir ../../busy"
    )
    grouped = job(script).replace("    runs-on", "    concurrency: {group: g}\n    runs-on")
    server, runner = hosted(HEAD + grouped)
    events = []
    for name in ("a", "b"):
        server.dispatch("sluice-test", by="ana", stack=name)
        events.append(server.next_event())
    threads = [threading.Thread(target=runner.run, args=(event,)) for event in events]
    for thread in threads:
        thread.start()
    wait_until(lambda: (tmp_path / "runs" / "busy").exists(), "the first job")
    (tmp_path / "runs" / "go").touch()
    for thread in threads:
        thread.join()
    assert [ended.code for ended in runner.ended] == [0, 0]


def test_azure_pipelines_get_parameters_groups_and_macros_and_a_commit_without_a_branch(hosted: Any) -> None:
    server, runner = hosted(AZURE, "azure-devops")
    server.environments["dev"] = Environment(True, False, {"PLAIN": "p"}, {"S": "s"})
    (ended,) = runner.run(server.push_of("main", by="ana"))
    assert ended.code == 0, ended.output
    assert ended.output.startswith("dev p s $(None)\nHEAD detached")
    server.dispatch("sluice-test", by="ana", stack="prod")
    assert runner.work() == []


@pytest.mark.parametrize(
    "change",
    [
        ("  one:", "  one:\n    strategy: {matrix: {a: [1]}}"),
        ("env: {GITHUB", "shell: bash\n        env: {GITHUB"),
        ("echo 1", "echo ${{ github.ref }}"),
        ("github.token", "toJSON(github)"),
        ("github.token", "env.X"),
        (CHECKOUT, "actions/checkout@v4"),
    ],
)
def test_what_the_runner_does_not_know_it_refuses(hosted: Any, change: tuple[str, str]) -> None:
    server, runner = hosted(HEAD + job("echo 1").replace(*change))
    with pytest.raises(Unsupported):
        runner.run(server.push_of("main", by="ana"))


def test_expressions() -> None:
    names = {"a": {"b": "X", "c": ""}, "variables": {"p.q": "True"}}
    assert evaluate("a.b == 'x' && a.none != 'y'", names) is True
    assert evaluate("a.c || 'it''s'", names) == "it's"
    assert evaluate("in('1', '2', '1') && eq(variables['p.q'], 'true')", names) is True
    assert filled_in("-${{ a.b }}${{ a.c }}-", names) == "-X-"
    for wrong in ("unknown.b", "a.b +", "contains(a.b, 'x')", "a.b ==", "(a.b", "'open"):
        with pytest.raises(Unsupported):
            evaluate(wrong, names)


def asked(server: Server, method: str, path: str, body: Any = None, token: str = "token-1") -> tuple[int, Any, Any]:
    request = urllib.request.Request(
        path if path.startswith("http") else f"{server.url}/api/v3/repos/acme/models{path}",
        data=None if body is None else json.dumps(body).encode(),
        method=method,
        headers={"Authorization": f"Bearer {token}"},
    )
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, json.loads(answer.read() or b"null"), answer.headers
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read()), error.headers


def test_lists_of_comments_have_pages_and_a_token_has_its_permissions_only(hosted: Any) -> None:
    server, _ = hosted(HEAD + job("true"))
    git(server.origin, "branch", "x", "main")
    request = server.open("x", "title", author="ana")
    run = server.new_run(server.pull_request_event(request))
    server.allow("token-1", run, {"pull-requests": "write"})
    path = f"/issues/{request.number}/comments"
    for text in ("one", "two", "three"):
        assert asked(server, "POST", path, {"body": text})[0] == 201
    _, first, headers = asked(server, "GET", path)
    assert [comment["body"] for comment in first] == ["one", "two"]
    following = headers["Link"].split(";")[0].strip("<>")
    assert [comment["body"] for comment in asked(server, "GET", following)[1]] == ["three"]
    assert asked(server, "POST", "/issues", {"title": "x"})[0] == 403
    assert asked(server, "GET", path, token="nothing")[0] == 401


def test_the_runner_is_short() -> None:
    """The order sets the limit: what needs more lines belongs into `sluice ci`, not into the YAML."""
    assert len((Path(__file__).with_name("runner.py")).read_text().splitlines()) <= 250
