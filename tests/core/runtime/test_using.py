"""``using``: which runtime a call goes to, in every thread and task."""

from __future__ import annotations

import asyncio
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from rave_core import Runtime, Settings, ThreadPool, carry, op, using
from rave_core.errors import ConfigurationError, RaveWarning
from rave_core.runtime.runtime import as_default, current_runtime, default, reset

Ran = Callable[[], list[str]]


@op
def where(x):
    """Remembers where it ran."""
    print("where", x)
    return x


@op
def outer(x):
    """Calls another operation."""
    return where(x)


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Runtime, Runtime]:
    """Two runtimes that share nothing."""
    one, two = (
        Runtime(Settings(cache=[f"file://{tmp_path}/{name}"], products=[f"file://{tmp_path}/{name}p"]))
        for name in ("one", "two")
    )
    return one, two


@pytest.fixture
def often_interrupted() -> Iterator[None]:
    """Lets threads take turns in the middle of everything."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def in_thread(function: Callable[[], Any]) -> Any:
    """What a bare thread gets from ``function``."""
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(function()))
    thread.start()
    thread.join()
    return found[0]


def test_calls_go_to_the_runtime_in_use_and_back(pair: tuple[Runtime, Runtime], ran: Ran) -> None:
    """Blocks nest; each has results of its own."""
    one, two = pair
    with using(one) as entered:
        assert entered is current_runtime() is one
        where(1)
        with using(two):
            assert current_runtime() is two
            where(1)
        assert current_runtime() is one
        where(1)
    assert ran() == ["where 1", "where 1"]


def test_an_exception_ends_the_block(pair: tuple[Runtime, Runtime]) -> None:
    """Whatever was in use before is in use again."""
    one, two = pair
    with using(one):
        with pytest.raises(KeyError), using(two):
            raise KeyError
        assert current_runtime() is one
        assert in_thread(carry(current_runtime)) is one


def test_bare_threads_never_enter_a_block_of_others(pair: tuple[Runtime, Runtime], tmp_path: Path, ran: Ran) -> None:
    """A thread started in one block, while another is entered, writes into neither: it says where it goes."""
    own = Runtime(Settings(cache=[f"file://{tmp_path}/own"], products=[f"file://{tmp_path}/own-products"]))
    one, two = pair
    go_on, entered, leave = threading.Event(), threading.Event(), threading.Event()

    def elsewhere() -> None:
        with using(two):
            entered.set()
            leave.wait(10)

    def bare() -> Runtime:
        go_on.wait(10)
        where(1)
        return current_runtime()

    other = threading.Thread(target=elsewhere)
    found: list[Runtime] = []
    with as_default(own), using(one), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        thread = threading.Thread(target=lambda: found.append(bare()))
        thread.start()
        other.start()
        assert entered.wait(10)
        go_on.set()
        thread.join(10)
        leave.set()
        other.join(10)
    assert found == [own]
    assert "rave_core.carry" in str(caught[0].message)
    assert [list(runtime.cache.backend.keys()) for runtime in pair] == [[], []]
    assert ran() == ["where 1"]


def test_without_any_block_a_bare_thread_is_not_warned(pair: tuple[Runtime, Runtime]) -> None:
    """It goes where all go."""
    one, _ = pair
    with as_default(one):
        assert in_thread(current_runtime) is current_runtime() is one


def test_carried_threads_follow_the_one_they_were_started_in(pair: tuple[Runtime, Runtime]) -> None:
    """Even if another block is entered meanwhile."""
    one, two = pair
    with using(one), ThreadPool(1) as pool:
        carried = carry(current_runtime)
        go_on = threading.Event()
        future = pool.submit(lambda: (go_on.wait(10), current_runtime())[1])
        with using(two):
            go_on.set()
            assert future.result() is one
            assert in_thread(carried) is one


def test_a_thread_with_a_block_of_its_own_keeps_to_it(pair: tuple[Runtime, Runtime]) -> None:
    """Neither disturbed by the main thread nor disturbing it."""
    one, two = pair
    entered, leave = threading.Event(), threading.Event()
    seen: list[Runtime] = []

    def other() -> None:
        with using(two):
            entered.set()
            leave.wait(10)
            seen.append(current_runtime())

    with using(one):
        thread = threading.Thread(target=other)
        thread.start()
        entered.wait(10)
        assert current_runtime() is one
        leave.set()
        thread.join()
        assert seen == [two]
        assert in_thread(carry(current_runtime)) is one


def test_blocks_of_many_threads_leave_nothing_behind(pair: tuple[Runtime, Runtime], often_interrupted: None) -> None:
    """However they overlap: afterwards threads are warned in the block that is left, and not after it."""
    one, two = pair

    def enter_and_leave(number: int) -> bool:
        used = (one, two)[number % 2]
        for _ in range(3000):
            with using(used):
                if current_runtime() is not used:
                    return False
        return True

    with as_default(two), using(one):
        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(enter_and_leave, range(8)))
        assert current_runtime() is one
        with pytest.warns(RaveWarning, match="this thread is in no"):
            assert in_thread(current_runtime) is two
    with as_default(two):
        assert in_thread(current_runtime) is two


def test_inside_an_operation_calls_stay_in_its_runtime(pair: tuple[Runtime, Runtime], ran: Ran) -> None:
    """A run that was started in one runtime asks for its parts there."""
    one, two = pair
    with using(one):
        outer(1)
    with using(two):
        where(1)
    with using(one):
        assert where.resolve(1).status == "hit"
    assert ran() == ["where 1", "where 1"]


def test_tasks_inherit_the_block_they_were_made_in(pair: tuple[Runtime, Runtime]) -> None:
    """Two tasks may use two runtimes at once."""
    one, two = pair

    async def using_it(runtime: Runtime) -> bool:
        with using(runtime):
            for _ in range(20):
                await asyncio.sleep(0)
                if current_runtime() is not runtime:
                    return False
            return await asyncio.create_task(asyncio.sleep(0, current_runtime() is runtime))

    async def main() -> list[bool]:
        return await asyncio.gather(*(using_it(runtime) for runtime in (one, two, one)))

    assert asyncio.run(main()) == [True] * 3


def test_without_a_block_the_settings_in_force_decide(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ran: Ran
) -> None:
    """Those of the environment and of files, read when first needed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RAVE_CACHE", f"memory:// file://{tmp_path}/by-variable")
    monkeypatch.setenv("RAVE_PRODUCTS", f"file://{tmp_path}/products")
    reset()
    try:
        where(1)
        assert default() is current_runtime() is in_thread(current_runtime)
        assert (tmp_path / "by-variable").is_dir()
        monkeypatch.setenv("RAVE_CACHE", f"file://{tmp_path}/other")
        where(1)
        reset()
        where(1)
        assert ran() == ["where 1", "where 1"]
    finally:
        reset()


