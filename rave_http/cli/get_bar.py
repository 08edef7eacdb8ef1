"""The progress of ``rave-get`` on a terminal, and its lines on standard error."""

from __future__ import annotations

import codecs
import io
import logging
import os
import sys
from typing import IO, TYPE_CHECKING, Any, Self

import click

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

    from rave_http.client.progress import Progress

_PATIENCE = 0.3
_EVERY = 0.05
_logger = logging.getLogger("rave.client")


class Bar:
    """Shows the progress of a product that has a ticket or takes longer than a moment; on a terminal only."""

    def __init__(self, name: str, *, is_quiet: bool) -> None:
        """For the product called ``name``; ``is_quiet`` shows nothing."""
        self._name = name
        self._is_drawn = not is_quiet and is_terminal(sys.stderr)
        self._href = ""
        from rave_http.client.deadline import now  # loads the client, which is needed by now

        self._now = now
        self._started = now()
        self._drawn_at = 0.0
        self._rich: RichProgress | None = None
        self._task: TaskID | None = None
        self._lines = _Lines()

    @property
    def seconds(self) -> float:
        """Since it was made."""
        return self._now() - self._started

    def show(self, progress: Progress) -> None:
        """Shows how far it is."""
        self._href = progress.href or self._href
        if not self._is_drawn or not self._is_due(progress):
            return
        if self._rich is None:
            self._start()
        if self._rich is not None and self._task is not None:
            self._rich.update(self._task, **_state(progress))

    def _is_due(self, progress: Progress) -> bool:
        """Whether to show it: news of a ticket always, since the next may take long; of bytes now and then."""
        if str(progress.phase) == "computing":
            return True
        at = self._now()
        if self.seconds < _PATIENCE or at - self._drawn_at < _EVERY:
            return False
        self._drawn_at = at
        return True

    def stop(self) -> None:
        """Removes the bar for good."""
        self._is_drawn = False
        if self._rich is not None:
            self._rich.stop()
            self._rich = None

    def tell_ticket(self) -> None:
        """Shows the URL at which to ask for the product later, if there is a ticket."""
        if self._href:
            note(f"ask for it later at {self._href}")

    def show_log(self) -> None:
        """Shows what the client logs while the bar is open."""
        _logger.setLevel(logging.DEBUG)
        _logger.addHandler(self._lines)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        _logger.setLevel(logging.NOTSET)
        _logger.removeHandler(self._lines)

    def _start(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, SpinnerColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as RichProgress

        columns = (
            SpinnerColumn(style="dim"),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=30),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[text]}", style="dim", markup=False),
        )
        console = Console(stderr=True, highlight=False)
        self._rich = RichProgress(
            *columns, console=console, transient=True, redirect_stdout=False, redirect_stderr=True
        )
        self._task = self._rich.add_task("", total=None, text="")
        self._rich.start()


def _state(progress: Progress) -> dict[str, Any]:
    """What the bar has to show."""
    phase, text = str(progress.phase), one_line(progress.text, 200)
    if phase == "retrying":
        return {"description": "waiting for the service", "text": text}
    if phase == "downloading":
        done = size(int(progress.done or 0))
        text = done if progress.total is None else f"{done} of {size(int(progress.total))}"
    return {"description": phase, "total": progress.total, "completed": progress.done or 0, "text": text}


class _Lines(logging.Handler):
    """Logs to standard error, whatever that is when something is logged."""

    def emit(self, record: logging.LogRecord) -> None:
        """Writes one line."""
        note(one_line(record.getMessage()))


def is_terminal(stream: Any) -> bool:
    """Whether a person looks at ``stream`` through a terminal that can move its cursor."""
    try:
        return bool(stream.isatty()) and os.environ.get("TERM") != "dumb"
    except (AttributeError, ValueError):
        return False


def note(message: str) -> None:
    """One line to standard error, marked as ours."""
    word, colon, rest = message.partition(": ")
    shown = f"{click.style(word, fg='red')}: {rest}" if colon and word == "error" else message
    click.echo(f"rave-get: {shown}", err=True)


def one_line(text: str, most: int = 1000) -> str:
    """``text`` in one line, without terminal control characters: it may come from anywhere."""
    line = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in " ".join(text.split()))
    return line if len(line) <= most else f"{line[: most - 4]} ..."


class Screen(io.RawIOBase):
    """A terminal that shows untrusted text: control characters are replaced, except tabs and line ends."""

    def __init__(self, terminal: IO[bytes]) -> None:
        super().__init__()
        self._terminal = terminal
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode

    def writable(self) -> bool:
        """Always."""
        return True

    def write(self, part: Any) -> int:
        """Writes bytes of text, which may end within a character."""
        text = self._decode(bytes(part))
        shown = "".join(
            char if char.isprintable() or char in "\t\n\r" else "\N{REPLACEMENT CHARACTER}" for char in text
        )
        self._terminal.write(shown.encode("utf-8", "replace"))
        return len(part)


def size(count: int) -> str:
    """A number of bytes in decimal units: ``512 B``, ``4.1 kB``, ``27 MB``."""
    value, unit = float(count), "B"
    for bigger in ("kB", "MB", "GB", "TB"):
        if value < 999.5:
            break
        value, unit = value / 1000, bigger
    return f"{count} B" if unit == "B" else f"{value:.1f} {unit}" if value < 9.95 else f"{value:.0f} {unit}"
