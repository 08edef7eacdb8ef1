"""The executor ``processes``: bodies in child processes, which can be killed."""

from __future__ import annotations

import asyncio
import importlib
import logging
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from rave_core import Options, Outcome, Runtime, Settings, op, using
from rave_core.engine.context import ExecutionContext
from rave_core.errors import TimeLimitError, UnstorableError
from rave_core.model import PLAIN, Progress
from rave_core.operations.catalog import Catalog
from rave_http.executors import WorkerLostError
from rave_http.executors.processes import ProcessExecutor
from rave_http.protocol.tracing import current_trace

BODIES = '''
import asyncio, logging, multiprocessing, os, signal, subprocess, sys, threading, time, warnings
from pathlib import Path
from rave_core import nocache, op, op_file, progress
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


@pytest.fixture(scope="module")
def bodies(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A module of operations that another process can import."""
    place = tmp_path_factory.mktemp("modules")
    (place / "process_bodies.py").write_text(BODIES)
    sys.path.insert(0, str(place))
    yield importlib.import_module("process_bodies")
    sys.path.remove(str(place))
    del sys.modules["process_bodies"]


Ask = Callable[..., Awaitable[Outcome[Any]]]


@pytest.fixture
def play(make_runtime: Callable[..., Runtime]) -> Callable[..., Any]:
    """Plays a scenario with an executor and a way to ask for operations by it; no child outlives it."""

    def begin(
        scenario: Callable[[ProcessExecutor, Ask], Awaitable[Any]],
        slots: int = 2,
        directories: dict[str, str] | None = None,
    ) -> Any:
        runtime = make_runtime()

        async def run() -> Any:
            executor = ProcessExecutor(slots, runtime.settings, directories or {})
            try:
                return await scenario(executor, partial(ask, runtime, executor))
            finally:
                await executor.close(0)
                assert children() == []

        with using(runtime):
            return asyncio.run(run())

    return begin


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
    """The bodies' processes below this one."""
    below = psutil.Process().children(recursive=True)
    return [each for each in below if each.is_running() and "spawn_main" in " ".join(each.cmdline())]


def is_running(pid: int) -> bool:
    """Whether a process does anything yet; a zombie does not."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


async def reached(condition: Callable[[], Any], what: str, seconds: float = 10) -> Any:
    """Waits until a condition holds; gives what it gave."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"{what}: not within {seconds} s"
        await asyncio.sleep(0.005)
    return found


async def noted(place: Path) -> int:
    """The process that a body noted."""
    return int(await reached(lambda: place.exists() and place.read_text(), f"{place.name}"))


def test_a_body_runs_in_a_child_that_the_next_one_finds_ready(play: Callable[..., Any], bodies: Any) -> None:
    """It is not this process, it is the same each time, and its result is kept as usual."""

    async def scenario(executor: ProcessExecutor, ask: Ask) -> Any:
        assert children() == []
        pids = {(await ask(bodies.pid)).value for _ in range(5)}
        assert len(pids) == 1
        assert os.getpid() not in pids
        assert (await ask(bodies.count, 3)).value == 3
        assert bodies.count(3, rave_dry_run=True) == 3

    play(scenario)


def test_twenty_jobs_share_two_children(play: Callable[..., Any], bodies: Any) -> None:
    """Whoever asks takes a place first, so there are never more children than slots."""

    async def scenario(executor: ProcessExecutor, ask: Ask) -> Any:
        places = asyncio.Semaphore(executor.slots)

        async def one(number: int) -> int:
            async with places:
                return int((await ask(bodies.nap, number)).value)

        pids = await asyncio.gather(*map(one, range(20)))
        assert len(set(pids)) == 2
        assert len(children()) == 2

    play(scenario)


def test_a_body_at_its_time_limit_is_killed(play: Callable[..., Any], bodies: Any, tmp_path: Path) -> None:
    """Its process is gone, and with it what it had started; the start of a child does not count."""

    async def scenario(executor: ProcessExecutor, ask: Ask) -> Any:
        for body in (bodies.spin, bodies.spin_with_a_helper):
            place = tmp_path / body.__name__
            with pytest.raises(TimeLimitError, match=r"was ended at its time limit of 0\.3 s"):
                await ask(body, str(place), time_limit=0.3)
            pids = [await noted(place)]
            if body is bodies.spin_with_a_helper:
                pids.append(int(Path(f"{place}.helper").read_text()))
            await reached(lambda pids=pids: not any(map(is_running, pids)), "the end of the processes")

    play(scenario)


def test_cancelling_whoever_waits_kills_the_body(play: Callable[..., Any], bodies: Any, tmp_path: Path) -> None:
    """The cancellation passes on, and the executor goes on."""

    async def scenario(executor: ProcessExecutor, ask: Ask) -> Any:
        asked = asyncio.create_task(ask(bodies.spin, str(tmp_path / "spin")))
        pid = await noted(tmp_path / "spin")
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        await reached(lambda: not is_running(pid), "the end of the process")
        at_once = asyncio.create_task(ask(bodies.pid))
        await asyncio.sleep(0)
        at_once.cancel()
        await asyncio.wait({at_once})
        assert (await ask(bodies.pid)).value not in (pid, os.getpid())

    play(scenario)


def test_a_child_that_dies_is_told_and_replaced(play: Callable[..., Any], bodies: Any) -> None:
    """The error names the operation and how its process ended, even if that was by a silent exit."""

    async def scenario(executor: ProcessExecutor, ask: Ask) -> Any:
        for how, told in (
            (0, "ended with exit code 0"),
            (3, "ended with exit code 3"),
            ("kill", "was killed by SIGKILL"),
        ):
            with pytest.raises(WorkerLostError, match=rf"process_bodies:end did not come to its end: .* {told}$"):
                await ask(bodies.end, how)
        assert (await ask(bodies.count, 2)).value == 2

    play(scenario)


def test_an_idle_child_that_was_killed_is_replaced(play: Callable[..., Any], bodies: Any) -> None:
    """By the kernel for want of memory, say."""

    async def scenario(executor: ProcessExecutor, ask: Ask) -> Any:
        pid = (await ask(bodies.pid)).value
        os.kill(pid, signal.SIGKILL)
        await reached(lambda: not psutil.pid_exists(pid), "that its end is noticed")
        await reached(lambda: not executor._idle[0].is_idle, "that its end is known")
        assert (await ask(bodies.pid)).value != pid

    play(scenario)


def test_exceptions_keep_their_class_and_text(play: Callable[..., Any], bodies: Any) -> None:
    """Whatever their class wants to be called with; one that only the child knows is named in a RuntimeError."""

    async def scenario(executor: ProcessExecutor, ask: Ask) -> Any:
        with pytest.raises(KeyError, match="plain") as plain:
            await ask(bodies.plain_error)
        assert "raise KeyError" in str(plain.value.__cause__)
        with pytest.raises(bodies.OddError, match="7: of its own") as odd:
            await ask(bodies.odd_error)
        assert odd.value.code == 7
        with pytest.raises(RuntimeError, match=r"^HiddenError: from within$"):
            await ask(bodies.hidden_error)
        with pytest.raises(RuntimeError, match="was left by SystemExit: 3"):
            await ask(bodies.leave)
        assert len(children()) == 1

    play(scenario)


def test_a_value_that_can_not_leave_its_process_is_an_error_that_says_so(play: Callable[..., Any], bodies: Any) -> None:
    """It names the operation, the type, and what to do."""

    async def scenario(executor: ProcessExecutor, ask: Ask) -> Any:
        with pytest.raises(UnstorableError, match=r"process_bodies:odd_value returned lock, .* 'threads'"):
            await ask(bodies.odd_value)

    play(scenario)


def test_progress_arrives_and_the_last_report_always(play: Callable[..., Any], bodies: Any) -> None:
    """A thousand reports at once become a few, of which the last is the body's last."""

    async def scenario(executor: ProcessExecutor, ask: Ask) -> Any:
        for steps in (1000, 1):
            heard: list[tuple[str, Progress]] = []
            await ask(bodies.count, steps, listener=lambda *report, heard=heard: heard.append(report))
            assert heard[-1] == ("process_bodies:count", Progress(steps, steps, f"step {steps}"))
            assert len(heard) < 20

    play(scenario)


def test_progress_arrives_while_the_body_runs(play: Callable[..., Any], bodies: Any, tmp_path: Path) -> None:
    """Reports in quick succession are not lost where none follows for a long time."""

    async def scenario(executor: ProcessExecutor, ask: Ask) -> Any:
        heard: list[Progress] = []
        listener = lambda _operation, report: heard.append(report)  # noqa: E731  # it is handed over
        asked = asyncio.create_task(ask(bodies.wait_after_progress, str(tmp_path / "go"), listener=listener))
        await reached(lambda: heard and heard[-1] == Progress(2, 3), "the last report")
        (tmp_path / "go").touch()
        await asked

    play(scenario)


def test_operations_within_are_cached_there_and_counted_as_children(
    play: Callable[..., Any], bodies: Any, tmp_path: Path
) -> None:
    """Two bodies that need one result at once make it once, and each knows what it was made from."""
    log = str(tmp_path / "log")

    async def scenario(executor: ProcessExecutor, ask: Ask) -> Any:
        heard: list[str] = []
        listen = lambda operation, _report: heard.append(operation)  # noqa: E731  # it is handed over
        one, two = await asyncio.gather(
            ask(bodies.above, 1, log, 1, listener=listen), ask(bodies.above, 1, log, 2, listener=listen)
        )
        assert (one.value, two.value) == (2, 2)
        (pid,) = Path(log).read_text().split()
        assert int(pid) != os.getpid()
        for outcome in (one, two):
            assert outcome.entry is not None
            assert outcome.entry.children == (bodies.base.key(1, log).text,)
        assert bodies.base(1, log, rave_dry_run=True) == 1
        assert "process_bodies:above" in heard

    play(scenario)


def test_a_deep_refresh_goes_through_processes(play: Callable[..., Any], bodies: Any, tmp_path: Path) -> None:
    """What is called within is made anew, once."""
    log = str(tmp_path / "log")

    async def scenario(executor: ProcessExecutor, ask: Ask) -> Any:
        await ask(bodies.above, 1, log)
        await ask(bodies.above, 1, log, options=Options(refresh=True))
        assert len(Path(log).read_text().split()) == 1
        outcome = await ask(bodies.above, 1, log, options=Options(deep_refresh=True))
        assert outcome.status == "refreshed"
        assert len(Path(log).read_text().split()) == 2

    play(scenario)


def test_a_file_operation_writes_where_its_path_is(play: Callable[..., Any], bodies: Any) -> None:
    """The path that it was given here is one there."""

    async def scenario(executor: ProcessExecutor, ask: Ask) -> Any:
        outcome = await ask(bodies.page, "made by")
        words, pid = Path(outcome.value).read_text().rsplit(" ", 1)
        assert words == "made by"
        assert int(pid) != os.getpid()
        assert bodies.page("made by") == outcome.value

    play(scenario)


def test_a_coroutine_function_runs_there_too(play: Callable[..., Any], bodies: Any) -> None:
    """In a loop of its own."""

    async def scenario(executor: ProcessExecutor, ask: Ask) -> Any:
        number, pid = (await ask(bodies.patient, 4)).value
        assert number == 4
        assert pid != os.getpid()

    play(scenario)


def test_a_body_sees_the_trace_of_its_request(play: Callable[..., Any], bodies: Any) -> None:
    """Of the request that it runs for, not of the one before."""

    async def scenario(executor: ProcessExecutor, ask: Ask) -> Any:
        for trace in ("00-one", "00-two"):
            current_trace.set(trace)
            assert (await ask(bodies.trace)).value == trace

    play(scenario)


def test_what_a_body_logs_is_in_the_log_of_its_worker(
    play: Callable[..., Any], bodies: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """At the levels that are set here, and with the process that it comes from; warnings too."""

    async def scenario(executor: ProcessExecutor, ask: Ask) -> Any:
        pid = (await ask(bodies.talk, 3)).value
        said = lambda: [each for each in caplog.records if each.process == pid]  # noqa: E731  # asked for again
        first, second = await reached(lambda: len(said()) > 1 and said(), "what was logged")
        assert (first.name, first.levelname, first.getMessage()) == ("bodies", "INFO", "said 3 in words")
        assert (second.name, second.levelname) == ("py.warnings", "WARNING")
        assert "of something" in second.getMessage()

    with caplog.at_level(logging.INFO, "bodies"):
        play(scenario)


def test_what_is_counted_in_a_child_counts_here(play: Callable[..., Any], bodies: Any, tmp_path: Path) -> None:
    """Once, whatever else the child did before."""
    log = str(tmp_path / "log")

    async def scenario(executor: ProcessExecutor, ask: Ask) -> Any:
        counted = bodies.base.resolved().record
        before = {name: counted[name] for name in ("Misses", "Hits")}
        for salt in range(3):
            await ask(bodies.above, 5, log, salt)
        assert {name: counted[name] - before[name] for name in before} == {"Misses": 1, "Hits": 2}
        assert counted["Seconds Computing"] >= 0.2

    play(scenario)


def test_a_signal_to_all_processes_does_not_cut_a_body_short(
    play: Callable[..., Any], bodies: Any, tmp_path: Path
) -> None:
    """The worker decides when a child ends; what a body forks ends as usual."""

    async def scenario(executor: ProcessExecutor, ask: Ask) -> Any:
        heard: list[Any] = []
        asked = asyncio.create_task(
            ask(bodies.wait_after_progress, str(tmp_path / "go"), listener=lambda *report: heard.append(report))
        )
        await reached(lambda: heard, "the start of the body")
        for number in (signal.SIGTERM, signal.SIGINT):
            children()[0].send_signal(number)
        (tmp_path / "go").touch()
        assert (await asked).value is None
        assert (await ask(bodies.fork_helpers, 2, time_limit=10)).value == [2, 2]

    play(scenario)


class Rooted:
    """A value that can't be pickled, but can be part of a key."""

    def __rave_key__(self) -> str:
        return "rooted"

    def __reduce__(self) -> Any:
        raise TypeError("it stays where it is")


def test_what_another_process_can_not_find_runs_in_a_thread(
    play: Callable[..., Any], bodies: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """A local function, and arguments that can't be pickled; each is told of once."""

    async def scenario(executor: ProcessExecutor, ask: Ask) -> Any:
        @op(name="tests/local")
        def local(n: int) -> int:
            return os.getpid()

        for _ in range(2):
            assert (await ask(local, 1, options=Options(refresh=True))).value == os.getpid()
            assert (await ask(bodies.identity, Rooted(), options=Options(refresh=True))).value == os.getpid()
        assert children() == []

    with caplog.at_level(logging.WARNING, "rave.http"):
        play(scenario)
    first, second = (record.getMessage() for record in caplog.records if record.name == "rave.http")
    assert first.startswith("tests/local runs in a thread")
    assert "TypeError: it stays where it is" in second


NAMESPACE = """
import os
from rave_core import nocache, op
@op(expires=nocache)
def word():
    return "{}", os.getpid()
__export__ = {{"word": word}}
"""


def test_a_renewed_executor_runs_the_new_code_of_a_directory(play: Callable[..., Any], tmp_path: Path) -> None:
    """Until the service has loaded it, the old code runs, wherever that is: no result goes under a wrong key."""
    place = tmp_path / "words"
    place.mkdir()
    (place / "__init__.py").write_text(NAMESPACE.format("old"))
    directories = {"renewed": str(place)}

    async def scenario(executor: ProcessExecutor, ask: Ask) -> Any:
        old = Catalog.installed(directories).find("renewed/word")
        word, pid = (await ask(old)).value
        assert word == "old"
        assert pid != os.getpid()
        (place / "__init__.py").write_text(NAMESPACE.format("renewed"))
        executor.renew()
        await reached(lambda: not is_running(pid), "the end of the idle child")
        assert (await ask(old)).value == ("old", os.getpid())
        new = Catalog.installed(directories).find("renewed/word")
        executor.renew()
        word, pid = (await ask(new)).value
        assert word == "renewed"
        assert pid != os.getpid()

    play(scenario, directories=directories)


def test_renewing_lets_a_running_body_finish(play: Callable[..., Any], bodies: Any, tmp_path: Path) -> None:
    """Its child ends afterwards."""

    async def scenario(executor: ProcessExecutor, ask: Ask) -> Any:
        heard: list[Any] = []
        asked = asyncio.create_task(
            ask(bodies.wait_after_progress, str(tmp_path / "go"), listener=lambda *report: heard.append(report))
        )
        await reached(lambda: heard, "the start of the body")
        (old,) = children()
        executor.renew()
        assert (await ask(bodies.pid)).value != old.pid
        (tmp_path / "go").touch()
        await asked
        await reached(lambda: not is_running(old.pid), "the end of the old child")

    play(scenario)


PLUGIN = """
import os
from rave_core.hookspecs import hookimpl
@hookimpl
def rave_compute(call):
    if call.spec.name == "process_bodies:identity":
        return ("computed", dict(call.named), call.key.operation, os.getpid()),
"""


def test_a_plugin_that_computes_is_asked_in_the_child(
    play: Callable[..., Any], bodies: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It gets the call as it is here."""
    (tmp_path / "computing.py").write_text(PLUGIN)
    (tmp_path / "computing-1.dist-info").mkdir()
    (tmp_path / "computing-1.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: computing\nVersion: 1\n")
    (tmp_path / "computing-1.dist-info/entry_points.txt").write_text("[rave.plugins]\ncomputing = computing\n")
    monkeypatch.syspath_prepend(str(tmp_path))

    async def scenario(executor: ProcessExecutor, ask: Ask) -> Any:
        word, named, operation, pid = (await ask(bodies.identity, 5)).value
        assert (word, named, operation) == ("computed", {"thing": 5}, "process_bodies:identity")
        assert pid != os.getpid()
        assert (await ask(bodies.count, 2)).value == 2

    play(scenario)


def test_closing_lets_bodies_finish_and_kills_those_that_do_not(
    play: Callable[..., Any], bodies: Any, tmp_path: Path
) -> None:
    """Whoever waits for one of these hears of it."""

    async def scenario(executor: ProcessExecutor, ask: Ask) -> Any:
        spinning = asyncio.create_task(ask(bodies.spin, str(tmp_path / "spin")))
        pid = await noted(tmp_path / "spin")
        heard: list[Any] = []
        finishing = asyncio.create_task(
            ask(bodies.wait_after_progress, str(tmp_path / "go"), listener=lambda *report: heard.append(report))
        )
        await reached(lambda: heard, "the start of the body")
        closing = asyncio.create_task(executor.close(1.5))
        (tmp_path / "go").touch()
        assert (await finishing).value is None
        await closing
        assert not is_running(pid)
        with pytest.raises(WorkerLostError, match="since its worker stops"):
            await spinning

    play(scenario)


PARENT = '''
import asyncio, os, re, sys, time
from pathlib import Path
from rave_core import Runtime, Settings, op, using
from rave_core.engine.context import ExecutionContext
from rave_core.engine.effects import RunBody
from rave_http.executors.processes import ProcessExecutor

