"""Options of a call: refresh, deep refresh, dry run (R5)."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from rave_core import Options, Runtime, ThreadPool, carry, nocache, op, op_file, using
from rave_core.errors import ArgumentError, OptionError

pytestmark = pytest.mark.usefixtures("runtime")
Ran = Callable[[], list[str]]


@op
def leaf(n):
    """At the bottom."""
    print("leaf", n)
    return n


@op
def branch(n):
    """In the middle, without looking at the cache for itself."""
    print("branch", n)
    return leaf(n) + leaf(n + 1)


@op(expires=nocache)
def passing(n):
    """Never kept, and calls one that is."""
    print("passing", n)
    return leaf(n)


@op_file
def drawing(out, n):
    """A file made of a value."""
    print("drawing", n)
    Path(out).write_text(str(leaf(n)))


@op
def trunk(how):
    """Asks both branches, which share a leaf, in several ways."""
    print("trunk")
    return sum(WAYS[how]())


@op
def over_everything():
    """Calls operations of all kinds."""
    print("over_everything")
    return passing(1) + branch(5) + int(Path(drawing(9)).read_text())


@op
def fib(n):
    """Calls itself."""
    print("fib", n)
    return n if n < 2 else fib(n - 2) + fib(n - 1)


@op
def asking_dry(n):
    """Looks whether its child is there."""
    print("asking_dry")
    return leaf(n, rave_dry_run=True)


def in_our_pool() -> list[int]:
    """Through a pool that hands the scope on."""
    with ThreadPool(4) as pool:
        return list(pool.map(branch, [1, 2, 1, 2]))


def submitted() -> list[int]:
    """One by one."""
    with ThreadPool(2) as pool:
        return [future.result() for future in [pool.submit(branch, n=1), pool.submit(branch, 2)]]


def carried() -> list[int]:
    """Through a pool of the standard library."""
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(carry(branch), [1, 2]))


def in_a_thread() -> list[int]:
    """Through a bare thread."""
    found: list[int] = []
    thread = threading.Thread(target=carry(lambda: found.extend([branch(1), branch(2)])))
    thread.start()
    thread.join()
    return found


WAYS = {
    "inline": lambda: [branch(1), branch(2), branch(1)],
    "pool": in_our_pool,
    "submit": submitted,
    "carry": carried,
    "thread": in_a_thread,
}
ONCE_EACH = {"trunk": 1, "branch 1": 1, "branch 2": 1, "leaf 1": 1, "leaf 2": 1, "leaf 3": 1}


@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize("cache", [["memory://"], None])
def test_a_deep_refresh_runs_every_operation_once(
    make_runtime: Callable[..., Runtime], ran: Ran, how: str, cache: list[str] | None
) -> None:
    """However deep, in whichever thread, and whatever the cache is made of; also when all was kept already."""
    with using(make_runtime(**({"cache": cache} if cache else {}))):
        made = trunk(how)
        assert Counter(ran()) == ONCE_EACH
        assert trunk(how, rave_deep_refresh=True) == made
        assert Counter(ran()) == ONCE_EACH
        assert trunk(how) == made
        assert ran() == []


@pytest.mark.parametrize("cache", [["memory://"], None])
def test_a_deep_refresh_of_fib_runs_51_bodies(
    make_runtime: Callable[..., Runtime], ran: Ran, cache: list[str] | None
) -> None:
    """Recursion does not make it exponential."""
    with using(make_runtime(**({"cache": cache} if cache else {}))):
        fib(20)
        ran()
        assert fib(20, rave_deep_refresh=True) == 6765
        assert len(ran()) == 21


def test_a_deep_refresh_goes_through_uncached_operations_and_files(ran: Ran) -> None:
    """An operation that keeps nothing passes the refresh on; a file operation takes part in it."""
    over_everything()
    first = Counter(ran())
    over_everything(rave_deep_refresh=True)
    assert Counter(ran()) == first


def test_a_refresh_runs_this_operation_only(ran: Ran) -> None:
    """What it calls is answered from the cache, also on its second level."""
    trunk("inline")
    ran()
    trunk("inline", rave_refresh=True)
    assert ran() == ["trunk"]


def test_a_deep_refresh_ends_with_its_call(ran: Ran) -> None:
    """Calls that follow are ordinary ones."""
    trunk("inline", rave_deep_refresh=True)
    ran()
    branch(1)
    leaf(3)
    assert ran() == []


def test_a_refreshed_value_is_what_others_get(make_runtime: Callable[..., Runtime]) -> None:
    """The new result takes the place of the old one, in memory and on disk."""
    before = SERIAL.copy()
    assert serial() == len(before) + 1
    assert serial(rave_refresh=True) == serial() == len(before) + 2
    with using(make_runtime()):
        assert serial() == len(before) + 2


SERIAL: list[int] = []


@op
def serial():
    """Another value each time it runs."""
    SERIAL.append(1)
    return len(SERIAL)


@pytest.mark.parametrize("refresh", ["rave_refresh", "rave_deep_refresh"])
def test_a_failed_refresh_keeps_the_old_result(refresh: str) -> None:
    """An exception is no reason to forget what was valid."""
    FAILS.clear()
    assert sometimes() == 1
    FAILS.append(True)
    with pytest.raises(ValueError, match="failed"):
        sometimes(**{refresh: True})
    assert sometimes() == 1


FAILS: list[bool] = []


@op(version="whatever FAILS holds")
def sometimes():
    """Fails when told to."""
    if FAILS:
        raise ValueError("failed")
    return 1


def test_a_dry_run_never_runs_the_body(ran: Ran) -> None:
    """It gives the kept value, or ``None``, also for files and for what is never kept."""
    assert leaf(1, rave_dry_run=True) is None
    assert drawing(1, rave_dry_run=True) is None
    assert passing(1, rave_dry_run=True) is None
    assert ran() == []
    assert leaf.resolve(1, rave_dry_run=True).status == "miss"
    leaf(1)
    path = drawing(1)
    ran()
    assert leaf(1, rave_dry_run=True) == 1
    assert drawing(1, rave_dry_run=True) == path
    assert ran() == []


@pytest.mark.parametrize("other", ["rave_refresh", "rave_deep_refresh"])
def test_a_dry_run_wins_over_a_refresh(ran: Ran, other: str) -> None:
    """Never means never."""
    leaf(1)
    ran()
    leaf(1, rave_dry_run=True, **{other: True})
    assert ran() == []


def test_a_dry_run_inside_an_operation(ran: Ran) -> None:
    """The option is that of the inner call alone."""
    assert asking_dry(1) is None
    leaf(2)
    assert asking_dry(2) == 2
    assert ran() == ["asking_dry", "leaf 2", "asking_dry"]


def test_options_are_no_part_of_the_key(ran: Ran) -> None:
    """A call with an option and one without find each other's results."""
    assert leaf(1, rave_refresh=True) == leaf(1, rave_refresh=False) == leaf(1, rave_dry_run=True) == leaf(1)
    assert ran() == ["leaf 1"]


