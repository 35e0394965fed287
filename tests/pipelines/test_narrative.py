"""The page of the stories: what it says must be there."""

import re
from pathlib import Path

from tests.pipelines.narrative import PAGE, ROOT, TOLD, Narrative, page, without_noise


def test_the_table_names_tests_that_exist_and_every_story_on_the_engine() -> None:
    named = {test.partition("::")[::2] for _, _, test in TOLD}
    gone = [f"{path}: {name}" for path, name in named if f"\ndef {name}(" not in (ROOT / path).read_text()]
    assert not gone
    path = "tests/pipelines/test_stories.py"
    assert {(path, name) for name in re.findall(r"^def (test_\w+)", (ROOT / path).read_text(), re.MULTILINE)} <= named


def test_the_page_has_this_table_and_the_whole_story_first(tmp_path: Path) -> None:
    for name in ("a_bad_model", "a_better_model"):
        narrative = Narrative()
        narrative.tell("something happens")
        (tmp_path / f"test_{name}.github..md").write_text("\n".join(narrative.lines))
    made = page(tmp_path)
    assert re.findall(r"^## .*", made, re.MULTILINE) == ["## A better model (github)", "## A bad model (github)"]
    table = re.findall(r"^\|.*", made, re.MULTILINE)
    assert len(table) == len(TOLD) + 2
    assert PAGE.read_text().startswith(made.partition("\n## ")[0]), "run `make stories` again"


def test_what_changes_in_each_run_is_left_out() -> None:
    said = f"12:30:01 run 20261128T103041Z-green at http://127.0.0.1:4242/x took 4.3 s, commit {'ab' * 20}"
    assert without_noise(said) == ["run <rollout>-green at https://git.example/x took <seconds>, commit <commit>"]
    lock = "a dead update (root@vm, process 12990, since 2026-11-28 13:22:48 UTC)"
    assert without_noise(lock) == ["a dead update (<runner>, since <time>)"]