def test_a_wrong_setting_is_told_by_the_first_call_and_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not at import, and not just once."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RAVE_CACHE", "unheard://of")
    reset()
    try:
        for _ in range(2):
            with pytest.raises(ConfigurationError, match=r"unheard://of.*'unheard'"):
                where(1)
    finally:
        reset()


def test_a_closed_runtime_opens_again(pair: tuple[Runtime, Runtime], ran: Ran) -> None:
    """Closing lets go of handles; a later call needs new ones."""
    one, _ = pair
    with using(one):
        where(1)
        one.close()
        one.close()
        assert where(1) == 1
    with one:
        pass
    assert ran() == ["where 1"]


def test_the_former_name_of_the_current_runtime_is_told_to_be_one(runtime):
    """It gives the same until it goes."""
    from rave_core import runtime as package

    with pytest.warns(
        DeprecationWarning, match=r"^rave_core\.runtime\.current\(\) is now rave_core\.current_runtime\(\)$"
    ):
        assert package.current() is runtime
    with pytest.warns(DeprecationWarning, match=r"^Cache\.seal is now Cache\.signer$"):
        assert runtime.cache.seal is runtime.cache.signer
    with pytest.raises(AttributeError, match="has no attribute 'currant'"):
        package.currant  # asking is what is tested