@pytest.mark.parametrize("name", ["rave_refesh", "rave_", "rave_to_file", "rave_unheard_of"])
def test_an_unknown_option_lists_the_known_ones(ran: Ran, name: str) -> None:
    """It is an error, never an argument of the body, even where the body takes any keyword."""
    anything = op(name="t/anything")(_anything)
    for operation in (leaf, anything):
        with pytest.raises(OptionError, match=f"unknown option '{name}'") as caught:
            operation(1, **{name: True})
        for known in ("rave_refresh", "rave_deep_refresh", "rave_dry_run", "rave_tofile"):
            assert known in str(caught.value)
    assert ran() == []


def test_the_typed_form_means_the_same(tmp_path: Path, ran: Ran) -> None:
    """``f.answering(Options(...))`` takes the same arguments as ``f``."""
    assert leaf.answering(Options(dry_run=True))(1) is None
    leaf(1)
    leaf.answering(Options(refresh=True))(n=1)
    target = str(tmp_path / "out")
    assert drawing.answering(Options(tofile=target))(1) == target
    assert ran() == ["leaf 1", "leaf 1", "drawing 1"]
    with pytest.raises(OptionError, match="rave_tofile is for file operations"):
        leaf.answering(Options(tofile=target))(1)
    with pytest.raises(ArgumentError, match="rave_refresh"):
        leaf.answering(Options())(1, rave_refresh=True)


def test_tofile_inside_a_deep_refresh_passes_it_on(tmp_path: Path, ran: Ran) -> None:
    """Both at once: the file is written there, and what it is made of is made anew."""
    drawing(1)
    ran()
    drawing(1, rave_tofile=str(tmp_path / "out"), rave_deep_refresh=True)
    assert ran() == ["drawing 1", "leaf 1"]


def _anything(*args, **kwargs):
    print("anything")
