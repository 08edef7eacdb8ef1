"""The code of the namespaces under load. Every answer can be checked from its arguments and its version."""

from __future__ import annotations

LAB = '''\
"""Operations that stay as they are."""

import os
import signal
import time
from pathlib import Path

from rave_core import duration_strategy, expires, list_of, mime_type, op, op_file, progress, typemap

LOG = Path(__file__).parents[1] / "runs.log"


def ran(what):
    with LOG.open("a") as file:
        file.write(f"{time.time():.3f} {os.getpid()} {what}\\n")


@op
@typemap(int)
@mime_type("application/json")
def square(n: int):
    """The square of a number."""
    return {"n": n, "square": n * n}


@op
@typemap(str, float)
@mime_type("text/plain")
def slow(name: str, seconds: float = 1.0) -> str:
    """Takes its time, and tells how far it is."""
    ran(f"slow {name}")
    for step in range(10):
        progress(step, 10, f"step {step}")
        time.sleep(seconds / 10)
    return f"{name} slept {seconds:g}"


@op
@typemap(str)
def poison(name: str) -> None:
    """Kills the process that runs it."""
    time.sleep(0.5)  # so that its ticket is there first
    ran(f"poison {name}")
    os.kill(os.getpid(), signal.SIGKILL)


@op
@typemap(str)
def fails(message: str) -> None:
    """Fails."""
    raise ValueError(message)


@op(stale_while_revalidate=6)
@typemap(str)
@expires(duration_strategy(2))
@mime_type("text/plain")
def brief(name: str) -> str:
    """Is good for two seconds, and may be served for six more."""
    return f"{name} {time.time()}"


@op
@typemap(int)
def rows(n: int):
    """A table."""
    return [{"i": i, "half": i / 2, "name": f"row {i}"} for i in range(n)]


@op
@typemap(int, int)
@mime_type("application/octet-stream")
def blob(seed: int, size: int) -> bytes:
    """So many bytes in memory."""
    return (bytes((seed + i) % 256 for i in range(256)) * (size // 256 + 1))[:size]


@op_file
@typemap(int, int)
@mime_type("application/pdf")
def document(out, seed: int, size: int) -> None:
    """The same in a file."""
    Path(out).write_bytes((bytes((seed + i) % 256 for i in range(256)) * (size // 256 + 1))[:size])


@op
@typemap(int)
@mime_type("application/json")
def heavy(n: int):
    """Works in a process of its own."""
    total = 0
    for i in range(200_000):
        total = (total + i * n) % 1_000_003
    return {"n": n, "total": total}


@op
@typemap(list_of(int))
@mime_type("text/plain")
def total(l: list) -> str:
    """The sum of a list."""
    return str(sum(l))


__export__ = {
    "square": square,
    "slow": slow,
    "poison": poison,
    "fails": fails,
    "brief": brief,
    "rows": rows,
    "blob": blob,
    "files/document": document,
    "heavy": heavy,
    "total": total,
}
'''

TRIAL = '''\
"""Operations that are edited while they are served."""

import time

from rave_core import mime_type, op, typemap

EDITION = {edition}


@op
@typemap(int)
@mime_type("application/json")
def edition(n: int):
    """Which edition this is."""
    return {{"n": n, "edition": EDITION}}


@op
@typemap(str)
@mime_type("application/json")
def pace(name: str):
    """The same after a while."""
    time.sleep(0.5)
    return {{"name": name, "edition": EDITION}}


__export__ = {{"edition": edition, "pace": pace, "number-{edition}": edition}}
'''

BROKEN = '''\
"""An edit that went wrong."""

EDITION = (
'''


def trial(edition: int) -> str:
    """The code of the edited namespace; its answers name their edition."""
    return TRIAL.format(edition=edition)


def stretch(seed: int, start: int, stop: int) -> bytes:
    """The bytes from ``start`` to ``stop`` of a blob or document."""
    block = bytes((seed + i) % 256 for i in range(256))
    first, last = start // 256, stop // 256 + 1
    return (block * (last - first))[start - first * 256 : stop - first * 256]


def weight(n: int) -> int:
    """The total of the operation that works hard."""
    return n * (199_999 * 200_000 // 2) % 1_000_003
