"""Names of addresses, asked of the system's resolver: several at a time, and never longer than the caller waits."""

from __future__ import annotations

import queue
import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

LOOKUPS = 16
"""The most lookups at one time."""

Lookup = Callable[[str], tuple[str, list[str], list[str]]]
Wait = Callable[[threading.Event, float], bool]


@dataclass(slots=True)
class Names:
    """What a resolver said.

    Attributes:
        found: the name of each address that has one.
        failed: why an address has none.
    """

    found: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


def names_of(addresses: Sequence[str], seconds: float, wait: Wait, lookup: Lookup = socket.gethostbyaddr) -> Names:
    """The names of addresses, as far as they are known after so many seconds.

    ``wait`` is a clock's. A lookup that takes longer goes on in its thread until the resolver gives it up; its answer
    does not count.
    """
    waiting: queue.SimpleQueue[str] = queue.SimpleQueue()
    for address in addresses:
        waiting.put(address)
    answers: queue.SimpleQueue[tuple[str, str, bool]] = queue.SimpleQueue()
    stopped, done = threading.Event(), threading.Event()
    left = _Countdown(len(addresses), done)
    for _ in range(min(LOOKUPS, len(addresses))):
        threading.Thread(target=_work, args=(waiting, answers, lookup, stopped, left), daemon=True).start()
    if addresses:
        wait(done, seconds)
    stopped.set()
    names = Names()
    while not answers.empty():
        address, text, is_name = answers.get()
        (names.found if is_name else names.failed)[address] = text
    for address in addresses:
        if address not in names.found:
            names.failed.setdefault(address, f"no answer within {seconds:g} s")
    return names


class _Countdown:
    """Sets an event after so many calls. Threads may share one."""

    def __init__(self, number: int, done: threading.Event) -> None:
        self._number, self._done, self._lock = number, done, threading.Lock()

    def __call__(self) -> None:
        with self._lock:
            self._number -= 1
            if self._number == 0:
                self._done.set()


def _work(
    waiting: queue.SimpleQueue[str],
    answers: queue.SimpleQueue[tuple[str, str, bool]],
    lookup: Lookup,
    stopped: threading.Event,
    left: Callable[[], None],
) -> None:
    while not stopped.is_set():
        try:
            address = waiting.get_nowait()
        except queue.Empty:
            return
        try:
            answers.put((address, lookup(address)[0], True))
        except (OSError, UnicodeError) as error:
            answers.put((address, f"no name ({getattr(error, 'strerror', None) or error})", False))
        left()
