"""What happens in a story, as people see it: lines for docs/delivery-story.md.

`make stories` sets SLUICE_STORIES to a folder; each story leaves one file there, and `python -m
tests.pipelines.narrative` makes the page of them.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

from tests.pipelines.runner import Ended

ROOT = Path(__file__).resolve().parents[2]
FOLDER_VARIABLE = "SLUICE_STORIES"
PAGE = ROOT / "docs" / "delivery-story.md"
FIRST = "a_better_model"
"""The story that the page begins with."""
HEAD = """# Stories of delivery

What `make stories` prints: the pipelines as `sluice ci init` writes them, run by `tests/pipelines/runner.py` in
fresh clones of depth 1, against a stand-in of the git server. Stories with an engine run the real Pulumi engine on a
local Azure with simulated deployments; the others have no cloud, and a delivery that one of them starts ends when it
looks for its state. Bakes last seconds. Times, addresses and ids are left out. Each section below is one story on one
git server: a story without a section did not run there.

| story | with | told by |
|---|---|---|
"""
_ENGINE, _JOBS, _GIT = "both git servers, engine", "both git servers", "real git"
_STORIES, _REFUSALS = "tests/pipelines/test_stories.py::", "tests/pipelines/test_refusals.py::"
_SERVES = (
    "test_what_dev_proved_serves_in_prod_after_main_was_rewritten_and_dev_removed_and_is_not_taken_back_while_it_serves"
)
_PROOFS = "tests/delivery/proofs/test_verification.py::"
TOLD = (
    (
        "a pull request, its merge, a rollout in dev on synthetic load, the promotion, the approval, a rollout in prod",
        _ENGINE,
        f"{_STORIES}test_a_better_model_is_proven_in_dev_promoted_approved_and_serves_in_prod",
    ),
    ("a bad model", _ENGINE, f"{_STORIES}test_a_bad_model_goes_back_and_is_not_promoted"),
    (
        "a runner killed at sync, publish, `up`, tick and promotion",
        _ENGINE,
        f"{_STORIES}test_runners_are_killed_at_each_step_of_a_delivery_and_the_next_one_finishes",
    ),
    (
        "two runners; a merge during a rollout",
        _ENGINE,
        f"{_STORIES}test_two_runners_and_a_merge_meet_in_one_rollout",
    ),
    ("a rollback while `deliver` runs", _ENGINE, f"{_STORIES}test_a_rollback_does_not_wait_for_a_delivery"),
    (
        "a hotfix with `allow_unproven`; a rejected approval",
        _ENGINE,
        f"{_STORIES}test_a_hotfix_gets_weight_without_a_proof_until_a_reviewer_says_no",
    ),
    (
        "a fork",
        _ENGINE,
        f"{_STORIES}test_a_pull_request_of_a_fork_gets_no_identity_and_no_comment",
    ),
    ("`main` squashed and rewritten; dev destroyed, then promoted; a reverted promotion", _ENGINE, _STORIES + _SERVES),
    (
        "what pulumi/actions runs",
        "GitHub, engine",
        "tests/pipelines/test_pulumi_actions.py::"
        "test_preview_and_up_of_a_clone_change_nothing_and_leave_the_clone_clean",
    ),
    (
        "an environment without protection",
        _JOBS,
        f"{_REFUSALS}test_an_environment_without_protection_delivers_and_rolls_back_nothing",
    ),
    (
        "two promotions at once",
        _JOBS,
        f"{_REFUSALS}test_two_promotions_at_once_to_one_colour_end_in_a_conflict_or_in_a_refused_check",
    ),
    (
        "a forged record in the pull request",
        _JOBS,
        f"{_REFUSALS}test_a_record_in_a_pull_request_is_refused_and_a_new_colour_is_not",
    ),
    (
        "a cut record, one of another stack",
        _JOBS,
        f"{_REFUSALS}test_a_record_that_is_cut_or_of_another_stack_is_refused_too",
    ),
    (
        "the same on the branch that keeps records",
        _GIT,
        f"{_PROOFS}test_a_record_that_was_cut_off_or_edited_on_the_branch_proves_nothing",
    ),
    (
        "who approves, and who may not",
        _JOBS,
        "tests/pipelines/test_approvals.py::test_the_reviewer_of_the_run_is_in_the_record_and_the_delivery_goes_on",
    ),
    (
        "a record commit against an unrelated commit",
        _GIT,
        "tests/rollout/repository/test_clone.py::test_an_unrelated_commit_between_fetch_and_push_stops_nothing",
    ),
)
"""The stories that were asked for: what happens, with what, and the test that tells it."""
_NOISE = (
    (re.compile(r"http://127\.0\.0\.1:\d+"), "https://git.example"),
    (re.compile(r"\d{8}T\d{6}Z?-(?=[a-z0-9])"), "<rollout>-"),
    (
        re.compile(
            r"\b[0-9a-f]{40}\b|(?<=`)[0-9a-f]{12}(?=`)|(?<=<code>)[0-9a-f]{12}(?=</code>)|(?<= at )[0-9a-f]{12}\b"
        ),
        "<commit>",
    ),
    (re.compile(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"), "<id>"),
    (re.compile(r"\b\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)? UTC"), "<time>"),
    (re.compile(r"\b[\w-]+@[\w-]+, process \d+"), "<runner>"),
    (re.compile(r"\b\d+(\.\d+)? s\b"), "<seconds>"),
    (re.compile(r"(/dev/shm|/tmp)/[^\s)]+"), "<path>"),
    (re.compile(r"^\d{2}:\d{2}:\d{2} ", re.MULTILINE), ""),
)


class Narrative:
    """The lines of one story."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def tell(self, line: str) -> None:
        """What a person did, or what is so now."""
        self.lines.append(f"- {line}")

    def jobs(self, ended: list[Ended]) -> None:
        """What ran, with what it printed."""
        for each in ended:
            how = each.refusal or f"exit code {each.code}"
            self.lines.append(f"- `{each.pipeline}`, job `{each.job}`: {how}")
            if each.output.strip():
                self.lines += ["", "  ```text", *(f"  {line}" for line in without_noise(each.output)), "  ```", ""]

    def comment(self, text: str) -> None:
        """A comment on a pull request."""
        self.lines += [
            "",
            "  <details><summary>the comment</summary>",
            "",
            *without_noise(text),
            "",
            "  </details>",
            "",
        ]

    def save(self, name: str) -> None:
        """Keep the story for the page, if one is wanted. `name` is the test's, such as `test_a_fork[github]`."""
        folder = os.environ.get(FOLDER_VARIABLE)
        if folder:
            path = Path(folder) / f"{re.sub(r'[^a-z_-]', '.', name)}.md"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("\n".join(self.lines) + "\n", encoding="utf-8")


def without_noise(text: str) -> list[str]:
    """The lines of an output, the same in every run as far as possible."""
    for pattern, put in _NOISE:
        text = pattern.sub(put, text)
    return [line.rstrip() for line in text.strip().splitlines()]


def page(folder: Path) -> str:
    """The page of the stories in a folder."""
    parts = []
    for path in sorted(folder.glob("*.md"), key=lambda path: (FIRST not in path.name, path.name)):
        name, _, system = path.stem.removeprefix("test_").rstrip(".").partition(".")
        parts.append(f"## {name.replace('_', ' ').capitalize()} ({system})\n\n{path.read_text(encoding='utf-8')}")
    table = "".join(f"| {what} | {world} | `{test.replace('::', '`, `')}` |\n" for what, world, test in TOLD)
    return f"{HEAD}{table}\n" + "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page(Path(sys.argv[1])), encoding="utf-8")
