"""Telling the story: live with colours on a terminal, plain lines anywhere else, and a record for machines."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from callout.cli.demo.checks import StepFailedError

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

COLOURS = {"Slack": "magenta", "Jira": "blue", "Callout": "green", "demo": "yellow"}
NAME_WIDTH = 10


@dataclass(frozen=True, slots=True)
class Step:
    """One finished step of the story."""

    name: str
    ok: bool
    seconds: float


class Narrator:
    """Prints what happens, with the time since the start. Between `step`s nothing is counted."""

    def __init__(self, steps: int, *, started: float, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False)
        self._started = started
        self._count = steps
        self._progress: Progress | None = None
        self._task: TaskID | None = None
        encoding = (self._console.encoding or "").lower()
        self._marks = ("✓", "✗") if encoding.startswith("utf") else ("ok", "FAILED")
        self.steps: list[Step] = []

    @contextmanager
    def live(self) -> Iterator[None]:
        """Show how far the story is, below its lines, where there is a terminal."""
        if not self._console.is_terminal:
            yield
            return
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(24), MofNCompleteColumn())
        with Progress(*columns, console=self._console, transient=True) as progress:
            self._progress, self._task = progress, progress.add_task("", total=self._count)
            try:
                yield
            finally:
                self._progress = None

    @contextmanager
    def step(self, name: str, title: str) -> Iterator[None]:
        """Run one step inside: its heading before, how it went after. A failure is shown and goes on upward."""
        begun = time.monotonic()
        number = len(self.steps) + 1
        self.heading(f"{number}/{self._count}  {title}")
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, description=title, completed=number - 1)
        try:
            yield
        except BaseException as error:
            self.steps.append(Step(name, ok=False, seconds=time.monotonic() - begun))
            if isinstance(error, StepFailedError):
                self._line(Text(self._marks[1], "bold red"), Text("expected", "red"), error.expected)
                self._line(Text(""), Text("seen", "red"), error.seen)
            raise
        seconds = time.monotonic() - begun
        self.steps.append(Step(name, ok=True, seconds=seconds))
        self._line(Text(self._marks[0], "bold green"), Text(""), f"{seconds:.2f} s", style="dim")

    def heading(self, text: str) -> None:
        """Print a heading."""
        self._console.print()
        self._console.print(Text(text, "bold"), soft_wrap=True)

    def say(self, who: str, text: str) -> None:
        """Print one thing that happened: which system, what."""
        since = f"{time.monotonic() - self._started:6.2f} s"
        self._line(Text(since, "dim"), Text(who, COLOURS.get(who, "")), text)

    def quote(self, text: str) -> None:
        """Print something that a system shows, as it is."""
        for line in text.splitlines():
            self._line(Text(""), Text(""), line)

    def plain(self, text: str = "") -> None:
        """Print a line of its own."""
        self._console.print(Text(text), soft_wrap=True)

    def _line(self, mark: Text, who: Text, text: str, *, style: str = "") -> None:
        if not self._console.is_terminal:
            self._console.print(Text(f"  {mark.plain:>8}  {who.plain:<{NAME_WIDTH}}  {text}"), soft_wrap=True)
            return
        grid = Table.grid(padding=(0, 1))
        grid.add_column(width=10, justify="right", no_wrap=True)
        grid.add_column(width=NAME_WIDTH, no_wrap=True)
        grid.add_column(overflow="fold")
        grid.add_row(mark, who, Text(text, style))
        self._console.print(grid)
