"""Expiry as the engine applies it: strategies, defaults, and what may be served stale (R9, R10)."""

from __future__ import annotations

import asyncio
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rave_core import RaveWarning, Runtime, carry, crossover_strategy, nocache, op, op_file, using
from rave_core.errors import ConfigurationError, DecorationError
from rave_core.testing.clock import FakeClock

Ran = Callable[[], list[str]]
CLOCKS: list[FakeClock] = []
FAILS: list[Exception] = []


@op(expires=100)
def hundred(x):
    """Valid for a hundred seconds."""
    print("hundred")
    return x


@op
def unspecific(x):
    """Without a strategy."""
    print("unspecific")
    return x


@op_file
def file(out):
    """Without a strategy."""
    print("file")
    Path(out).write_text("x")


@op(expires=100)
def slow(x):
    """Takes a minute by the clock of the test."""
    print("slow")
    CLOCKS[-1].advance(60)
    return x


@op(expires=nocache)
def uncached(x):
    """Never kept."""
    print("uncached")
    return x


@op(expires=lambda request: request.generated_at - 1)
def born_expired(x):
    """Its strategy gives a time that has passed."""
    print("born_expired")
    return x


@op(
    expires=lambda request: {"raises": lambda: 1 / 0, "text": lambda: "tomorrow", "none": lambda: None}[
        request.arguments["how"]
    ]()
)
def badly_timed(how):
    """Its strategy is no good."""
    print("badly_timed")
    return how


@op(version="whatever FAILS holds", expires=100, stale_while_revalidate=50)
def revalidated():
    """Served old for a while."""
    print("revalidated")
    if FAILS:
        raise FAILS[0]
    return CLOCKS[-1].now()


@op(expires=100, stale_while_revalidate="50s")
async def revalidated_async():
    """The same, as a coroutine."""
    print("revalidated_async")
    return CLOCKS[-1].now()


@op(version="whatever FAILS holds", expires=100, stale_if_error=50)
def unreliable():
    """Fails when told to."""
    print("unreliable")
    if FAILS:
        ENTERED.set()
        OPEN.wait(10)
        raise FAILS[0]
    return "good"


ENTERED, OPEN = threading.Event(), threading.Event()


@op(expires=crossover_strategy(10, 1000, "1h", "until"))
def series(start, until=0):
    """Recent data expires sooner."""
    print("series")
    return start


@pytest.fixture(autouse=True)
def _used(make_runtime: Callable[..., Runtime], clock: FakeClock) -> Iterator[None]:
    CLOCKS.append(clock)
    FAILS.clear()
    ENTERED.clear()
    OPEN.set()
    with using(make_runtime(clock=clock)):
        yield
    CLOCKS.pop()


def _join_refreshes() -> None:
    for thread in threading.enumerate():
        if thread.name == "rave-refresh":
            thread.join(10)


def test_a_result_is_valid_until_its_time_and_not_at_it(clock: FakeClock, ran: Ran) -> None:
    """Also where it is answered from memory by the shortcut for scalar arguments."""
    hundred(1)
    for seconds in (0, 50, 49.5):
        clock.advance(seconds)
        assert hundred.resolve(1).status == "hit"
        hundred(1)
    assert ran() == ["hundred"]
    clock.advance(0.5)
    assert hundred.resolve(1).status == "miss"
    assert ran() == ["hundred"]


def test_expiry_counts_from_when_the_result_was_generated(clock: FakeClock, ran: Ran) -> None:
    """A minute of computing takes nothing off the hundred seconds."""
    asked = clock.now()
    entry = slow.resolve(1).entry
    assert entry is not None
    assert (entry.created_at, entry.expires_at) == (asked + 60, asked + 160)
    clock.advance(99)
    slow(1)
    assert ran() == ["slow"]


def test_a_refresh_starts_the_time_anew(clock: FakeClock, ran: Ran) -> None:
    """The newer result is valid for as long as any other."""
    hundred(1)
    clock.advance(60)
    hundred(1, rave_refresh=True)
    clock.advance(60)
    hundred(1)
    assert ran() == ["hundred", "hundred"]


def test_an_expired_result_is_no_answer_to_a_dry_run(clock: FakeClock) -> None:
    """What is invalid is not there."""
    hundred(1)
    clock.advance(100)
    assert hundred(1, rave_dry_run=True) is None


def test_a_clock_that_is_set_back_keeps_results(clock: FakeClock, ran: Ran) -> None:
    """Nothing is thrown away because it seems to come from the future."""
    hundred(1)
    clock.jump(-3600)
    hundred(1)
    assert ran() == ["hundred"]


def test_nocache_keeps_nothing(tmp_path: Path, ran: Ran) -> None:
    """The body runs each time, and nothing is written."""
    assert uncached.resolve(1).status == "uncached"
    assert born_expired.resolve(1).status == "uncached"
    uncached(1)
    born_expired(1)
    assert ran() == ["uncached", "born_expired", "uncached", "born_expired"]
    assert uncached(1, rave_dry_run=True) is born_expired(1, rave_dry_run=True) is None


def test_without_a_strategy_the_configuration_decides(
    make_runtime: Callable[..., Runtime], clock: FakeClock, ran: Ran
) -> None:
    """``data_expire_after`` for values, ``products_expire_after`` for files, each for itself."""
    with using(make_runtime(clock=clock, data_expire_after="10s", products_expire_after=20)):
        for _ in range(4):
            unspecific(1)
            file()
            hundred(1)
            clock.advance(6)
    printed = ran()
    assert [printed.count(name) for name in ("unspecific", "file", "hundred")] == [2, 1, 1]


