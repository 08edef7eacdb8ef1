"""A separate process whose children are killed, race each other, or use another clock.

It never opens a store itself: each of its children does, after the fork, as each process of a team would. It reads
the scenario and how to open a store as JSON from standard input, and writes the result as JSON to standard output.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, Generic, TypeVar

from rave_core.backend import Backend
from rave_core.documents import DocumentStore
from rave_core.testing.capable import Capable

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Ended:
    """How a child ended.

    Attributes:
        was_killed: by SIGKILL.
        answer: its result, ``None`` if it was killed.
        problem: the exception that it ended with, in words; empty if there was none.
    """

    was_killed: bool
    answer: Any = None
    problem: str = ""


class Child:
    """A process that does one thing and reports the result."""

    def __init__(self, act: Callable[[], object]) -> None:
        """Starts it; ``act`` returns something that JSON can express."""
        self._pipe, told = os.pipe()
        self._pid = os.fork()
        if not self._pid:
            os.close(self._pipe)
            _perform(act, told)
        os.close(told)

    def end(self) -> Ended:
        """Waits for it."""
        with os.fdopen(self._pipe, "rb") as pipe:
            said = pipe.read()
        _, status = os.waitpid(self._pid, 0)
        if os.WIFSIGNALED(status):
            is_kill = os.WTERMSIG(status) == signal.SIGKILL
            return Ended(is_kill, problem="" if is_kill else f"ended by signal {os.WTERMSIG(status)}")
        return Ended(was_killed=False, **json.loads(said))


def _perform(act: Callable[[], object], told: int) -> None:
    try:
        said: dict[str, object] = {"answer": act()}
    except BaseException:  # noqa: BLE001  # any exception is reported to the parent
        said = {"problem": traceback.format_exc(limit=-6)}
    os.write(told, json.dumps(said).encode())
    os._exit(0)


class ProcessHarness(ABC, Generic[T]):
    """How each child opens its store, a ``T``."""

    def __init__(self, opening: str, place: str) -> None:
        """``opening`` is source that defines the function which opens ``place``.

        It runs once; children share its modules.
        """
        self._place = place
        self._named: dict[str, Callable[[str], Any]] = {}
        exec(opening, self._named)  # noqa: S102  # a test's own words
        gc.freeze()  # a child that looks for circles would copy their memory

    @abstractmethod
    @contextmanager
    def opened(self) -> Iterator[T]:
        """A store over the common place; for a child alone."""

    @abstractmethod
    def code_of(self, store: T) -> type[object]:
        """The class to whose package the lines belong at which a child is killed."""

    def defined(self, name: str) -> Callable[[str], Any]:
        """The function that ``opening`` defines under a name."""
        return self._named[name]

    def play(self, act: Callable[[T], object]) -> Any:
        """What ``act`` gives, in a child of its own, for a store opened there.

        Raises:
            AssertionError: it failed.
        """
        ended = Child(lambda: self._act(act)).end()
        assert not ended.problem, ended.problem
        return ended.answer

    def start(self, act: Callable[[T], object]) -> Child:
        """As ``play``, without waiting for it."""
        return Child(lambda: self._act(act))

    def _act(self, act: Callable[[T], object]) -> object:
        with self.opened() as store:
            return act(store)

    def lines(self, act: Callable[[T], object]) -> int:
        """How many lines of its own code a store goes through in ``act``."""

        def count(store: T) -> int:
            with _counting(self.code_of(store), 0) as counted:
                act(store)
            return counted[0]

        return int(self.play(count))

    def killed_at(self, number: int, act: Callable[[T], object]) -> Ended:
        """How a process ends that is killed before the ``number``th of these lines."""

        def dying(store: T) -> None:
            with _counting(self.code_of(store), number):
                act(store)

        return self.start(dying).end()


class BackendHarness(ProcessHarness[Capable]):
    """Children over one cache backend; ``opening`` defines ``open_backend(place)``."""

    @contextmanager
    def opened(self) -> Iterator[Capable]:
        """The backend, with the methods of its capabilities."""
        backend: Backend = self.defined("open_backend")(self._place)
        try:
            yield Capable(backend)
        finally:
            backend.close()

    def code_of(self, store: Capable) -> type[object]:
        """That of the backend."""
        return type(store.backend)


class DocumentHarness(ProcessHarness[DocumentStore]):
    """Children over one document store; ``opening`` defines ``open_store(place)``."""

    @contextmanager
    def opened(self) -> Iterator[DocumentStore]:
        """The store."""
        with self.defined("open_store")(self._place) as store:
            yield store

    def code_of(self, store: DocumentStore) -> type[object]:
        """That of the store."""
        return type(store)


@contextmanager
def _counting(kind: type[object], deadly: int) -> Iterator[list[int]]:
    """Counts the lines of a class's package that this thread runs, and dies before one of them."""
    home, counted, known = _home(kind), [0], dict[CodeType, bool]()

    def line(_frame: FrameType, event: str, _argument: object) -> Any:
        if event == "line":
            counted[0] += 1
            if counted[0] == deadly:
                os.kill(os.getpid(), signal.SIGKILL)
        return line

    def call(frame: FrameType, _event: str, _argument: object) -> Any:
        code = frame.f_code
        if code not in known:
            known[code] = code.co_filename.startswith(home)
        return line if known[code] else None

    sys.settrace(call)
    try:
        yield counted
    finally:
        sys.settrace(None)


def _home(kind: type[object]) -> str:
    """The location of a store's code: the folder of its package, or its one file."""
    top = sys.modules[kind.__module__.partition(".")[0]]
    if hasattr(top, "__path__"):
        return f"{next(iter(top.__path__))}{os.sep}"
    return str(Path(str(top.__file__)))


def chosen(total: int, most: int) -> list[int]:
    """At which of ``total`` lines a process is killed, counted from 1: at ``most`` of them, evenly."""
    if total <= most:
        return list(range(1, total + 1))
    return sorted({1 + round(step * (total - 1) / (most - 1)) for step in range(most)})


def answers_of(children: list[Child]) -> list[Any]:
    """What children gave, in their order.

    Raises:
        AssertionError: one of them failed.
    """
    ended = [child.end() for child in children]
    problems = [each.problem for each in ended if each.problem]
    assert not problems, problems[0]
    return [each.answer for each in ended]
