"""How a command shows a rollout while it runs: a live picture on a terminal, lines everywhere else. It only prints."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Self, TextIO

from rollout.views.view import Row, Seen, picture

if TYPE_CHECKING:
    from rich.text import Text


class Screen:
    """Shows a rollout. `live` asks for the picture, which a stream that is no terminal does not get."""

    def __init__(self, stream: TextIO, *, live: bool) -> None:
        self._stream = stream
        self._live: Any = None
        if live and stream.isatty():
            from rich.console import Console
            from rich.live import Live

            self._live = Live(console=Console(file=stream, highlight=False), auto_refresh=False, transient=True)

    def __enter__(self) -> Self:
        """Begin the picture."""
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the picture; the command prints where the rollout stands."""
        if self._live is not None:
            self._live.stop()

    def line(self, text: str) -> None:
        """Print a line, above the picture if there is one."""
        if self._live is not None:
            self._live.console.print(text, markup=False)
        else:
            print(text, file=self._stream, flush=True)

    def show(self, seen: Seen, doing: str = "") -> None:
        """Draw the picture again; without one, nothing is printed."""
        if self._live is not None:
            rows: list[Row] = picture(seen)
            if doing:
                rows.append(((f" {doing}", "dim"),))
            self.draw(rows)

    def draw(self, rows: list[Row]) -> None:
        """Draw another picture, such as that of a fleet."""
        if self._live is not None:
            self._live.update(as_rich(rows), refresh=True)

    def part(self, name: str) -> Screen:
        """A screen for one rollout among several: its lines go here behind its name, its own picture nowhere."""
        return _Part(self, f"{name}  ")


class _Part(Screen):
    def __init__(self, whole: Screen, prefix: str) -> None:
        super().__init__(whole._stream, live=False)
        self._whole = whole
        self._prefix = prefix

    def line(self, text: str) -> None:
        self._whole.line(f"{self._prefix}{text}")


def as_rich(rows: list[Row]) -> Text:
    """The rows for a terminal."""
    from rich.text import Text

    text = Text(no_wrap=True, overflow="ellipsis")
    for number, row in enumerate(rows):
        text.append("\n" if number else "")
        for piece, style in row:
            text.append(piece, style)
    return text


def standard_screen(*, json: bool, live: bool = True) -> Screen:
    """The screen of a command: on stdout; on stderr where stdout is for JSON."""
    return Screen(sys.stderr if json else sys.stdout, live=live and not json)
