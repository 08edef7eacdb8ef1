"""What must not decide an answer, or cost one: other captured values, races, dying threads, a store's housekeeping."""

from __future__ import annotations

import asyncio
import datetime as dt
import functools
import os
import subprocess
import sys
import tempfile
import threading
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from rave_backends.filesystem.backend import FilesystemBackend
from rave_core import Options, Runtime, carry, op, op_file, using
from rave_core.clock import SystemClock
from rave_core.fingerprint import digest
from rave_core.model import Progress
from rave_core.storage.leases import Leases, LeaseWait

Make = Callable[..., Runtime]


def _times(factor: int) -> Callable[[Any], Any]:
    def decorate(function: Any) -> Any:
        @functools.wraps(function)
        def scaled(*args: int) -> Any:
            return factor * function(*args)

        return scaled

    return decorate


_MADE: list[int] = []


@op
def _numbered(x: int) -> str:
    """The how manieth run this is."""
    _MADE.append(x)
    return str(len(_MADE))


@op
def _size(data: bytes) -> int:
    """How long it is."""
    return len(data)


@op
def _process(x: int) -> int:
    """Who ran it."""
    return os.getpid()


@op(expires=0.01, stale_while_revalidate=100)
def _brief(x: int) -> int:
    """Expires at once."""
    return x


_MEMORY = np.arange(3)


@op
def _tables(x: int) -> tuple[pa.Table]:
    """A table over memory that others change."""
    return (pa.table({"x": pa.array(_MEMORY)}),)


def _same(x: int) -> int:
    return x


class _Factor:
    def __init__(self, factor: int) -> None:
        self.factor = factor

    def times(self, x: int) -> int:
        """The product."""
        return self.factor * x

    def __rave_key__(self) -> int:
        """What it multiplies by."""
        return self.factor


def test_what_a_wrapping_decorator_captured_is_part_of_the_key(runtime: Runtime) -> None:
    """Two operations of one function, wrapped with two factors, don't share results."""
    assert (op(_times(2)(_same))(1), op(_times(3)(_same))(1)) == (2, 3)


def test_what_a_bound_method_is_bound_to_is_part_of_the_key(runtime: Runtime) -> None:
    """Two operations of one method, of two instances, don't share results."""
    assert (op(_Factor(2).times)(1), op(_Factor(3).times)(1)) == (2, 3)


