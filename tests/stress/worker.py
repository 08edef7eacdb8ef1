"""One process of the stress: threads, tasks and forked children call operations; each answer is checked.

Run as ``python worker.py DIRECTORY SEED``. Writes a line for each finding, and for each round that went well.
"""

from __future__ import annotations

import asyncio
import faulthandler
import importlib
import os
import random
import sys
import threading
import time
from pathlib import Path
from types import ModuleType
from typing import Any

MOST_SECONDS = 5.0
"""A call that takes longer hangs."""
CALLS, THREADS, TASKS = 25, 3, 4
NAMES = ("total", "nested", "left", "right", "written")


class Worker:
    """Calls the operations of a module in rounds; loads it again between them if it was edited."""

    def __init__(self, directory: Path, seed: int) -> None:
        self._directory = directory
        self._random = random.Random(seed)
        self._module: ModuleType | None = None
        self._loaded = 0
        self._log = os.open(directory / "log", os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def say(self, *words: object) -> None:
        """Appends a line, whole even if others write too."""
        os.write(self._log, (" ".join(map(str, words)).replace("\n", " | ") + "\n").encode())

    def run(self) -> None:
        """Goes on until it is killed, or the directory has a file ``stop``."""
        while not (self._directory / "stop").exists():
            module = self._load()
            faulthandler.dump_traceback_later(60, file=sys.stderr)
            began, threads = time.monotonic(), []
            for number in range(THREADS):
                target = (self._threads, self._forked)[number == 0 and self._random.random() < 0.5]
                threads.append(threading.Thread(target=target, args=(module, self._random.random())))
            for thread in threads:
                thread.start()
            asyncio.run(self._tasks(module, self._random.random()))
            for thread in threads:
                thread.join()
            faulthandler.cancel_dump_traceback_later()
            self.say("round", f"{time.monotonic() - began:.2f}", THREADS * CALLS + TASKS * 5)

    def _load(self) -> ModuleType:
        edited = (self._directory / "stress_operations.py").stat().st_mtime_ns
        if self._module is None:
            self._module = importlib.import_module("stress_operations")
        elif edited != self._loaded:
            self._module = importlib.reload(self._module)
        self._loaded = edited
        return self._module

    def _threads(self, module: ModuleType, seed: float) -> None:
        chosen = random.Random(seed)
        for _ in range(CALLS):
            self._check(module, chosen.choice(NAMES), chosen.randrange(60))

    def _check(self, module: ModuleType, name: str, n: int) -> None:
        began = time.monotonic()
        try:
            value: Any = getattr(module, name)(*((n, module.Sized(3)) if name == "total" else (n,)))
            if name == "written":
                value = Path(value).read_text()
        except FileNotFoundError:
            return  # a product may be evicted before it is opened
        except BaseException as error:
            self.say("ERROR", name, n, type(error).__name__, error)
            return
        self._compare(module, name, n, value, time.monotonic() - began)

    def _compare(self, module: ModuleType, name: str, n: int, value: object, seconds: float) -> None:
        if value != module.expected(name, n):
            self.say("WRONG", name, n, str(value)[:200], "instead of", str(module.expected(name, n))[:200])
        if seconds > MOST_SECONDS:
            self.say("SLOW", name, n, f"{seconds:.1f}")

    async def _tasks(self, module: ModuleType, seed: float) -> None:
        chosen = random.Random(seed)

        async def one() -> None:
            for _ in range(5):
                n, began = chosen.randrange(60), time.monotonic()
                self._compare(module, "awaited", n, await module.awaited(n), time.monotonic() - began)

        await asyncio.gather(*(one() for _ in range(TASKS)))

    def _forked(self, module: ModuleType, seed: float) -> None:
        """A child that is forked while other threads call; it must come to an end."""
        child = os.fork()
        if child == 0:
            try:
                self._threads(module, seed)
            finally:
                os._exit(0)
        deadline = time.monotonic() + 6 * MOST_SECONDS
        while os.waitpid(child, os.WNOHANG) == (0, 0):
            if time.monotonic() > deadline:
                self.say("HANGS", "a forked child")
                os.kill(child, 6)
                os.waitpid(child, 0)
                return
            time.sleep(0.01)


if __name__ == "__main__":
    faulthandler.enable()
    sys.dont_write_bytecode = True
    sys.path.insert(0, sys.argv[1])
    Worker(Path(sys.argv[1]), int(sys.argv[2])).run()
