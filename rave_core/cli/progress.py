"""The progress of a running operation, on a terminal: a bar on standard error, drawn by a thread of its own."""

from __future__ import annotations

import sys
import threading
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
        with Progress(*columns, console=console, transient=True, redirect_stdout=False, redirect_stderr=True) as shown:
            task = shown.add_task(self._desk.name, total=None, text="")
            now = SystemClock().monotonic
            look_at, other = 0.0, None
            while True:
                if now() >= look_at:
                    look_at, other = now() + _LOOK_EVERY, self._other()
                shown.update(task, **self._state(other))
                if self._done.wait(_EVERY):
                    return

    def _state(self, other: Computation | None) -> dict[str, Any]:
        if other is not None:
            record = other.record
            done, total = (record.done or 0, record.total) if record is not None else (0, None)
            return {"total": total, "completed": done, "text": _waiting(other)}
        report = self._report
        if report is None:
            return {"total": None, "text": ""}
        operation, progress = report
        inner = f"{operation}: " if operation != self._desk.name else ""
        text = printable(f"{inner}{progress.text}".rstrip(": "))
        return {"total": _number(progress.total), "completed": _number(progress.done) or 0, "text": text}

    def _other(self) -> Computation | None:
        """The computation of the key by another process."""
        try:
            found = None if self._key is None else computation_of(self._desk, self._key)
        except OSError:
            return None
        return None if found is None or found.is_ours else found


def _number(reported: Any) -> float | None:
    """An operation's report, if it can be drawn: a mistake in it must not spoil the screen."""
    return reported if isinstance(reported, (int, float)) else None


def _waiting(other: Computation) -> str:
    doing = other.record.text if other.record is not None else ""
    return printable(f"waiting for {other}{f': {doing}' if doing else ''}")
