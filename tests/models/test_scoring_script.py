"""Reading a script shows whether the inference server could start and call it."""

from pathlib import Path

import pytest

from models.scoring_script import check_scoring_script

INIT = "def init():\n    pass\n"


@pytest.mark.parametrize(
    "text",
    [
        f"{INIT}def run(raw_data):\n    return 1\n",
        f"{INIT}async def run(data, request_headers):\n    return 1\n",
        "from service import init, run\n",
        "from service import *\n",
        "import service\ninit = service.init\nrun: object = service.run\n",
        f"{INIT}try:\n    from fast import run\nexcept ImportError:\n    from slow import run\n",
        f"{INIT}if True:\n    def run(*args):\n        pass\n",
    ],
)
def test_a_script_that_the_server_can_start_is_accepted(text: str, tmp_path: Path) -> None:
    (tmp_path / "score.py").write_text(text)
    assert check_scoring_script(tmp_path / "score.py") == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (INIT, ["defines no run()"]),
        (b"# Z\xfcrich\ndef init(): ...\ndef run(data): ...\n", ["encoding"]),  # Python cannot read it either
        ("", ["defines no init()", "defines no run()"]),
        (
            "class Model:\n    def run(self, data): ...\n    def init(self): ...\n",
            ["defines no init()", "defines no run()"],
        ),
        (f"{INIT}def run():\n    pass\n", ["run() of score.py takes no argument"]),
        ("def run(data)\n    pass\n", ["line 1: expected ':'"]),
        (f"{INIT}run: object\n", ["defines no run()"]),
    ],
)
def test_a_script_that_the_server_cannot_use_is_refused(text: str | bytes, expected: list[str], tmp_path: Path) -> None:
    (tmp_path / "score.py").write_bytes(text if isinstance(text, bytes) else text.encode())
    problems = check_scoring_script(tmp_path / "score.py")
    assert len(problems) == len(expected)
    for problem, piece in zip(problems, expected, strict=True):
        assert piece in problem.what
        assert problem.fix


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "score.py").write_bytes(b"\xff\x00run")
    (problem,) = check_scoring_script(tmp_path / "score.py")
    assert problem.what.startswith("scoring script score.py: ")  # no line, and so none is named