def test_without_either_a_result_is_kept_for_good(clock: FakeClock, ran: Ran) -> None:
    """Until it is evicted."""
    entry = unspecific.resolve(1).entry
    assert entry is not None
    assert entry.expires_at == float("inf")
    clock.advance(1e9)
    unspecific(1)
    assert ran() == ["unspecific"]


@pytest.mark.parametrize("how", ["raises", "text", "none"])
def test_a_strategy_that_fails_costs_nobody_an_answer(ran: Ran, how: str) -> None:
    """The value is returned, it is not kept, and a warning names the operation, once."""
    with pytest.warns(RaveWarning, match="badly_timed") as caught:
        outcomes = [badly_timed.resolve(how) for _ in range(2)]
    assert [(outcome.value, outcome.status) for outcome in outcomes] == [(how, "uncached")] * 2
    assert len(caught) == 1
    assert ran() == ["badly_timed", "badly_timed"]


def test_in_strict_mode_a_failing_strategy_raises(make_runtime: Callable[..., Runtime], clock: FakeClock) -> None:
    """Its own exception, or that it gave no time."""
    with using(make_runtime(clock=clock, strict=True)):
        with pytest.raises(ZeroDivisionError):
            badly_timed("raises")
        with pytest.raises(DecorationError, match=r"tomorrow.*a Unix time"):
            badly_timed("text")


def test_an_unknown_strategy_is_named_at_the_first_call(ran: Ran) -> None:
    """With the operation, and what would be right."""
    lost = op(name="t/lost", expires="forevr")(_body)
    with pytest.raises(ConfigurationError, match=r"t/lost.*forevr.*forever"):
        lost()
    assert ran() == []


@pytest.mark.parametrize("how", ["position", "keyword", "default"])
def test_crossover_finds_its_argument_however_it_was_passed(clock: FakeClock, ran: Ran, how: str) -> None:
    """By position, by keyword or by default; recent times get the first strategy."""
    recent = clock.now() - 60
    entry = {
        "position": lambda: series.resolve(1, recent),
        "keyword": lambda: series.resolve(until=recent, start=1),
        "default": lambda: series.resolve(1),
    }[how]().entry
    assert entry is not None
    assert entry.expires_at - entry.created_at == (1000 if how == "default" else 10)


def test_an_expired_result_is_served_while_a_new_one_is_made(clock: FakeClock, ran: Ran) -> None:
    """Once behind the caller, who does not wait; the next one gets the new value."""
    first = revalidated()
    clock.advance(120)
    outcome = revalidated.resolve()
    assert (outcome.status, outcome.value) == ("stale", first)
    _join_refreshes()
    assert revalidated() == first + 120
    assert ran() == ["revalidated", "revalidated"]


def test_beyond_its_window_a_stale_result_is_not_served(clock: FakeClock, ran: Ran) -> None:
    """After fifty more seconds the caller waits."""
    first = revalidated()
    clock.advance(150)
    assert revalidated.resolve().status == "miss"
    assert revalidated() == first + 150


def test_a_refresh_behind_the_caller_that_fails_is_logged(clock: FakeClock, caplog: pytest.LogCaptureFixture) -> None:
    """The caller got the stale value, and so does the next."""
    first = revalidated()
    clock.advance(120)
    FAILS.append(ValueError("away"))
    assert revalidated() == first
    _join_refreshes()
    assert "revalidated could not be refreshed" in caplog.text
    assert revalidated() == first
    _join_refreshes()


def test_an_async_result_is_served_stale_too(clock: FakeClock, ran: Ran) -> None:
    """The new value is made in an event loop of its own."""
    first = asyncio.run(revalidated_async())
    clock.advance(120)
    assert asyncio.run(revalidated_async()) == first
    _join_refreshes()
    assert asyncio.run(revalidated_async()) == first + 120
    assert len(ran()) == 2


def test_the_stale_result_stands_in_for_an_error(clock: FakeClock) -> None:
    """Within its window; without a stale result, or after it, the exception passes."""
    FAILS.append(ValueError("away"))
    with pytest.raises(ValueError, match="away"):
        unreliable()
    FAILS.clear()
    unreliable()
    FAILS.append(ValueError("away"))
    clock.advance(100)
    assert unreliable.resolve().status == "stale"
    assert unreliable() == "good"
    clock.advance(50)
    with pytest.raises(ValueError, match="away"):
        unreliable()


def test_the_stale_result_stands_in_for_all_who_waited(clock: FakeClock, ran: Ran) -> None:
    """Not just for the one whose run failed."""
    unreliable()
    clock.advance(120)
    FAILS.append(ValueError("away"))
    OPEN.clear()
    answers: list[object] = []

    def ask() -> None:
        try:
            answers.append(unreliable())
        except ValueError as error:
            answers.append(error)

    threads = [threading.Thread(target=carry(ask)) for _ in range(3)]
    threads[0].start()
    assert ENTERED.wait(10)
    for thread in threads[1:]:
        thread.start()
    threads[-1].join(0.2)
    OPEN.set()
    for thread in threads:
        thread.join(10)
    assert answers == ["good"] * 3
    assert ran() == ["unreliable"] * 2


def test_no_warning_for_what_is_not_to_be_kept() -> None:
    """``nocache`` is a wish, not trouble."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        uncached(1)
        born_expired(1)


def _body():
    print("body")
