"""What git and its servers answer to a push, as recorded, and what each answer means."""

from __future__ import annotations

import pytest

from rollout.errors import PushRefused, PushUnanswered
from rollout.repository.git import Said, network_error
from rollout.repository.push import Answer, answer_of, refusal_in

REF = "HEAD:refs/heads/main"


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        (f" \t{REF}\t2f0a..9c1e", Answer.TAKEN),
        (f"=\t{REF}\t[up to date]", Answer.TAKEN),
        (f"*\t{REF}\t[new branch]", Answer.TAKEN),
        (f"!\t{REF}\t[rejected] (fetch first)", Answer.RACED),
        (f"!\t{REF}\t[rejected] (non-fast-forward)", Answer.RACED),
        (f"!\t{REF}\t[remote rejected] (cannot lock ref 'refs/heads/main': is at 1 but expected 2)", Answer.RACED),
        (f"!\t{REF}\t[remote rejected] (failed to update ref)", Answer.RACED),
        (f"!\t{REF}\t[remote rejected] (incorrect old value provided)", Answer.RACED),
        (f"!\t{REF}\t[remote rejected] (protected branch hook declined)", Answer.REFUSED),
        (f"!\t{REF}\t[remote rejected] (TF402455: Pushes to this branch are not permitted)", Answer.REFUSED),
        (f"!\t{REF}\t[remote failure] (remote failed to report status)", Answer.NONE),
        ("", Answer.NONE),
    ],
)
def test_the_line_about_the_branch_is_the_answer(line: str, answer: Answer) -> None:
    assert answer_of(f"To github.com:team/models\n{line}\nDone\n") is answer


def test_the_servers_reason_is_kept_with_its_own_parentheses() -> None:
    line = f"!\t{REF}\t[remote rejected] (push declined (GH013: rule violations))"
    assert refusal_in(f"To x\n{line}\nDone") == "push declined (GH013: rule violations)"
    assert refusal_in("Done") == ""


@pytest.mark.parametrize(
    "stderr",
    [
        "remote: Permission to team/models.git denied to bot.\nfatal: unable to access 'x': returned error: 403",
        "git@github.com: Permission denied (publickey).\nfatal: Could not read from remote repository.",
        "fatal: could not read Username for 'https://github.com': terminal prompts disabled",
        "remote: TF401027: You need the Git 'GenericContribute' permission to perform this action.",
    ],
)
def test_a_missing_right_is_a_refusal_with_the_servers_words(stderr: str) -> None:
    error = network_error(Said(returncode=128, stdout=b"", stderr=stderr), "git push of main")
    assert isinstance(error, PushRefused)
    assert "Nothing was changed" in str(error)
    assert stderr.splitlines()[0].removeprefix("remote: ").rstrip(".") in str(error)


@pytest.mark.parametrize("stderr", ["fatal: unable to access 'x': Could not resolve host: github.com", ""])
def test_no_connection_is_no_answer(stderr: str) -> None:
    error = network_error(Said(returncode=128, stdout=b"", stderr=stderr), "git push of main")
    assert isinstance(error, PushUnanswered)
    assert isinstance(network_error(None, "git push of main"), PushUnanswered)
