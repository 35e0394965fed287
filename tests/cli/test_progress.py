"""Uploads are a bar on a terminal and lines everywhere else."""

import io

from cli.progress import UploadProgress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_without_a_terminal_there_is_a_line_per_file() -> None:
    stream = io.StringIO()
    with UploadProgress(10, stream) as progress:
        progress.say("model.bin is uploaded")
        progress.advance(10)
    assert stream.getvalue() == "model.bin is uploaded\n"


def test_on_a_terminal_there_is_one_bar() -> None:
    stream = Terminal()
    with UploadProgress(2048, stream) as progress:
        progress.say("model.bin is uploaded")
        progress.advance(2048)
        progress._bar.refresh()
    shown = stream.getvalue()
    assert "model.bin" not in shown
    assert "uploading: 100%" in shown
    assert "2.00k/2.00k" in shown