def note(place):
    Path(place).write_text(str(os.getpid()))

@op
def spin(place):
    note(place)
    while True:
        time.sleep(0.01)

@op
def hold(place):
    """Lets no other thread of Python run."""
    note(place)
    re.match(r"(a+)+$", "a" * 60 + "b")

@op
def rest(place):
    note(place)

async def main(places):
    runtime = Runtime(Settings(cache=[f"file://{places[0]}-data"], products=[f"file://{places[0]}-products"]))
    executor = ProcessExecutor(3, runtime.settings, {})
    def start(operation, place):
        context = ExecutionContext(runtime, parent=runtime.context, operation=operation.__name__)
        return executor.run(RunBody(operation.bind(place), operation.function, (place,), {}, context), time_limit=None)
    with using(runtime):
        await asyncio.gather(*map(start, (spin, hold, rest), places))
'''


def test_no_child_outlives_its_parent(tmp_path: Path) -> None:
    """Neither a busy one, nor one whose body lets no other thread run, nor an idle one."""
    (tmp_path / "orphans.py").write_text(PARENT)
    places = [tmp_path / name for name in ("spin", "hold", "rest")]
    program = f"import asyncio, orphans; asyncio.run(orphans.main({list(map(str, places))!r}))"
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}:{Path(__file__).parents[3]}"}
    parent = subprocess.Popen([sys.executable, "-c", program], env=environment, stderr=subprocess.DEVNULL)

    async def scenario() -> None:
        pids = [await noted(place) for place in places]
        assert all(map(is_running, pids))
        parent.kill()
        parent.wait()
        await reached(lambda: not any(map(is_running, pids)), "the end of the orphans", 3)

    try:
        asyncio.run(scenario())
    finally:
        parent.kill()
        parent.wait()


def test_settings_go_along_to_the_child(make_runtime: Callable[..., Runtime]) -> None:
    """They can be pickled, so that a child opens the same caches."""
    settings = make_runtime().settings
    assert pickle.loads(pickle.dumps(settings)) == settings
    assert isinstance(settings, Settings)


def test_a_worker_that_forgets_its_children_ends_nevertheless(tmp_path: Path) -> None:
    """Nobody waits for a child at the end of the interpreter, not even for a busy one."""
    (tmp_path / "orphans.py").write_text(PARENT)
    place = tmp_path / "spin"
    program = (
        "import orphans, threading\n"
        "from rave_core import Settings\n"
        "from rave_http.executors.child_process import ChildProcess\n"
        "from rave_http.executors.child_runtime import ChildConfig\n"
        "child = ChildProcess(ChildConfig(Settings(), {}, {}), 0)\n"
        f"threading.Thread(target=child.ask, args=(None, orphans.note, {str(place)!r}), daemon=True).start()\n"
        "child.hearing, child._reaper.join(0.1)\n"
    )
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}:{Path(__file__).parents[3]}"}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
