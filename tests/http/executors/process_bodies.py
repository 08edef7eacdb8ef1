"""Bodies that run in other processes, and ways to wait for them, for the tests of the executor."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from rave_core import Options, Outcome, Runtime
from rave_core.engine.context import ExecutionContext
from rave_core.model import PLAIN
from rave_http.executors.processes import ProcessExecutor

BODIES = '''
import asyncio, logging, multiprocessing, os, signal, subprocess, sys, threading, time, warnings
from pathlib import Path
from rave_core import current_runtime, nocache, op, op_file, progress
from rave_http.protocol.tracing import traceparent


class OddError(Exception):
    """Its arguments are not those that its class wants."""

    def __init__(self, code, reason):
        super().__init__(f"{code}: {reason}")
        self.code = code
        self.lock = threading.Lock()


def note(place):
    """Notes this process, for the test to find it."""
    Path(place).write_text(str(os.getpid()))


@op
def half(number):
    return number / 2


@op(expires=nocache)
def half_of(number):
    current_runtime().events.publish("half.asked", {"number": number})
    return half(number)


@op(expires=nocache)
def says(level):
    return logging.getLogger("bodies.voice").isEnabledFor(level)


@op(expires=nocache)
def pid():
    return os.getpid()

@op(expires=nocache)
def nap(number):
    time.sleep(0.01)
    return os.getpid()

@op
def spin(place):
    note(place)
    while True:
        pass

@op
def spin_with_a_helper(place):
    helper = subprocess.Popen(["sleep", "3600"])
    Path(place + ".helper").write_text(str(helper.pid))
    note(place)
    helper.wait()

@op
def end(how):
    if how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    os._exit(how)

@op
def leave():
    sys.exit(3)

@op
def odd_value():
    return threading.Lock()

@op
def odd_error():
    raise OddError(7, "of its own")

@op
def hidden_error():
    class HiddenError(Exception):
        pass
    raise HiddenError("from within")

@op
def plain_error():
    raise KeyError("plain")

@op
def count(steps):
    for step in range(1, steps + 1):
        progress(step, steps, f"step {step}")
    return steps

@op
def wait_after_progress(place):
    for step in range(3):
        progress(step, 3)
    while not Path(place).exists():
        time.sleep(0.005)

@op
def base(n, log):
    with open(log, "a") as file:
        print(os.getpid(), file=file)
    time.sleep(0.2)
    return n

@op
def above(n, log, salt=0):
    progress(1, 2, "above")
    return base(n, log) + 1

@op_file(mime_type="text/plain")
def page(out_file, text):
    Path(out_file).write_text(f"{text} {os.getpid()}")

@op
async def patient(n):
    await asyncio.sleep(0)
    return n, os.getpid()

@op
def identity(thing):
    return os.getpid()

@op
def talk(n):
    logging.getLogger("bodies").info("said %s in %s", n, "words")
    logging.getLogger("bodies").debug("not of interest")
    warnings.warn("of something")
    return os.getpid()

@op
def fork_helpers(n):
    with multiprocessing.get_context("fork").Pool(2) as pool:
        return pool.map(abs, [-n, n])

@op(expires=nocache)
def trace():
    return traceparent()
'''


Ask = Callable[..., Awaitable[Outcome[Any]]]


async def ask(
    runtime: Runtime,
    executor: ProcessExecutor,
    operation: Any,
    *args: Any,
    time_limit: float | None = None,
    options: Options = PLAIN,
    listener: Any = None,
) -> Outcome[Any]:
    """Answers a call as the service does: the path in the event loop, the body by the executor."""
    resolved, context = operation.resolved(), ExecutionContext(runtime, listener=listener)
    run = partial(executor.run, time_limit=time_limit)
    call = resolved.binder.bind(args, {})
    outcome: Outcome[Any] = await runtime.container.engine.compute_async(resolved, call, options, context, run)
    return outcome


def children() -> list[psutil.Process]:
    """The bodies' processes below this one, and none of those that other tests left."""
    found = []
    for each in psutil.Process().children():
        with contextlib.suppress(psutil.NoSuchProcess):  # a zombie is one of these
            if "spawn_main" in " ".join(each.cmdline()):
                found.append(each)
    return found


def is_running(pid: int) -> bool:
    """Whether a process does anything yet; a zombie does not."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


async def reached(condition: Callable[[], Any], what: str, seconds: float = 60) -> Any:
    """Waits until a condition holds; gives what it gave."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"{what}: not within {seconds} s"
        await asyncio.sleep(0.005)
    return found


async def noted(place: Path) -> int:
    """The process that a body noted."""
    return int(await reached(lambda: place.exists() and place.read_text(), f"{place.name}"))