def test_a_refresh_beside_a_slow_reader_is_not_undone(make_runtime: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a reader decoded before the refresh does not take the place of what that made."""
    _MADE.clear()
    with using(make_runtime()):
        _numbered(1)
    with using(make_runtime()) as runtime:
        reading, refreshed = threading.Event(), threading.Event()
        hold = runtime.cache.backend.hold_value  # type: ignore[attr-defined]  # of this backend alone

        def slow(*args: Any) -> Any:
            if threading.current_thread() is reader:
                reading.set()
                refreshed.wait()
            return hold(*args)

        monkeypatch.setattr(runtime.cache.backend, "hold_value", slow)
        reader = threading.Thread(target=carry(_numbered), args=(1,))
        reader.start()
        reading.wait()
        assert _numbered.answering(Options(refresh=True))(1) == "2"
        refreshed.set()
        reader.join()
        assert _numbered(1) == "2"


def test_large_arguments_are_not_remembered(make_runtime: Make) -> None:
    """Forty arguments of a MiB each are gone after their calls."""
    with using(make_runtime(cache=["memory://?max_bytes=1MiB"])):
        _size(b"")
        tracemalloc.start()
        for _ in range(40):
            _size(os.urandom(1 << 20))
        held, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert held < 20 << 20


def test_a_tuple_does_not_share_a_table_with_its_maker(runtime: Runtime) -> None:
    """What the maker does with the memory below a table later does not show in the kept result."""
    _tables(1)
    _MEMORY[:] = 9
    assert _tables(1)[0]["x"].to_pylist() == [0, 1, 2]


def test_a_forked_child_does_not_answer_with_what_it_deleted(runtime: Runtime) -> None:
    """The short way to an answer in memory ends with the parent's memory."""
    _process(1)
    key = _process.key(1)
    assert key is not None
    assert _process(1) == os.getpid()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            runtime.cache.backend.delete(key.text)
            code = _process(1) != os.getpid()
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_two_threads_may_fork_at_once() -> None:
    """Neither leaves the memory caches locked."""
    code = """if True:
        import os, threading, time
        from rave_backends.memory import backend as memory
        keep = [memory.MemoryBackend(), memory.MemoryBackend()]
        first, *_, last = memory._everyone
        def fork():
            child = os.fork()
            if not child:
                os._exit(0)
            os.waitpid(child, 0)
        last._lock.acquire()
        threads = [threading.Thread(target=fork) for _ in range(2)]
        for thread in threads:
            thread.start()
            time.sleep(0.1)
        last._lock.release()
        for thread in threads:
            thread.join(5)
        print(first._lock.acquire(blocking=False), last._lock.acquire(blocking=False))
    """
    done = subprocess.run([sys.executable, "-Wignore", "-c", code], capture_output=True, text=True, timeout=30)
    assert done.stdout.split() == ["True", "True"], done.stderr


def test_a_purge_that_can_not_begin_costs_no_answer(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asking the store when it was last purged may fail; the entry is put, and the caller has the value."""

    def fail(_: object) -> float:
        raise PermissionError(13, "denied")

    monkeypatch.setattr(runtime.cache.backend, "last_purge", functools.partial(fail, None))
    assert _size(b"abc") == 3
    assert _size.resolve(b"abc").status == "hit"


def test_no_more_threads_cost_no_answer(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a heartbeat nor a refresh behind the caller can start: results come, and leases go."""

    def fail(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", fail)
    assert _brief(1) == 1
    key = _brief.key(1)
    assert key is not None
    assert _brief.resolved().leases.holder(key.text) is None  # type: ignore[union-attr]  # it is there
    time.sleep(0.02)
    assert _brief(1) == 1


def _leases(root: Path) -> Leases:
    return Leases(FilesystemBackend(root), SystemClock(), lease_time=60, heartbeat=30)


def test_a_report_that_can_not_be_written_does_not_end_the_heartbeat(tmp_path: Path) -> None:
    """A body may report anything, such as numbers of NumPy's; its lease is renewed without."""
    leases = _leases(tmp_path)
    lease = LeaseWait(leases, "op/v/args", "op").attempt()
    assert lease is not None
    lease.progress = lambda: Progress(np.int64(1), text="half")  # type: ignore[arg-type]  # what hints would refuse
    leases.beat()
    assert lease.record.beat == 1
    assert not lease.lost
    leases.release(lease)


def test_a_lease_that_could_not_be_given_back_goes_with_the_next_heartbeat(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """While another process holds the lock over all leases, nothing is lost and nothing is left behind."""
    ours, theirs = _leases(tmp_path), _leases(tmp_path)
    lease = LeaseWait(ours, "op/v/args", "op").attempt()
    assert lease is not None
    ours.beat()
    with ours._store._root.lock("leases") as held:  # type: ignore[attr-defined]  # of this backend alone
        assert held
        ours.release(lease)
    assert "could not release a lease" in caplog.text
    ours.beat()
    taken = LeaseWait(theirs, "op/v/args", "op").attempt()
    assert taken is not None
    theirs.release(taken)


def test_a_fixed_offset_is_not_the_zone_of_that_name() -> None:
    """In summer they differ."""
    zones = dt.timezone(dt.timedelta(hours=1), "CET"), ZoneInfo("CET")
    keys = {digest([("moment", dt.datetime(2020, 1, 1, tzinfo=zone))]) for zone in zones}
    assert len(keys) == 2


def test_the_frequency_of_an_index_counts() -> None:
    """An operation may go by it."""
    days = pd.date_range("2020-01-01", periods=4, freq="D")
    assert digest([("index", days)]) != digest([("index", pd.DatetimeIndex(list(days)))])


def test_a_conversion_by_a_function_is_made_for_each_call(runtime: Runtime, tmp_path: Path) -> None:
    """The function may read a file, which may change."""
    path = tmp_path / "note.txt"

    def content(name: str) -> str:
        return Path(name).read_text()

    length = op(name="tests/length", typemap=(content,))(_length)
    path.write_text("a")
    assert length(str(path)) == 1
    path.write_text("ab")
    assert length(str(path)) == 2


def _length(text: str) -> int:
    return len(text)


def test_an_edit_below_a_wrapping_decorator_counts_at_a_prompt(run_python: Callable[..., str]) -> None:
    """Where there is no file, the code of the wrapped function is part of the version."""
    code = """if True:
        import functools
        from rave_core import op
        def wrapping(function):
            @functools.wraps(function)
            def wrapped(*args):
                return function(*args)
            return wrapped
        @op
        @wrapping
        def f(x):
            return x + {n}
        print(f(1))
    """
    assert [run_python("-c", code.format(n=n)) for n in (1, 5)] == ["2", "6"]


def test_a_call_that_is_cancelled_while_its_draft_is_made_leaves_none(
    runtime: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thread that makes it can't be cancelled, and clears it away."""
    making, cancelled, made = threading.Event(), threading.Event(), tempfile.mkdtemp

    def slow(**keywords: Any) -> str:
        making.set()
        cancelled.wait()
        return made(**keywords)

    async def cancel() -> None:
        task = asyncio.ensure_future(_filed(1, rave_tofile=tmp_path / "out.bin"))  # type: ignore[call-arg, arg-type]  # of a file operation
        await asyncio.to_thread(making.wait)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        cancelled.set()

    monkeypatch.setattr(tempfile, "mkdtemp", slow)
    asyncio.run(cancel())
    assert not list(tmp_path.glob(".rave-*"))


@op_file
async def _filed(out: str, x: int) -> None:
    """A file."""
    Path(out).write_text(str(x))
