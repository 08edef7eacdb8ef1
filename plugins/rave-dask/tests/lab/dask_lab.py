"""Operations that another machine can import."""

import os
import time
from pathlib import Path

from rave_core import current_runtime, op, op_file, progress


@op(version=1)
def double(n):
    """Twice as much."""
    return 2 * n


@op(version=1)
def documents():
    """Where they are, as the settings here say."""
    return current_runtime().settings.documents


@op(version=1)
def quadruple(n):
    """Calls another one."""
    return double(double(n))


@op(version=1)
def counting(n):
    """Reports each step."""
    for done in range(1, n + 1):
        progress(done, n, "counting")
    return n


@op(version=1)
def broken(what):
    """Raises."""
    raise KeyError(what)


@op(version=1)
def brittle(place, times):
    """Raises the first times."""
    with open(place, "a") as note:
        note.write("x")
    if os.path.getsize(place) <= times:
        raise OSError("not yet")
    return os.path.getsize(place)


@op(version=1)
def unkeepable():
    """Returns what can't travel."""
    return lambda: None


@op(version=1)
def sleepy(place):
    """Notes its process and that of its worker, and sleeps on."""
    Path(place).write_text(f"{os.getpid()} {os.getppid()}")
    while True:
        time.sleep(0.05)


@op(version=1)
def patient(place, go):
    """Notes its process and that of its worker, and returns once it may."""
    Path(place).write_text(f"{os.getpid()} {os.getppid()}")
    while not Path(go).exists():
        time.sleep(0.02)
    return "done"


@op_file(version=1)
def sheet(path, n):
    """A file."""
    Path(path).write_text("n\n" * n)


@op(version=1)
def once_lost(place):
    """Sleeps on the first time, and returns the second time."""
    note = Path(place)
    if note.exists():
        return "again"
    note.write_text(f"{os.getpid()} {os.getppid()}")
    while True:
        time.sleep(0.05)


@op(version=1)
def noting(n, place):
    """Notes that it ran, and gives its process."""
    with open(place, "a") as note:
        note.write("x")
    return n, os.getpid()


@op(version=1)
def waiting(n, place):
    """Notes its process and sleeps on, unless it gets 0."""
    if n:
        Path(place).write_text(f"{os.getpid()} {os.getppid()}")
        while True:
            time.sleep(0.05)
    return n


@op(version=1)
def half(n):
    """Refuses odd numbers."""
    if n % 2:
        raise ValueError(f"{n} is odd")
    return n // 2


class Scale:
    """An instance that is part of the key of what its operation gives."""

    def __init__(self, factor):
        self.factor = factor

    def __rave_key__(self):
        """The factor is all that counts."""
        return self.factor

    @op(version=1)
    def scaled(self, n):
        """As many times as the factor says, and the process."""
        return self.factor * n, os.getpid()


@op(version=1)
def once_deadly(place):
    """Ends its process the first time."""
    note = Path(place)
    if note.exists():
        return "again"
    note.touch()
    os._exit(3)


@op(version=1)
def deadly():
    """Ends its process."""
    os._exit(3)
