"""Expiration strategies: durations, crossover, names, and what is refused."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rave_core.errors import ArgumentError, ConfigurationError, DecorationError, UnknownNameError
from rave_core.expiry import (
    BUILTIN,
    Request,
    Strategy,
    check_needs,
    check_result,
    crossover_strategy,
    duration_strategy,
    expires,
    forever,
    nocache,
    parse_duration,
    strategy_of,
)
from rave_core.functions.annotations import annotations_of

NOON = datetime(2007, 4, 27, 12, tzinfo=UTC).timestamp()
FIVE_MINUTES, FIVE_DAYS = duration_strategy("5m"), duration_strategy("5d")


def asked(**arguments: Any) -> Request:
    """A request about ``foo`` that was answered at noon."""
    return Request("foo", arguments, None, NOON)


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Local time two hours east of Greenwich."""
    monkeypatch.setenv("TZ", "UTC-2")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2h30m", 9000),
        ("30m", 1800),
        ("5d", 432000),
        ("90s", 90),
        ("1d1h1m1s", 90061),
        (300, 300),
        ("300", 300),
        (0, 0),
    ],
)
def test_a_duration_is_seconds(text: str | float, seconds: float) -> None:
    """Text with the units d, h, m and s, and numbers, give seconds."""
    assert parse_duration(text) == seconds


@given(st.integers(0, 9999), st.integers(0, 23), st.integers(0, 59), st.integers(0, 59))
def test_a_written_duration_reads_back(days: int, hours: int, minutes: int, seconds: int) -> None:
    """Whatever d, h, m and s say is the sum that timedelta gives, with or without the zeros."""
    parts = [(days, "d"), (hours, "h"), (minutes, "m"), (seconds, "s")]
    wanted = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds).total_seconds()
    assert parse_duration("".join(f"{number}{unit}" for number, unit in parts)) == wanted
    short = "".join(f"{number}{unit}" for number, unit in parts if number) or "0s"
    assert parse_duration(short) == wanted


@pytest.mark.parametrize(
    ("interval", "named"),
    [
        ("2x30m", "2x"),
        ("", "empty"),
        ("h", "'h'"),
        ("2h30", "'30'"),
        ("-5m", "-5m"),
        (-1, "negative"),
        (True, "bool"),
        (math.nan, "nan"),
        (math.inf, "inf"),
        (10**400, "too large"),
        (None, "NoneType"),
        (timedelta(seconds=-1), "negative"),
    ],
    ids=lambda part: str(part)[:20],
)
def test_a_bad_duration_is_refused_by_its_bad_part(interval: Any, named: str) -> None:
    """The message names what is wrong, when the strategy is made."""
    with pytest.raises(ConfigurationError, match=named):
        duration_strategy(interval)


@pytest.mark.parametrize("interval", ["2h30m", 9000, 9000.0, timedelta(hours=2.5)])
def test_a_duration_counts_from_when_the_result_was_there(interval: Any) -> None:
    """Two and a half hours after generation, as in appendix A."""
    assert duration_strategy(interval)(asked()) == NOON + 9000


def test_forever_and_nocache_are_constant() -> None:
    """forever never expires; nocache has expired already, whatever the clock says."""
    assert forever(asked()) == math.inf
    assert nocache(asked()) <= 0
    assert {"forever": forever, "nocache": nocache} == BUILTIN


