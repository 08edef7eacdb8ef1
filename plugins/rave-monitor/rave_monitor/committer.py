"""Writes samples and checkpoints, in a thread of its own: a database that is away holds up no event."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from rave_core.errors import FenceError, StoreAwayError, describe_error
from rave_monitor.checkpoint import Checkpoint, Sample
from rave_monitor.sample_store import ReloadRequest, SampleStore

_log = logging.getLogger("rave.monitor")
_PAUSE: Final = 0.5
"""Seconds between attempts while the database is away."""
MOST_WAITING: Final = 100_000
"""Samples that wait for the database; beyond these the oldest are dropped, and counted."""


@dataclass(slots=True)
class _Work:
    checkpoint: Checkpoint
    samples: list[Sample]
    status: dict[str, Any]


class Committer:
    """Commits what it gets, the latest checkpoint together with all samples until then. Safe for threads.

    Attributes:
        is_fenced: whether a later leader has taken over: nothing is written any more.
        trouble: why nothing can be written at present; ``None`` while all is well.
        dropped: how many samples were dropped because too many waited.
        written: the checkpoint of the latest commit.
        reload: how it stands with reloads that others ask for, as of the latest commit.
    """

    def __init__(self, store: SampleStore, fence: int, chores: Callable[[], object]) -> None:
        """Starts its thread, which also does ``chores`` after each commit."""
        self.is_fenced = False
        self.trouble: str | None = None
        self.dropped = 0
        self.reload = ReloadRequest(0, 0, "")
        self.written = Checkpoint()
        self._store, self._fence, self._chores = store, fence, chores
        self._work: _Work | None = None
        self._answer: tuple[int, str] | None = None
        self._is_busy = self._is_closing = False
        self._changed = threading.Condition()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="rave-monitor-committer", daemon=True)
        self._thread.start()

    def submit(self, checkpoint: Checkpoint, samples: list[Sample], status: dict[str, Any]) -> None:
        """Writes these soon. Never waits."""
        with self._changed:
            waiting = self._work.samples if self._work is not None else []
            self._keep(_Work(checkpoint, [*waiting, *samples], status))
            self._changed.notify_all()

    def answer(self, number: int, error: str) -> None:
        """Answers a request to reload, together with the next commit."""
        with self._changed:
            self._answer = (number, error)

    def close(self, seconds: float) -> bool:
        """Waits for what was submitted, ``seconds`` at most, and ends the thread; returns whether all was written."""
        with self._changed:
            is_done = self._changed.wait_for(
                lambda: (self._work is None and not self._is_busy) or self.is_fenced, seconds
            )
            self._is_closing = True
            self._changed.notify_all()
        self._stop.set()
        return is_done and not self.is_fenced

    def _keep(self, work: _Work) -> None:
        over = len(work.samples) - MOST_WAITING
        if over > 0:
            self.dropped += over
            del work.samples[:over]
        self._work = work

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._work is not None or self._is_closing)
                work, self._work = self._work, None
                if work is None:
                    return
                self._is_busy = True
            try:
                self._write(work)
            except FenceError:
                _log.warning("monitor %s: another process leads it by now", self._store.monitor)
                self.is_fenced = True
            except Exception as error:  # noqa: BLE001  # whatever a driver raises, the samples are kept and tried again
                self._put_back(work, error)
            finally:
                with self._changed:
                    self._is_busy = False
                    self._changed.notify_all()
            if self.is_fenced or (self.trouble is not None and self._stop.wait(_PAUSE)):
                return

    def _write(self, work: _Work) -> None:
        self._store.commit(self._fence, work.checkpoint, work.samples, work.status)
        self.trouble, self.written = None, work.checkpoint
        answer, self._answer = self._answer, None
        if answer is not None:
            try:
                self._store.answer_reload(self._fence, *answer)
            except StoreAwayError:
                self._answer = answer
        self.reload = self._store.reload_request()
        self._do_chores()

    def _do_chores(self) -> None:
        """Does them; the samples of this commit are written, whatever comes of that."""
        try:
            self._chores()
        except StoreAwayError as error:
            _log.warning("monitor %s: old samples stay for now: %s", self._store.monitor, error)

    def _put_back(self, work: _Work, error: Exception) -> None:
        """Keeps what could not be written, below what came since."""
        if self.trouble is None:
            _log.warning("monitor %s: can't write samples: %s", self._store.monitor, describe_error(error))
        self.trouble = describe_error(error)
        with self._changed:
            if self._work is None:
                self._work = work
            else:
                self._keep(_Work(self._work.checkpoint, [*work.samples, *self._work.samples], self._work.status))
