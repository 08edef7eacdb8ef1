"""Lineage: what a result was computed from; and how far a run is (B4)."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rave_core import Operation, Runtime, ThreadPool, carry, nocache, op, op_file, progress, using
from rave_core.engine.context import ExecutionContext, entered
from rave_core.model import Progress

pytestmark = pytest.mark.usefixtures("runtime")


@op
def leaf(n):
    """At the bottom."""
    return n


@op
def branch(n):
    """Asks two."""
    return leaf(n) + leaf(n + 1)


@op(expires=nocache)
def passing(n):
    """Keeps nothing itself."""
    return leaf(n)


@op_file
def drawing(out, n):
    """A file."""
    Path(out).write_text(str(leaf(n)))


@op
def twice():
    """Asks for one thing twice, out of order."""
    return [leaf(3), leaf(1), leaf(3), leaf(2)]


@op
def over_pool():
    """Asks in threads."""
    with ThreadPool(2) as pool:
        return list(pool.map(leaf, [1, 2, 3]))


@op
def of_file():
    """Made of a file."""
    return Path(drawing(1)).read_text()


@op
def of_uncached():
    """Made of what an uncached operation asked for."""
    return passing(1) + passing(2)


@op
def of_failure():
    """Goes on when a part of it failed."""
    try:
        failing()
    except ValueError:
        return leaf(1)


@op
def failing():
    """Raises."""
    leaf(9)
    raise ValueError


@op
def of_options(path):
    """Asks with options."""
    return [leaf(1, rave_refresh=True), leaf(2, rave_dry_run=True), drawing(3, rave_tofile=path)]


def children(operation: Operation[..., Any], *args: Any, **options: Any) -> list[str]:
    """The keys that the kept entry says it was computed from."""
    entry = operation.resolve(*args, **options).entry
    assert entry is not None
    return list(entry.children)


def keys(operation: Operation[..., Any], *arguments: int) -> list[str]:
    """The keys of an operation under each of these arguments."""
    return [operation.key(argument).text for argument in arguments]


def test_children_are_recorded_in_the_order_first_asked() -> None:
    """Each once, and only its own: not those of its children."""
    assert children(branch, 1) == keys(leaf, 1, 2)
    assert children(twice) == keys(leaf, 3, 1, 2)
    assert children(leaf, 1) == []


@pytest.mark.parametrize("warm", [True, False])
def test_children_that_were_hits_count_too(warm: bool) -> None:
    """Whether they had to be computed makes no difference."""
    if warm:
        for number in (1, 2, 3):
            leaf(number)
            leaf(number)
    assert children(branch, 1) == keys(leaf, 1, 2)
    assert children(branch, 1) == keys(leaf, 1, 2)


def test_children_asked_for_in_threads_count() -> None:
    """Through a pool that hands the scope on."""
    assert sorted(children(over_pool)) == sorted(keys(leaf, 1, 2, 3))


def test_files_are_children_and_have_children() -> None:
    """Products and values know of each other."""
    assert children(of_file) == keys(drawing, 1)
    assert children(drawing, 1) == keys(leaf, 1)


def test_an_uncached_operation_hands_on_what_it_asked_for() -> None:
    """Else a result would not know what it depends on."""
    assert set(keys(leaf, 1, 2)) <= set(children(of_uncached))


def test_a_part_that_failed_was_asked_for() -> None:
    """The result depends on its failure."""
    assert children(of_failure) == [failing.key().text, *keys(leaf, 1)]


def test_a_part_asked_for_with_options_was_asked_for(tmp_path: Path) -> None:
    """A refreshed part, one that was only looked for, and what a file outside of the cache was made of."""
    assert set(children(of_options, str(tmp_path / "out"))) == set(keys(leaf, 1, 2, 3))


def test_a_refresh_records_anew() -> None:
    """The entry knows of the latest run."""
    assert children(branch, 1) == children(branch, 1, rave_refresh=True) == keys(leaf, 1, 2)
    assert children(branch, 1, rave_deep_refresh=True) == keys(leaf, 1, 2)


def test_an_entry_tells_what_it_is() -> None:
    """Arguments, times and versions, for people and for tools."""
    entry = leaf.resolve(5).entry
    assert entry is not None
    assert (entry.key, entry.arguments, entry.version_note) == (leaf.key(5).text, {"n": "5"}, "source")
    assert 0 <= entry.seconds < 5
    assert abs(entry.created_at - time.time()) < 60
    assert entry.python.startswith("3.")


def test_arguments_can_be_left_out_of_entries(make_runtime: Callable[..., Runtime]) -> None:
    """Where they are nobody else's business."""
    with using(make_runtime(record_arguments=False)):
        entry = leaf.resolve(5).entry
    assert entry is not None
    assert entry.arguments == {}


@op
def working(n):
    """Tells how far it is."""
    progress(0, n, "begins")
    inner_work()
    progress(n, n)
    return n


@op
def inner_work():
    """Has something to tell as well."""
    progress(1, text="inside")


def test_progress_reaches_whoever_listens(runtime: Runtime) -> None:
    """With the operation that reports, in order, also from operations below."""
    heard: list[tuple[str, Progress]] = []
    context = ExecutionContext(
        runtime, listener=lambda operation, report: heard.append((operation.rpartition(":")[2], report))
    )
    with entered(context):
        working(3)
    assert heard == [
        ("working", Progress(0, 3, "begins")),
        ("inner_work", Progress(1, None, "inside")),
        ("working", Progress(3, 3, "")),
    ]


def test_progress_outside_of_an_operation_does_nothing(runtime: Runtime) -> None:
    """So that a helper may report wherever it is called from."""
    progress(1, 2)
    assert runtime.context.progress is None
    inner_work.function()
    assert runtime.context.progress is None


GATES: dict[str, threading.Event] = {}


@op
def reporting():
    """Waits in the middle."""
    progress(2, 5, "halfway")
    GATES["entered"].set()
    GATES["open"].wait(10)


def test_progress_stands_in_the_lease_for_other_processes(make_runtime: Callable[..., Runtime]) -> None:
    """Whoever waits elsewhere can tell how far it is, and what is being computed by whom."""
    GATES.update(entered=threading.Event(), open=threading.Event())
    working_runtime, asking = make_runtime(lease_heartbeat=0.02), make_runtime()
    with using(working_runtime):
        key = reporting.key().text
        thread = threading.Thread(target=carry(reporting))
        thread.start()
        assert GATES["entered"].wait(10)
    with using(asking):
        leases = reporting.resolved().leases
        assert leases is not None
        record = leases.holder(key)
        for _ in range(500):
            if record is not None and record.done is not None:
                break
            time.sleep(0.01)
            record = leases.holder(key)
        GATES["open"].set()
        thread.join(10)
        assert record is not None
        assert (record.done, record.total, record.text) == (2, 5, "halfway")
        assert record.operation.endswith(":reporting")
        assert leases.holder(key) is None


def test_an_entry_records_the_arguments_as_they_were_given(runtime: Runtime) -> None:
    """A body that changes what it got does not change what is told of the call."""

    @op(name="spoil")
    def spoil(items: list[int]) -> int:
        items.append(99)
        return len(items)

    outcome = spoil.resolve([1, 2])
    assert outcome.entry is not None
    assert outcome.entry.arguments == {"items": "[1, 2]"}