@pytest.mark.parametrize(
    ("etime", "wanted"),
    [
        (NOON - 3 * 3600 + 1, 300),
        (NOON - 3 * 3600, 432000),
        (NOON - 3 * 3600 - 1, 432000),
        (int(NOON), 300),
        (NOON + 10**6, 300),
        (np.int64(int(NOON)), 300),
        (datetime.fromtimestamp(NOON - 60, UTC), 300),
        (datetime.fromtimestamp(NOON - 10**5, timezone(timedelta(hours=5))), 432000),
        (pd.Timestamp(NOON - 60, unit="s", tz="UTC"), 300),
        ("2007-04-27T11:59Z", 300),
        ("2007-04-27T11:59+05:00", 432000),
        (date(2007, 4, 20), 432000),
        ("2007-04-20", 432000),
        (np.datetime64("2007-04-20"), 432000),
        (math.inf, 300),
    ],
    ids=lambda part: str(part).partition(" at 0x")[0],
)
def test_a_crossover_asks_how_old_the_argument_is(etime: object, wanted: float) -> None:
    """The guide's example: five minutes for times newer than three hours, else five days."""
    strategy = crossover_strategy(FIVE_MINUTES, FIVE_DAYS, 3 * 60 * 60, "etime")
    assert strategy(asked(etime=etime)) == NOON + wanted


@pytest.mark.usefixtures("berlin")
def test_a_time_without_a_zone_is_local() -> None:
    """At noon UTC it is 14:00 locally, so 13:30 is recent and 10:30 is not; a date is its local midnight."""
    strategy = crossover_strategy(FIVE_MINUTES, FIVE_DAYS, "3h", "etime")
    assert strategy(asked(etime=datetime(2007, 4, 27, 13, 30))) == NOON + 300
    assert strategy(asked(etime="2007-04-27T10:30")) == NOON + 432000
    daily = crossover_strategy(FIVE_MINUTES, FIVE_DAYS, "13h", "etime")
    assert daily(asked(etime=date(2007, 4, 27))) == NOON + 432000


@pytest.mark.parametrize(
    "etime", [None, "soon", True, math.nan, [1], 1j, datetime.min], ids=lambda part: str(part).partition(" at 0x")[0]
)
def test_an_argument_that_is_no_time_is_named(etime: object) -> None:
    """The TypeError names operation and argument."""
    strategy = crossover_strategy(FIVE_MINUTES, FIVE_DAYS, "3h", "etime")
    with pytest.raises(ArgumentError, match="foo: argument 'etime' is ") as caught:
        strategy(asked(etime=etime))
    assert caught.value.parameter == "etime"


def test_a_crossover_says_what_it_needs() -> None:
    """An operation without the argument is refused at decoration, naming the nearest parameter."""
    inner = crossover_strategy("5m", "forever", "3h", "etime")
    strategy = crossover_strategy(inner, FIVE_DAYS, "3h", "stime")
    assert strategy.needs == ("stime", "etime")  # type: ignore[attr-defined]  # of crossovers alone
    check_needs(strategy, ["a", "stime", "etime"], "foo")
    check_needs(forever, [], "foo")
    check_needs("name", [], "foo")
    with pytest.raises(DecorationError, match=r"foo: strategy .* needs parameter 'etime'; did you mean 'time'\?"):
        check_needs(strategy, ["stime", "time"], "foo")
    with pytest.raises(ArgumentError, match="needs argument 'stime'"):
        strategy(asked(etime=1))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((FIVE_MINUTES, FIVE_DAYS, "3x", "etime"), "'3x'"),
        ((FIVE_MINUTES, FIVE_DAYS, "3h", 5), "age_arg is 5"),
        ((FIVE_MINUTES, FIVE_DAYS, "3h", "no name"), "age_arg is 'no name'"),
        (([], FIVE_DAYS, "3h", "etime"), r"\[\] is not a strategy"),
        ((FIVE_MINUTES, "5x", "3h", "etime"), "5x"),
    ],
)
def test_a_wrong_crossover_is_refused_when_it_is_made(arguments: tuple[Any, ...], message: str) -> None:
    """Each of the four arguments is checked at once."""
    with pytest.raises(ConfigurationError, match=message):
        crossover_strategy(*arguments)


def soon(request: Request) -> float:
    """The guide's strategy."""
    return request.generated_at + 300


