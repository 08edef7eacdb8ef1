"""What operations do while a cell runs: counted, and drawn if it takes longer than a moment."""

from __future__ import annotations

import sys
import threading
from dataclasses import dataclass
from html import escape
from typing import Any, Final, Protocol

from rave_core.cli.output import is_terminal, note
from rave_core.cli.progress import TerminalBar, number
from rave_core.clock import SystemClock
from rave_core.engine.context import carry
from rave_core.model import Key, Progress
from rave_core.runtime.runtime import runtimes
from rave_core.telemetry.statistics import Statistics
from rave_core.text.humanize import printable, span

_PATIENCE: Final = 0.3
_EVERY: Final = 0.1


@dataclass(frozen=True, slots=True)
class Counts:
    """What this process was asked for.

    Attributes:
        hits: calls that kept results answered.
        made: results that were computed, whether they are kept or not.
        saved: seconds that the hits did not take.
    """

    hits: int
    made: int
    saved: float

    @classmethod
    def now(cls) -> Counts:
        """Those since the process started."""
        records = list(Statistics.install().namespace["Operations"].values())

        def total(*names: str) -> Any:
            return sum(record[name] for record in records for name in names)

        return cls(total("Hits", "Stale"), total("Misses", "Refreshed", "Uncached"), total("Seconds Saved"))

    def since(self, before: Counts) -> Counts:
        """What was added."""
        return Counts(self.hits - before.hits, self.made - before.made, self.saved - before.saved)

    def __str__(self) -> str:
        if not self.hits and not self.made:
            return "no operation was called"
        hits = f"{self.hits} hit{'' if self.hits == 1 else 's'}"
        return f"{hits}, {self.made} made" + (f", saved {span(self.saved)}" if self.hits else "")


@dataclass(frozen=True, slots=True)
class Doing:
    """The computation that a cell waits for.

    Attributes:
        operation: its full name.
        others: how many computations are under way besides it.
        report: how far it is, or one that it called; ``None`` if nobody said so.
        seconds: since it was first seen.
    """

    operation: str
    others: int
    report: Progress | None
    seconds: float

    @property
    def name(self) -> str:
        """The operation, and the others."""
        return printable(f"{self.operation} and {self.others} more" if self.others else self.operation)

    @property
    def text(self) -> str:
        """What is being done; empty if nobody said so."""
        return "" if self.report is None else printable(self.report.text)


class Canvas(Protocol):
    """Where progress is drawn."""

    def show(self, doing: Doing) -> None:
        """Draws what is being done, in place of what was drawn before."""

    def end(self, line: str, *, always: bool) -> None:
        """Draws the last line, if anything was drawn before, or ``always``."""


class CellProgress:
    """Watches the computations of this process while a cell runs, whichever of its threads asked for them.

    Attributes:
        tells: whether the end of the cell says what was counted even if nothing took long.
    """

    def __init__(self, canvas: Canvas) -> None:
        """Draws on ``canvas``."""
        self.tells = False
        self._before = Counts.now()
        self._began = SystemClock().monotonic()
        self._canvas = canvas
        self._done = threading.Event()
        self._key = ""
        self._since = 0.0
        self._old: list[Progress | None] = [each.context.progress for each in runtimes()]
        self._thread = threading.Thread(target=carry(self._draw), name="rave-progress", daemon=True)

    def start(self) -> None:
        """Begins to watch, in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """Ends with what was counted."""
        self._done.set()
        self._thread.join()
        counted = Counts.now().since(self._before)
        took = span(SystemClock().monotonic() - self._began)
        self._canvas.end(f"{counted}; the cell took {took}", always=self.tells)

    def _draw(self) -> None:
        while not self._done.wait(_EVERY):
            doing = self._look()
            if doing is not None and doing.seconds >= _PATIENCE:
                self._canvas.show(doing)

    def _look(self) -> Doing | None:
        found = [(each, key) for each in runtimes() for key in each.under_way()]
        if not found:
            self._key = ""
            return None
        runtime, key = found[0]
        report, now = runtime.context.progress, SystemClock().monotonic()
        if key != self._key:
            self._key, self._since = key, now
        elif report is not None and not any(report is old for old in self._old):
            return Doing(Key.parse(key).operation, len(found) - 1, report, now - self._since)
        return Doing(Key.parse(key).operation, len(found) - 1, None, now - self._since)


class NotebookCanvas:
    """Draws in the output of the cell, by replacing one display. Nothing in it is a script or has a colour."""

    def __init__(self) -> None:
        self._shown: Any = None

    def show(self, doing: Doing) -> None:
        """As in `Canvas`."""
        total = number(doing.report.total) if doing.report is not None else None
        done = number(doing.report.done) if doing.report is not None else None
        share = "" if not total or done is None else f"{min(1.0, max(0.0, done / total)):.0%}"
        line = " · ".join(filter(None, (doing.name, share, doing.text, span(doing.seconds))))
        bar = f'<progress max="100" value="{share[:-1]}"></progress>' if share else "<progress></progress>"
        self._display(line, f"{bar} {escape(line)}")

    def end(self, line: str, *, always: bool) -> None:
        """As in `Canvas`."""
        if self._shown is not None or always:
            self._display(line, f"<small>{escape(line)}</small>")

    def _display(self, line: str, html: str) -> None:
        from IPython.display import display

        bundle = {"text/plain": line, "text/html": html}
        if self._shown is None:
            self._shown = display(bundle, raw=True, display_id=True)  # type: ignore[no-untyped-call]  # it has no types
        else:
            self._shown.update(bundle, raw=True)


class TerminalCanvas:
    """Draws on standard error, if that is a terminal, and leaves nothing there but the last line."""

    def __init__(self) -> None:
        self._bar: TerminalBar | None = None

    def show(self, doing: Doing) -> None:
        """As in `Canvas`."""
        if not is_terminal(sys.stderr):
            return
        if self._bar is None:
            self._bar = TerminalBar()
        done, total = (doing.report.done, doing.report.total) if doing.report is not None else (0, None)
        self._bar.show(doing.name, done, total, doing.text)

    def end(self, line: str, *, always: bool) -> None:
        """As in `Canvas`."""
        if self._bar is not None:
            self._bar.close()
        if self._bar is not None or always:
            note(line)
