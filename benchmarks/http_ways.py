"""The way of one GET through the service: which packages it enters, and how often it returns to one.

A room is a package, such as `rave_http.auth`; all modules at the top of a distribution are one room. A call enters a
room when its caller is in another one. It comes back if the same request has already entered and left the room. A
coroutine that resumes after a wait counts as called once; a thread continues the way of its starter.

One worker's application answers in this process, without a socket. `sys.setprofile` follows the calls; nothing is
timed. Run it from a checkout: ``python benchmarks/http_ways.py``, with ``--json`` for machines, ``--calls`` for every
step.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, Self, TypeAlias

from rave_core import Settings
from rave_http.app import Application, create_app
from rave_http.settings import ServiceSettings
from rave_http.workers.run_directory import RunDirectory

ROOT = Path(__file__).resolve().parent.parent
_HOUSE = tuple(f"{ROOT / name}/" for name in ("rave_core", "rave_backends", "rave_http"))
_TIMES = 5  # runs of each request; the shortest way counts, because other work may cross it

Headers: TypeAlias = dict[str, str]

LAB = '''\
"""A namespace to measure."""

from rave_core import mime_type, op, typemap


@op
@typemap(int)
@mime_type("application/json")
def square(n: int):
    """The square of a number."""
    return {"n": n, "square": n * n}


__export__ = {"square": square}
'''


@dataclass(frozen=True, slots=True)
class Step:
    """One function that was called.

    Attributes:
        file: below the root, such as ``rave_http/auth/authorization``.
        function: its qualified name.
        caller: the room of its caller; its own room if that is unknown.
    """

    file: str
    function: str
    caller: str

    @property
    def room(self) -> str:
        """The package that it is in."""
        return _room(self.file)


@dataclass(slots=True)
class Way:
    """The calls that one request made, in order."""

    steps: list[Step] = field(default_factory=list)

    @property
    def entries(self) -> list[Step]:
        """The steps that went from one room into another."""
        return [step for step in self.steps if step.caller != step.room]

    @property
    def rooms(self) -> Counter[str]:
        """How often each room was entered."""
        return Counter(step.room for step in self.entries)

    @property
    def returns(self) -> list[Step]:
        """The steps that came back to a room entered and left before."""
        entries = self.entries
        return [step for place, step in enumerate(entries) if any(each.room == step.room for each in entries[:place])]


class Follower:
    """Follows, on request, the calls of this thread and of threads that start while it is installed."""

    def __init__(self) -> None:
        self._way: Way | None = None
        self._begun: set[FrameType] = set()

    @contextmanager
    def installed(self) -> Iterator[Self]:
        """Looks at every call in a ``with`` block."""
        threading.setprofile(self._follow)
        sys.setprofile(self._follow)
        try:
            yield self
        finally:
            sys.setprofile(None)
            threading.setprofile(None)  # type: ignore[arg-type]  # typeshed forgets that it takes None

    @contextmanager
    def followed(self) -> Iterator[Way]:
        """The way of what happens in a ``with`` block."""
        way = self._way = Way()
        try:
            yield way
        finally:
            self._way = None
            self._begun.clear()

    def _follow(self, frame: FrameType, event: str, _: Any) -> None:
        way = self._way
        file = _file(frame.f_code) if event == "call" and way is not None else None
        if way is None or file is None or frame in self._begun:
            return
        self._begun.add(frame)  # a coroutine that resumes after a wait was called before
        last = way.steps[-1].room if way.steps else _room(file)
        way.steps.append(Step(file, frame.f_code.co_qualname, _caller(frame) or last))


def _file(code: CodeType) -> str | None:
    """The file that contains a piece of code; ``None`` outside the house."""
    path = code.co_filename
    return path[len(f"{ROOT}/") : -len(".py")] if path.startswith(_HOUSE) else None


def _room(file: str) -> str:
    return file.rpartition("/")[0].replace("/", ".")


def _caller(frame: FrameType) -> str | None:
    """The room of the nearest caller in the house; ``None`` at the start of a thread."""
    around = frame.f_back
    while around is not None:
        file = _file(around.f_code)
        if file is not None:
            return _room(file)
        around = around.f_back
    return None


@asynccontextmanager
async def application(directory: Path) -> AsyncIterator[Application]:
    """The application of one worker with one namespace, open, over memory and a directory."""
    lab = directory / "lab"
    lab.mkdir()
    (lab / "__init__.py").write_text(LAB)
    settings = Settings(
        cache=["memory://", f"file://{directory}/data"],
        products=[f"file://{directory}/products"],
        namespaces={"lab": str(lab)},
    )
    run_directory = RunDirectory.create()
    app = create_app(settings, ServiceSettings(reload=False), run_directory)
    asked: asyncio.Queue[dict[str, str]] = asyncio.Queue()
    told: asyncio.Queue[dict[str, str]] = asyncio.Queue()
    life = asyncio.create_task(app({"type": "lifespan", "asgi": {"version": "3.0"}}, asked.get, told.put))
    try:
        for moment in ("startup", "shutdown"):
            await asked.put({"type": f"lifespan.{moment}"})
            answer = await told.get()
            assert answer["type"] == f"lifespan.{moment}.complete", answer
            if moment == "startup":
                yield app
    finally:
        life.cancel()
        run_directory.remove()


async def get(app: Application, path: str, query: str = "", headers: Headers | None = None) -> tuple[int, Headers]:
    """Status and headers of the answer to a GET."""
    given = [(name.lower().encode(), text.encode()) for name, text in ({"Host": "127.0.0.1"} | (headers or {})).items()]
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": given,
        "client": ("127.0.0.1", 9),
        "server": ("here", 80),
    }
    messages: list[dict[str, Any]] = []
    request: asyncio.Queue[dict[str, Any]] = asyncio.Queue()  # the client stays connected
    request.put_nowait({"type": "http.request", "body": b"", "more_body": False})

    async def send(message: Any) -> None:
        messages.append(message)

    await app(scope, request.get, send)
    start = messages[0]
    return start["status"], {name.decode(): text.decode() for name, text in start["headers"]}


async def ladder_hit(app: Application, follower: Follower) -> Way:
    """A GET that a kept result answers, but no ready answer: these exact words are new."""
    ways = []
    for time in range(_TIMES):
        with follower.followed() as way:
            status, headers = await get(app, "/lab/square", "n=7", {"Accept": f"application/json, text/x-{time}"})
        assert status == 200, status
        assert headers["cache-status"].startswith("rave; hit"), headers
        ways.append(way)
    return min(ways, key=lambda way: len(way.steps))


async def ready_hit(app: Application, follower: Follower) -> Way:
    """A GET that was answered before, word for word."""
    await get(app, "/lab/square", "n=7")
    with follower.followed() as way:
        await get(app, "/lab/square", "n=7")
    return way


async def ways(directory: Path) -> dict[str, Way]:
    """The ways of both kinds of hits."""
    with Follower().installed() as follower:
        async with application(directory) as app:
            return await _ways(app, follower)


async def _ways(app: Application, follower: Follower) -> dict[str, Way]:
    for _ in range(2):  # the first makes it, and opens what is opened once
        await get(app, "/lab/square", "n=7")
    return {
        "a hit on the ladder": await ladder_hit(app, follower),
        "a ready answer": await ready_hit(app, follower),
    }


def main() -> None:
    """Prints the ways."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--calls", action="store_true", help="print every call as well")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        found = asyncio.run(ways(Path(directory)))
    if chosen.json:
        facts = {
            name: {"calls": len(way.steps), "returns": len(way.returns), "entries": way.rooms}
            for name, way in found.items()
        }
        print(json.dumps(facts, indent=2))
        return
    for name, way in found.items():
        files = Counter(step.file for step in way.steps)
        print(f"{name}: {len(way.steps)} calls, {len(way.rooms)} rooms, {len(files)} files, {len(way.returns)} returns")
        for room, times in way.rooms.most_common():
            inside = (f"{file.rpartition('/')[2]} {n}" for file, n in files.most_common() if _room(file) == room)
            print(f"    {times:3} × into {room}: {', '.join(inside)}")
        if chosen.calls:
            for step in way.steps:
                crossing = "" if step.caller == step.room else f"  <- {step.caller}"
                print(f"    {step.file}: {step.function}{crossing}")


if __name__ == "__main__":
    main()
