"""The progress of a running operation, on a terminal: a bar on standard error, drawn by a thread of its own."""

from __future__ import annotations

import sys
import threading
from contextlib import closing
from typing import TYPE_CHECKING, Any, Self

from rave_core.cli.output import is_terminal, note
from rave_core.clock import SystemClock
from rave_core.engine.execution import ResolvedOperation
from rave_core.introspection.explain import Computation, computation_of
from rave_core.model import Call
from rave_core.text.humanize import printable

if TYPE_CHECKING:
    from rave_core.model import Progress

_PATIENCE = 0.3
_EVERY = 0.1
_LOOK_EVERY = 0.5


class ProgressBar:
    """Shows how far a call is, if it takes longer than a moment; nothing if standard error is not a terminal.

    The operation's reports come through ``listen``. While another process computes the key, the display shows what
    that process writes into its lease instead.
    """

    def __init__(self, resolved: ResolvedOperation, call: Call, *, verbose: bool = False) -> None:
        self._desk = resolved
        self._key = call.key.text if call.key is not None else None
        self._verbose = verbose
        self._report: tuple[str, Progress] | None = None
        self._done = threading.Event()
        self._thread: threading.Thread | None = None

    def listen(self, operation: str, progress: Progress) -> None:
        """Takes a report; any thread may call it."""
        self._report = (operation, progress)

    def __enter__(self) -> Self:
        if is_terminal(sys.stderr):
            self._start(self._draw)
        elif self._verbose:
            self._start(self._tell)
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        if self._thread is not None:
            self._thread.join()

    def _start(self, target: Any) -> None:
        self._thread = threading.Thread(target=target, name="rave-progress", daemon=True)
        self._thread.start()

    def _tell(self) -> None:
        """Says once that another process computes the key."""
        while not self._done.wait(_LOOK_EVERY):
            other = self._other()
            if other is not None:
                note(f"{self._desk.name}: {_waiting(other)}")
                return

    def _draw(self) -> None:
        if self._done.wait(_PATIENCE):
            return
        now = SystemClock().monotonic
        look_at, other = 0.0, None
        with closing(TerminalBar()) as bar:
            while True:
                if now() >= look_at:
                    look_at, other = now() + _LOOK_EVERY, self._other()
                bar.show(self._desk.name, *self._state(other))
                if self._done.wait(_EVERY):
                    return

    def _state(self, other: Computation | None) -> tuple[Any, Any, str]:
        """What is done, of how much, and what is being done."""
        if other is not None:
            record = other.record
            done, total = (record.done or 0, record.total) if record is not None else (0, None)
            return done, total, _waiting(other)
        report = self._report
        if report is None:
            return 0, None, ""
        operation, progress = report
        inner = f"{operation}: " if operation != self._desk.name else ""
        return progress.done, progress.total, printable(f"{inner}{progress.text}".rstrip(": "))

    def _other(self) -> Computation | None:
        """The computation of the key by another process."""
        try:
            found = None if self._key is None else computation_of(self._desk, self._key)
        except OSError:
            return None
        return None if found is None or found.is_ours else found


class TerminalBar:
    """A bar on standard error, which vanishes when it is closed."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn

        columns = (
            SpinnerColumn(style="dim"),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=30),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[text]}", style="dim", markup=False),
        )
        console = Console(stderr=True, highlight=False)
        self._shown = Progress(*columns, console=console, transient=True, redirect_stdout=False, redirect_stderr=True)
        self._shown.start()
        self._task = self._shown.add_task("", total=None, text="")

    def show(self, name: str, done: Any, total: Any, text: str) -> None:
        """Draws what ``name`` has done, of how much, and what it is doing; what is no number counts as unknown."""
        self._shown.update(self._task, description=name, completed=number(done) or 0, total=number(total), text=text)

    def close(self) -> None:
        """Removes it."""
        self._shown.stop()


def number(reported: Any) -> float | None:
    """An operation's report, if it can be drawn: a mistake in it must not spoil the screen."""
    return reported if isinstance(reported, (int, float)) else None


def _waiting(other: Computation) -> str:
    doing = other.record.text if other.record is not None else ""
    return printable(f"waiting for {other}{f': {doing}' if doing else ''}")
