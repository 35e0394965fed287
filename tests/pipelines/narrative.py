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
fresh clones of depth 1, against a stand-in of the git server, the real Pulumi engine and a local Azure with simulated
deployments. Bakes last seconds. Times, addresses and ids are left out.

"""
_NOISE = (
    (re.compile(r"http://127\.0\.0\.1:\d+"), "https://git.example"),
    (re.compile(r"\d{8}T\d{6}Z?-[0-9a-f]+"), "<rollout>"),
    (re.compile(r"\b[0-9a-f]{40}\b|(?<=`)[0-9a-f]{12}(?=`)|(?<=<code>)[0-9a-f]{12}(?=</code>)"), "<commit>"),
    (re.compile(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"), "<id>"),
    (re.compile(r"\b\d{4}-\d\d-\d\d \d\d:\d\d UTC"), "<time>"),
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
    return HEAD + "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page(Path(sys.argv[1])), encoding="utf-8")
