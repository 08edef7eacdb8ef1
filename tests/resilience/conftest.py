"""What the tests under fire share: child programs, waiting by polling, small file systems, and what was warned of."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from rave_core import RaveWarning, carry

REPOSITORY = Path(__file__).parents[2]

# Every child program starts with this: its runtime is the process's own, made from the environment.
PREAMBLE = '''
import os, signal, sys, threading, time
from rave_core import *

LOG = os.environ["FIRE_LOG"]

def log(text):
    """One line, appended whole, whoever else appends."""
    file = os.open(LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(file, f"{text}\\n".encode())
    os.close(file)

def until(condition, seconds=20):
    """Waits until the condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            sys.exit("gave up waiting")
        time.sleep(0.005)
'''


class Tape(list[Any]):
    """Notes what bodies do. What a local body captures is part of its key; this counts as nothing there."""

    def __rave_key__(self) -> str:
        return "tape"


@pytest.fixture
def tape() -> Any:
    """A list to append to from a body; attributes can be set on it for what else the body needs."""
    return Tape()


@pytest.fixture
def log(tmp_path: Path) -> Callable[[], list[str]]:
    """The lines that children appended so far."""
    return lambda: (tmp_path / "log").read_text().split("\n")[:-1] if (tmp_path / "log").exists() else []


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Starts a child program; its caches lie in ``tmp_path``, keywords are variables of its environment.

    What still runs at the end of the test is killed.
    """
    started: list[subprocess.Popen[str]] = []

    def begin(source: str, *args: object, name: str = "child.py", **variables: object) -> subprocess.Popen[str]:
        script = tmp_path / name
        text = PREAMBLE + source
        if not script.exists() or script.read_text() != text:
            script.write_text(text)
        caches = {"RAVE_CACHE": f"file://{tmp_path}/data", "RAVE_PRODUCTS": f"file://{tmp_path}/products"}
        given = {key: str(value) for key, value in variables.items()}
        environment = {**os.environ, **caches, "PYTHONPATH": str(REPOSITORY), "FIRE_LOG": f"{tmp_path}/log", **given}
        process = subprocess.Popen(
            [sys.executable, str(script), *map(str, args)],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            assert stream is not None
            with contextlib.suppress(BrokenPipeError):  # what a failed test wrote, and nobody reads any more
                stream.close()


@pytest.fixture
def until() -> Callable[..., Any]:
    """Waits until a condition holds, and gives what it gave; fails after ``seconds``."""

    def wait(condition: Callable[[], Any], what: str, seconds: float = 20) -> Any:
        deadline = time.monotonic() + seconds
        while not (found := condition()):
            assert time.monotonic() < deadline, f"{what}: not within {seconds} s"
            time.sleep(0.005)
        return found

    return wait


@pytest.fixture
def together() -> Callable[..., list[Any]]:
    """The answers of ``act(0)``, ``act(1)``, …, each in a thread of its own, all let go at the same moment."""

    def run(count: int, act: Callable[[int], Any]) -> list[Any]:
        gate = threading.Barrier(count)

        def enter(number: int) -> Any:
            gate.wait()
            return act(number)

        with ThreadPoolExecutor(count) as pool:
            return list(pool.map(carry(enter), range(count)))

    return run


@pytest.fixture
def warned() -> Callable[..., Any]:
    """A ``with`` block that gives the messages of the `RaveWarning` given inside it, as they come."""

    @contextmanager
    def record() -> Iterator[list[str]]:
        messages: list[str] = []
        with warnings.catch_warnings():
            warnings.simplefilter("always", RaveWarning)
            shown = warnings.showwarning

            def show(message: Any, category: Any, *rest: Any, **named: Any) -> None:
                if issubclass(category, RaveWarning):
                    messages.append(str(message))
                else:
                    shown(message, category, *rest, **named)

            warnings.showwarning = show
            yield messages

    return record


@pytest.fixture
def mount(tmp_path: Path, as_root: None) -> Iterator[Callable[..., Path]]:
    """Mounts a small file system of its own. Needs root."""
    mounted: list[Path] = []

    def mount_one(size: str = "256k") -> Path:
        place = tmp_path / f"disk{len(mounted)}"
        place.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, f"this test mounts a small tmpfs, which was refused: {done.stderr}"
        mounted.append(place)
        return place

    yield mount_one
    for place in mounted:
        subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.fixture
def leftovers() -> Callable[[Path], list[str]]:
    """What lies below a cache's directory that is neither the store's own nor an entry, a product or its copy."""

    def list_them(root: Path) -> list[str]:
        below = [path.relative_to(root) for path in root.rglob("*") if not path.is_dir() or ".rave" in path.parts]
        kept = {"key", "purged", "tmp", "leases", "damaged", "unpacked", ".gitignore"}
        archives = {path.stem for path in below if path.suffix == ".tar"}
        suffixes = (".rave", ".txt", ".tar", ".TAG")
        found = []
        for path in below:
            if path.parts[0] != ".rave":
                if path.suffix not in suffixes and path.name not in (".inventory", ".gitignore"):
                    found.append(str(path))
            elif path.parts[1:2] == ("unpacked",) and set(path.parts[2:3]) <= archives:
                continue
            elif len(path.parts) > 2 or (len(path.parts) == 2 and path.name not in kept):
                found.append(str(path))
        return [name for name in found if not name.endswith((".lock", ".bytes")) and "damaged/" not in name]

    return list_them
