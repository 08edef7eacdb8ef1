"""Calls among the workers of one service, over sockets in their run directory.

Each question is one line of JSON over a separate connection, and so is its answer. A process that can reach the run
directory belongs to the service, so there is no authentication.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import socket
from collections.abc import Awaitable, Callable, Collection
from pathlib import Path
from typing import Any, Final

import msgspec

from rave_core.errors import Signal, UnknownNameError, describe_error, nearest
from rave_http.protocol.json_texts import to_json
from rave_http.workers.run_directory import RunDirectory

QuestionHandler = Callable[[dict[str, Any]], Any | Awaitable[Any]]
"""Answers a question from its facts, with any value that JSON can express. It runs in the event loop."""

MAX_BYTES: Final = 10 * 1024 * 1024
"""Bytes of a question or an answer, at most."""

_BACKLOG: Final = 1024
_PATIENCE: Final = 60.0  # seconds, after which a connection of another worker is given up
_FAREWELL: Final = 1.0  # seconds that answers under way get when a worker closes
_log = logging.getLogger("rave.http")


class Answers(dict[str, Any]):
    """The answers of workers, by name and in order of the names.

    Attributes:
        silent: the reason for each worker that gave no answer, by name.
    """

    def __init__(self) -> None:
        super().__init__()
        self.silent: dict[str, str] = {}


class WorkerRPC:
    """One worker among the others. For its event loop alone.

    Attributes:
        name: of this worker, ``worker-<pid>``.
    """

    def __init__(self, run_directory: RunDirectory | None, name: str) -> None:
        """Creates this worker's end. Without a ``run_directory`` it is alone."""
        self.name = name
        self._run_directory = run_directory
        self._responders: dict[str, QuestionHandler] = {}
        self._server: asyncio.Server | None = None
        self._serving: set[asyncio.Task[Any]] = set()

    def answer(self, question: str, responder: QuestionHandler) -> None:
        """Answers ``question``, whichever worker asks, with the result of ``responder`` for its facts."""
        self._responders[question] = responder

    async def open(self) -> None:
        """Starts listening. Workers that read the run directory from now on see this one.

        Raises:
            OSError: the run directory is gone.
        """
        if self._run_directory is None:
            return
        path = self._run_directory.socket(self.name)
        # It gets its name once it listens: a worker that finds a socket without a listener considers the other dead.
        new = path.with_name(f"{path.name}.new")
        listener = await asyncio.to_thread(_bound, str(new))
        self._server = await asyncio.start_unix_server(self._serve, sock=listener, limit=MAX_BYTES + 1024)
        await asyncio.to_thread(new.replace, path)

    async def close(self) -> None:
        """Stops listening, after a moment for answers under way. Calling it twice is harmless."""
        if self._server is None or self._run_directory is None:
            return
        server, self._server = self._server, None
        await asyncio.to_thread(self._run_directory.forget, self.name)
        server.close()
        if self._serving:
            _, late = await asyncio.wait(self._serving, timeout=_FAREWELL)
            for task in late:
                task.cancel()

    async def ask(
        self, question: str, *, timeout: float = 2.0, to: Collection[str] | None = None, **facts: Any
    ) -> Answers:
        """Asks every worker, including this one. Those that do not answer within ``timeout`` seconds count as silent.

        Args:
            question: what they answer.
            timeout: in seconds.
            to: the names of the workers to ask; ``None`` for all.
            facts: what the question is about.

        Raises:
            ValueError: the facts are larger than `MAX_BYTES`.
            TypeError: JSON has no form for one of the facts.
        """
        line = _line(_Question(question, facts))
        found, silent = {}, {}

        async def ask_one(worker: str) -> None:
            try:
                async with asyncio.timeout(timeout):
                    own = worker == self.name
                    found[worker] = _opened(await (self._reply(line) if own else self._asked(worker, line)))
            except TimeoutError:
                silent[worker] = f"no answer within {timeout:g} s"
            except _Dead:
                pass
            except (_Unanswered, OSError, ValueError) as error:
                silent[worker] = str(error) or type(error).__name__

        await asyncio.gather(*map(ask_one, await self._workers() if to is None else to))
        answers = Answers()
        answers.update(sorted(found.items()))
        answers.silent.update(sorted(silent.items()))
        return answers

    async def _workers(self) -> list[str]:
        others = await asyncio.to_thread(self._run_directory.workers) if self._run_directory is not None else []
        return [self.name, *(worker for worker in others if worker != self.name)]

    async def _asked(self, worker: str, line: bytes) -> bytes:
        """What another worker replies."""
        assert self._run_directory is not None  # there are no others without one
        try:
            reader, writer = await asyncio.open_unix_connection(
                self._run_directory.socket(worker), limit=MAX_BYTES + 1024
            )
        except (ConnectionRefusedError, FileNotFoundError) as error:
            await asyncio.to_thread(self._run_directory.forget, worker)
            raise _Dead(worker) from error
        try:
            writer.write(line)
            await writer.drain()
            reply = await reader.readline()
        finally:
            writer.close()
        if not reply:
            raise _Unanswered("it closed the connection")
        return reply

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # a callback of a server runs in one
        self._serving.add(task)
        try:
            async with asyncio.timeout(_PATIENCE):
                writer.write(await self._reply(await reader.readline()))
                await writer.drain()
        except (OSError, ValueError, TimeoutError) as error:
            _log.debug("a question of another worker was left unanswered: %s", describe_error(error))
        except asyncio.CancelledError:  # stops here: asyncio would log it as an error
            _log.debug("a question of another worker was left unanswered, since this worker is stopping")
        finally:
            self._serving.discard(task)
            writer.close()

    async def _reply(self, line: bytes) -> bytes:
        try:
            asked = msgspec.json.decode(line, type=_Question)
            if asked.question not in self._responders:
                raise UnknownNameError(f"no question {asked.question!r}: {nearest(asked.question, self._responders)}")
            answer = self._responders[asked.question](asked.facts)
            if inspect.isawaitable(answer):
                answer = await answer
            return _line(_Reply(answer))
        except Exception as error:  # noqa: BLE001  # whatever it is, who asked has to hear of it
            _log.debug("a question could not be answered", exc_info=True)
            return _line(_Reply(error=describe_error(error)))


class _Unanswered(Signal):
    """A worker received the question but gave no answer; the text says why."""


class _Dead(Signal):
    """Nobody listens at the socket of that worker any more."""


class _Question(msgspec.Struct, frozen=True):
    question: str
    facts: dict[str, Any]


class _Reply(msgspec.Struct, frozen=True):
    answer: Any = None
    error: str = ""


def _bound(path: str) -> socket.socket:
    """A socket that listens at ``path``."""
    Path(path).unlink(missing_ok=True)  # left by a process of the same ID that died at this point
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(path)
        listener.listen(_BACKLOG)
        listener.setblocking(False)
    except BaseException:
        listener.close()
        raise
    return listener


def _line(document: object) -> bytes:
    line = to_json(document) + b"\n"
    if len(line) > MAX_BYTES:
        raise ValueError(f"workers tell each other {MAX_BYTES} bytes at most, not {len(line)}")
    return line


def _opened(line: bytes) -> Any:
    reply = msgspec.json.decode(line, type=_Reply)
    if reply.error:
        raise _Unanswered(reply.error)
    return reply.answer
