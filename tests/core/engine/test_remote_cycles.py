"""Cycles of keys across processes: A waits for B's key, and B for A's. Nobody waits for ever."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

PROGRAM = """
import sys, threading, time
from pathlib import Path
from rave_core import ThreadPool, op
from rave_core.runtime.runtime import default

here, others = Path(sys.argv[1]), sys.argv[2:]
inside = threading.local()

def meet(name):
    (here / name).touch()
    while not all((here / each).exists() for each in others):
        time.sleep(0.002)

def ask(name, operation, n):
    if getattr(inside, "is_second", False):
        return n
    inside.is_second = True
    meet(name)
    return operation(n) + 1

@op
def a(n):
    return ask("a", b, n)

@op
def b(n):
    return ask("b", c if "c" in others else a, n)

@op
def c(n):
    return ask("c", a, n)

@op
def outer(n):
    # waits in this process for a key of another thread, which waits for another process
    with ThreadPool(1) as pool:
        waiting = pool.submit(a, n)
        while not (here / "a").exists():
            time.sleep(0.002)
        return a(n) + waiting.result()

def joined(n):
    # the body of a joins a call of b that waits for another process, and that no body has made
    while not (here / "b").exists():
        time.sleep(0.002)
    asking = threading.Thread(target=b, args=(n,))
    asking.start()
    while not any("b" in each for each in default().container.engine.flights.under_way()):
        time.sleep(0.002)
    found = a(n)
    asking.join()
    return found

print(globals()[sys.argv[0].rpartition("-")[2].removesuffix(".py")](5))
"""


@pytest.mark.parametrize(
    ("asked", "meeting"),
    [
        (("a", "b"), ("a", "b")),
        (("a", "b", "c"), ("a", "b", "c")),
        (("outer", "b"), ("a", "b")),
        (("joined", "b"), ("a", "b")),
    ],
)
def test_bodies_that_wait_for_each_other_in_other_processes_are_answered(
    tmp_path: Path, asked: tuple[str, ...], meeting: tuple[str, ...]
) -> None:
    """In a circle of two and of three; where a thread of one process, or a call outside of bodies, stands between."""
    environ = {**os.environ, "RAVE_CACHE": f"file://{tmp_path}/cache", "PYTHONDONTWRITEBYTECODE": "1"}
    running = []
    for name in asked:
        script = tmp_path / f"cycle-{name}.py"
        text = PROGRAM
        for each in ("a", "b", "c", "outer"):
            text = text.replace(f"@op\ndef {each}(", f"@op(name='t/{each}', version=1)\ndef {each}(")
        script.write_text(text)
        command = [sys.executable, str(script), str(tmp_path), *meeting]
        running.append(subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True))
    deadline = time.monotonic() + 30
    try:
        answers = [each.communicate(timeout=max(deadline - time.monotonic(), 0.1))[0].strip() for each in running]
    finally:
        for each in running:
            each.kill()
            each.communicate()
    assert all(answer.isdigit() for answer in answers), answers