def hourly(name: str) -> Strategy:
    """A registry that knows one name."""
    if name != "hourly":
        raise UnknownNameError(f"no expiration strategy is called {name!r}; did you mean 'hourly'?")
    return soon


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (soon, 300),
        ("hourly", 300),
        ("forever", math.inf),
        ("2h", 7200),
        (60, 60),
        ("60", 60),
        (timedelta(hours=1), 3600),
    ],
)
def test_a_strategy_is_itself_or_a_name_or_a_duration(value: object, seconds: float) -> None:
    """What a decorator or the configuration says becomes a strategy."""
    assert strategy_of(value, hourly)(asked()) == NOON + seconds


def test_a_crossover_may_name_strategies_of_plugins() -> None:
    """Names in it are looked up late; asked before that, they say what is missing."""
    strategy = crossover_strategy("hourly", "nocache", "3h", "etime")
    with pytest.raises(UnknownNameError, match="foo: no strategy 'hourly'"):
        strategy(asked(etime=NOON))
    found = strategy_of(strategy, hourly)
    assert found(asked(etime=NOON)) == NOON + 300
    assert found(asked(etime=0)) == nocache(asked())
    assert strategy_of(forever, hourly) is forever


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("hurly", "did you mean 'hourly'"),
        ("2x30m", "2x"),
        ("", "empty"),
        (None, "None is not a strategy"),
        (True, "bool"),
        ([], "is not a strategy"),
        (lambda: 0, "takes one request"),
        (crossover_strategy("hurly", "5m", "3h", "etime"), "did you mean 'hourly'"),
    ],
    ids=lambda part: str(part).partition(" at 0x")[0],
)
def test_what_is_no_strategy_is_refused(value: object, message: str) -> None:
    """The message names it, and the nearest known name."""
    with pytest.raises(ConfigurationError, match=message):
        strategy_of(value, hourly)


def test_a_mistyped_name_of_ours_is_recognised() -> None:
    """Also where there is no registry."""
    with pytest.raises(ConfigurationError, match=r"did you mean 'forever'\?"):
        strategy_of("forevr")


def test_expires_notes_the_strategy() -> None:
    """A strategy is noted as itself, a duration as its strategy, a name of a plugin as a name."""

    def function() -> None:
        """An operation to be."""

    assert annotations_of(expires(soon)(function)) == {"expires": soon}
    assert annotations_of(expires("2h")(lambda: None)) == {"expires": duration_strategy("2h")}
    assert annotations_of(expires("nocache")(lambda: None)) == {"expires": nocache}
    assert annotations_of(expires("hourly")(lambda: None)) == {"expires": "hourly"}
    with pytest.raises(DecorationError, match="two @expires"):
        expires(forever)(function)
    with pytest.raises(ConfigurationError, match="2x"):
        expires("2x30m")


def test_a_strategy_reads_as_it_was_written() -> None:
    """rave describe shows it."""
    strategy = crossover_strategy("5m", "hourly", "3h", "etime")
    assert repr(strategy) == "crossover_strategy(duration_strategy('5m'), 'hourly', '3h', 'etime')"
    assert [repr(forever), repr(nocache)] == ["forever", "nocache"]


@pytest.mark.parametrize("value", [5, 5.5, -1, math.inf, np.float64(5.5), np.int64(5)])
def test_a_strategy_gives_a_number(value: Any) -> None:
    """Any real number is a time, infinity too."""
    found = check_result(value, "foo", soon)
    assert (type(found), found) == (float, float(value))


def test_a_strategy_may_give_a_datetime() -> None:
    """It counts as its Unix time."""
    assert check_result(datetime.fromtimestamp(NOON, UTC), "foo", soon) == NOON


@pytest.mark.parametrize(
    "value",
    [None, "soon", "2007-04-27", True, math.nan, 1j, duration_strategy(5)],
    ids=lambda part: str(part).partition(" at 0x")[0],
)
def test_a_strategy_that_gives_no_time_is_named(value: object) -> None:
    """The TypeError names operation and strategy."""
    with pytest.raises(DecorationError, match="foo: strategy soon returned") as caught:
        check_result(value, "foo", soon)
    assert isinstance(caught.value, TypeError)
    with pytest.raises(DecorationError, match="foo: its strategy returned"):
        check_result(value, "foo")
