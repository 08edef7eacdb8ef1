"""How many instructions of RAVE's Python code a call runs, and how often it asks the system for files.

Times tell how fast a call is, and vary with what else the machine does. These counts do not, so tests compare them with
the accepted ones. They do not show what C code does, such as hashes, and how long the disk takes.

Run it from a checkout: ``python benchmarks/instructions.py``; with ``--accept`` the counts become the accepted ones.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable
from itertools import count
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
ACCEPTED = ROOT / "benchmarks/results/instructions.json"
PACKAGES = tuple(f"{ROOT / name}/" for name in ("rave_core", "rave_backends"))
MARGIN = 1.1
"""A count that is higher than the accepted one by more than this factor is a regression."""


def executed(call: Callable[[], object]) -> int:
    """How many bytecode instructions of RAVE a call executes in this thread."""
    return _monitored(call) if sys.version_info >= (3, 12) else _traced(call)


def _traced(call: Callable[[], object]) -> int:
    counted = 0

    def within(_frame: FrameType, event: str, _: Any) -> Any:
        nonlocal counted
        counted += event == "opcode"
        return within

    def entered(frame: FrameType, _event: str, _: Any) -> Any:
        if not frame.f_code.co_filename.startswith(PACKAGES):
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        return within

    before = sys.gettrace()
    sys.settrace(entered)
    try:
        call()
    finally:
        sys.settrace(before)
    return counted


def _monitored(call: Callable[[], object]) -> int:
    monitoring: Any = getattr(sys, "monitoring")  # noqa: B009  # type checkers look at Python 3.11
    tool, event, thread, counted = monitoring.PROFILER_ID, monitoring.events.INSTRUCTION, threading.get_ident(), 0

    def instruction(code: CodeType, _offset: int) -> Any:
        nonlocal counted
        if not code.co_filename.startswith(PACKAGES):
            return monitoring.DISABLE
        counted += threading.get_ident() == thread
        return None

    monitoring.use_tool_id(tool, "instructions")
    try:
        monitoring.register_callback(tool, event, instruction)
        monitoring.set_events(tool, event)
        call()
    finally:
        monitoring.set_events(tool, 0)
        monitoring.free_tool_id(tool)
    return counted


def counts(directory: str) -> dict[str, int]:
    """The least of some calls of each kind, by what they do; memory, and ``directory``, keep the results."""
    from rave_core import Runtime, Settings, op, using

    fresh, places = count(), {"memory": ["memory://"], "directory": [f"file://{directory}/data"]}

    @op(name="instructions/add", version=1)
    def add(a: int, b: int) -> int:
        return a + b

    @op(name="instructions/size", version=1)
    def size(table: dict[str, object]) -> int:
        return len(table)

    def least(call: Callable[[], object]) -> int:
        return min(executed(call) for _ in range(4))

    found = {}
    for place, cache in places.items():
        with using(Runtime(Settings(cache=cache))):
            add(1, next(fresh)), add(1, -1), size({"a": [1, 2.0]})
            found[f"hit, {place}"] = least(lambda: add(1, -1))
            found[f"hit, {place}, a dict as argument"] = least(lambda: size({"a": [1, 2.0]}))
            found[f"miss, {place}"] = least(lambda: add(1, next(fresh)))
    with using(Runtime(Settings(cache=places["directory"], lease_from=60))):
        for _ in range(16):
            add(1, next(fresh))
        found["miss, directory, without a lease"] = least(lambda: add(1, next(fresh)))
    return found


_NO_FILES = frozenset({"fspath", "geteuid", "getpid", "urandom"})
"""Functions of `os` that ask the system for something else, or for nothing."""


def asked_of_the_system(call: Callable[[], object]) -> Counter[str]:
    """How often a call asks the system something about files, in this thread, by the name of the function in `os`."""
    counted: Counter[str] = Counter()

    def called(_frame: FrameType, event: str, function: Any) -> None:
        if event == "c_call" and getattr(function, "__module__", "") in ("posix", "fcntl"):
            counted[function.__name__] += function.__name__ not in _NO_FILES

    before = sys.getprofile()
    sys.setprofile(called)
    try:
        call()
    finally:
        sys.setprofile(before)
    return +counted


def file_calls(directory: str) -> dict[str, Counter[str]]:
    """What a hit, and a miss beside another entry, ask of the system in a private directory below ``directory``."""
    from rave_core import Runtime, Settings, op, using

    fresh = count()

    @op(name="instructions/twice", version=1)
    def twice(number: int) -> int:
        return 2 * number

    with using(Runtime(Settings(cache=[f"file://{directory}/private"]))):
        for _ in range(2):
            twice(-1)
        misses = [asked_of_the_system(lambda: twice(next(fresh))) for _ in range(20)]
        hit = asked_of_the_system(lambda: twice(-1))
    return {"hit": hit, "miss": min(misses, key=Counter.total)}


def accepted() -> dict[str, int]:
    """The accepted counts of this release of Python; none, if nobody has accepted any."""
    found: dict[str, dict[str, int]] = json.loads(ACCEPTED.read_text()) if ACCEPTED.exists() else {}
    return found.get(_python(), {})


def _python() -> str:
    return "{}.{}".format(*sys.version_info)


def main() -> int:
    """Prints a table; 1 if a count is a regression."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accept", action="store_true", help="make the counts the accepted ones of this Python")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        found, files = counts(directory), file_calls(directory)
    known = accepted()
    for name, number in found.items():
        print(f"{number:6} {name} (accepted {known.get(name, 'none')})")
    for name, calls in files.items():
        print(f"{calls.total():6} calls of the system for files, {name}, directory: {dict(calls)}")
    if chosen.accept:
        every = json.loads(ACCEPTED.read_text()) if ACCEPTED.exists() else {}
        ACCEPTED.write_text(json.dumps({**every, _python(): found}, indent=2, sort_keys=True) + "\n")
        return 0
    return int(any(number > MARGIN * known.get(name, number) for name, number in found.items()))


if __name__ == "__main__":
    sys.exit(main())
