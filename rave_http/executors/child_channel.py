"""What a child process sends beside its results, over a separate pipe: progress, log records and events.

The latest progress also comes with the result, so that it is neither lost nor late.
"""

from __future__ import annotations

import contextlib
import logging
import logging.handlers
import os
import pickle
import threading
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from multiprocessing.connection import Connection
from typing import Any, Final

import msgspec

from rave_core.clock import Clock
from rave_core.errors import RaveWarning
from rave_core.model import Progress

INTERVAL: Final = 0.1
"""Seconds between two reports of one child."""

_PROGRESS: Final = b"P"
_LOGGED: Final = b"L"
_HAPPENED: Final = b"E"
_log = logging.getLogger("rave.http")


class Report(msgspec.Struct, frozen=True, array_like=True):
    """A report of progress on its way.

    Attributes:
        job: its number.
        operation: who reports: the job's operation, or one that it called.
        done, total, text: as in `rave_core.engine.context.Progress`.
    """

    job: int
    operation: str
    done: float
    total: float | None
    text: str


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Report).decode


class Teller:
    """In a child: sends what the body reports, at most every `INTERVAL`. Safe for the threads of a body."""

    def __init__(self, connection: Connection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock
        self._lock = threading.Lock()
        self._job = 0
        self._latest: bytes | None = None
        self._is_sent = True
        self._sent_at = -INTERVAL
        self._is_due = threading.Event()
        self._is_silent = False
        os.register_at_fork(after_in_child=self._fall_silent)
        threading.Thread(target=self._send_late, name="rave-progress", daemon=True).start()

    def tell(self, job: int, operation: str, progress: Progress) -> None:
        """Sends a report, now or a moment later. A report that can't be serialised is dropped."""
        try:
            total = None if progress.total is None else _number(progress.total)
            data = _encode(Report(job, operation, _number(progress.done), total, str(progress.text)))
        except Exception as error:  # noqa: BLE001  # a body may report anything, and must not fail for it
            _log.debug("the progress of %s can't be published: %s", operation, error)
            return
        with self._lock:
            self._job, self._latest, self._is_sent = job, data, False
            self._send_if_due()
            if not self._is_sent:
                self._is_due.set()

    def latest(self, job: int) -> bytes | None:
        """The latest report of a job that has ended, sent or not; ``None`` if there was none."""
        with self._lock:
            if self._job != job:
                return None
            self._is_sent = True
            return self._latest

    def log(self, record: logging.LogRecord) -> None:
        """Sends a record of the log."""
        data = pickle.dumps(vars(record))
        with self._lock:
            self._send(_LOGGED + data)

    def publish(self, message: bytes) -> None:
        """Sends events, as a message of a bus."""
        with self._lock:
            self._send(_HAPPENED + message)

    def _send_if_due(self) -> None:
        now = self._clock.monotonic()
        if self._latest is not None and not self._is_sent and now - self._sent_at >= INTERVAL:
            self._sent_at, self._is_sent = now, True
            self._send(_PROGRESS + self._latest)

    def _fall_silent(self) -> None:
        """Runs in a process that a body forked: two writers to one pipe would mix their messages."""
        self._lock = threading.Lock()
        self._is_silent = True

    def _send(self, data: bytes) -> None:
        if self._is_silent:
            return
        with contextlib.suppress(OSError):  # nobody reads it
            self._connection.send_bytes(data)

    def _send_late(self) -> None:
        never = threading.Event()
        while self._is_due.wait():
            self._is_due.clear()
            self._clock.wait(never, INTERVAL)
            with self._lock:
                self._send_if_due()


class _Forwarder(logging.handlers.QueueHandler):
    """Sends log records to the parent as text."""

    def __init__(self, teller: Teller) -> None:
        super().__init__(None)  # type: ignore[arg-type]  # the queue, which only `enqueue` would use
        self._teller = teller

    def enqueue(self, record: logging.LogRecord) -> None:
        """Sends it."""
        self._teller.log(record)


def forward_log(teller: Teller, levels: Mapping[str, int]) -> None:
    """Sends the log records and warnings of this process to the parent's log.

    Args:
        teller: sends it.
        levels: those of the parent; see `log_levels`.
    """
    root, forwarder = logging.getLogger(), _Forwarder(teller)
    set_levels(levels)
    root.addHandler(forwarder)
    # A process that a body forks logs to standard error.
    os.register_at_fork(after_in_child=partial(root.removeHandler, forwarder))
    logging.captureWarnings(True)
    warnings.simplefilter("ignore", RaveWarning)  # it is in the log already


def opened_report(data: bytes) -> tuple[str, Progress]:
    """Who reports progress, and what, in a report that came with a result."""
    report = _decode(data)
    return report.operation, Progress(report.done, report.total, report.text)


def set_levels(levels: Mapping[str, int]) -> None:
    """Sets levels of this process, by logger, as `log_levels` gives them."""
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


def log_levels() -> dict[str, int]:
    """The levels that were set in this process, by logger; that of the root under the empty name."""
    loggers = list(logging.root.manager.loggerDict.items())
    own = {name: each.level for name, each in loggers if isinstance(each, logging.Logger) and each.level}
    return {"": logging.root.level, **own}


class Hearing:
    """In the parent: passes on what one child sends: progress, events, and records for the log; in a thread.

    It ends with the child.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._job = 0
        self._tell: Callable[[str, Progress], None] | None = None
        self._relay: Callable[[bytes], None] | None = None
        self._heard: bytes | None = None
        self._lock = threading.Lock()
        threading.Thread(target=self._listen, name="rave-child-news", daemon=True).start()

    def begin(self, job: int, tell: Callable[[str, Progress], None], relay: Callable[[bytes], None]) -> None:
        """Passes on the messages of a job from now on.

        Args:
            job: its number.
            tell: takes each report of progress, after the name of the operation that reports.
            relay: takes events, as a message of a bus; also those that come late.
        """
        self._relay = relay
        with self._lock:
            self._job, self._tell, self._heard = job, tell, None

    def end(self, latest: bytes | None = None) -> None:
        """Passes on the latest report of the job, unless it has already arrived. Later reports are dropped."""
        with self._lock:
            if latest is not None and latest != self._heard:
                self._hand_over(latest)
            self._tell = None

    def _listen(self) -> None:
        with self._connection, contextlib.suppress(EOFError, OSError):
            while True:
                data = self._connection.recv_bytes()
                try:
                    self._take(data[:1], data[1:])
                except Exception:  # noqa: BLE001  # a listener, or a handler of the log, may raise anything
                    _log.exception("a message of a child process was lost")

    def _take(self, kind: bytes, data: bytes) -> None:
        if kind == _LOGGED:
            _log_again(pickle.loads(data))  # noqa: S301  # from our own child
        elif kind == _HAPPENED:
            if self._relay is not None:
                self._relay(data)
        else:
            with self._lock:
                self._hand_over(data)

    def _hand_over(self, data: bytes) -> None:
        report = _decode(data)
        if self._tell is not None and report.job == self._job:
            self._heard = data
            self._tell(report.operation, Progress(report.done, report.total, report.text))


def _log_again(fields: dict[str, Any]) -> None:
    record = logging.makeLogRecord(fields)
    logger = logging.getLogger(record.name)
    if logger.isEnabledFor(record.levelno):
        logger.handle(record)


def _number(given: Any) -> float:
    return given if type(given) in (int, float) else float(given)
