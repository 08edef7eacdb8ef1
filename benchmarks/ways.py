"""The way of a call through the house: which rooms it enters, and how often it returns to one.

A room is a file of RAVE. A call goes from room to room as its functions call each other (a generator that resumes
counts as called again). It comes back if it has entered the room before. Real calls are traced with `sys.setprofile`;
nothing is timed.

Run it from a checkout: ``python benchmarks/ways.py``, with ``--json`` for machines, ``--calls`` for every step.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = tuple(f"{ROOT / name}/" for name in ("rave_core", "rave_backends", "rave_http"))


def room_of(code: CodeType) -> str | None:
    """The room that contains a piece of code; ``None`` outside the house."""
    path = code.co_filename
    return path[len(f"{ROOT}/") : -len(".py")] if path.startswith(PACKAGES) else None


@dataclass(slots=True)
class Way:
    """What one call did.

    Attributes:
        steps: each function called within the house, in order: its room and its name.
    """

    steps: list[tuple[str, str]] = field(default_factory=list)

    def rooms(self, *, depth: int | None = None) -> list[str]:
        """The rooms in the order in which they were entered; with ``depth=2`` packages in place of files."""
        names = ("/".join(room.split("/")[:depth]) for room, _ in self.steps)
        return [name for name, _ in groupby(names)]

    def returns(self, *, depth: int | None = None) -> Counter[str]:
        """The rooms entered again after leaving them, with how often."""
        entered = Counter(self.rooms(depth=depth))
        return Counter({room: times - 1 for room, times in entered.items() if times > 1})

    def count(self, name: str) -> int:
        """How often functions of this qualified name were called."""
        return sum(called == name for _, called in self.steps)


@contextmanager
def traced() -> Iterator[Way]:
    """Follows the calls of this thread in a ``with`` block."""
    way = Way()

    def follow(frame: FrameType, event: str, _: Any) -> None:
        room = room_of(frame.f_code) if event == "call" else None
        if room is not None:
            way.steps.append((room, frame.f_code.co_qualname))

    sys.setprofile(follow)
    try:
        yield way
    finally:
        sys.setprofile(None)


def ways(directory: str) -> dict[str, Way]:
    """The ways of a call that memory answers, and of a call that runs, over memory and a directory."""
    from rave_core import Runtime, Settings, op, using

    settings = Settings(cache=["memory://", f"file://{directory}/data"], products=[f"file://{directory}/products"])

    @op(name="ways/add")
    def add(a: int, b: int) -> int:
        return a + b

    def trace(call: Callable[[], object]) -> Way:
        with traced() as way:
            call()
        return way

    with using(Runtime(settings)):
        add(1, 1)  # opens what is opened once
        add(1, 2)
        return {
            "a hit in memory": trace(lambda: add(1, 2)),
            "a miss over memory and file": trace(lambda: add(1, 3)),
        }


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--calls", action="store_true", help="print every call as well")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        found = ways(directory)
    if chosen.json:
        print(json.dumps({name: _facts(way) for name, way in found.items()}, indent=2))
        return
    for name, way in found.items():
        facts = _facts(way)
        print(f"{name}: {facts['calls']} calls, {facts['rooms']} rooms, {facts['returns']} returns")
        for room, times in way.returns().most_common():
            print(f"    {times:3} × back to {room}")
        if chosen.calls:
            print(*(f"    {room}: {called}" for room, called in way.steps), sep="\n")


def _facts(way: Way) -> dict[str, int]:
    return {
        "calls": len(way.steps),
        "rooms": len(set(way.rooms())),
        "returns": way.returns().total(),
        "packages": len(set(way.rooms(depth=2))),
        "returns_to_packages": way.returns(depth=2).total(),
    }


if __name__ == "__main__":
    main()
