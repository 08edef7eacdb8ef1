"""Expiration strategies: until when a result is valid.

A strategy is a function from a ``Request`` to a Unix time. It is called once the result has been generated.
"""

from __future__ import annotations

import inspect
import math
import numbers
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any, Final, TypeAlias, TypeVar

from msgspec import Struct

from rave_core.converters import to_datetime
from rave_core.converters.converter import shown
from rave_core.errors import ArgumentError, ConfigurationError, DecorationError, UnknownNameError, nearest
from rave_core.functions.annotations import annotate
from rave_core.model import FOREVER, Key
from rave_core.text.durations import parse_duration

__all__ = [
    "Request",
    "Strategy",
    "crossover_strategy",
    "duration_strategy",
    "expires",
    "forever",
    "nocache",
    "parse_duration",
]

F = TypeVar("F")


class Request(Struct, frozen=True):
    """What a strategy is asked about.

    Attributes:
        operation: the operation's name.
        arguments: parameter name to argument: bound, defaulted and converted, however it was passed.
        key: ``None`` when an argument has no canonical encoding.
        generated_at: Unix seconds, when the result had been generated.
    """

    operation: str
    arguments: Mapping[str, Any]
    key: Key | None
    generated_at: float


Strategy: TypeAlias = Callable[[Request], float]
"""Gives the Unix time after which the result is invalid."""

Lookup: TypeAlias = Callable[[str], Strategy]
"""Gives the strategy of a name, or raises ``LookupError``."""


class _Constant(Struct, frozen=True):
    """The same time for every result."""

    name: str
    time: float

    def __call__(self, _request: Request) -> float:
        return self.time

    def __repr__(self) -> str:
        return self.name


class _Duration(Struct, frozen=True):
    """So many seconds after the result was generated."""

    seconds: float
    written: object

    def __call__(self, request: Request) -> float:
        return request.generated_at + self.seconds

    def __repr__(self) -> str:
        return f"duration_strategy({self.written!r})"


class _Named(Struct, frozen=True):
    """A strategy known only by name, until ``strategy_of`` gets a way to look it up."""

    name: str

    def __call__(self, request: Request) -> float:
        raise UnknownNameError(
            f"{request.operation}: no strategy {self.name!r}; {nearest(self.name, BUILTIN)} (or is its plugin missing?)"
        )

    def __repr__(self) -> str:
        return repr(self.name)


class _Crossover(Struct, frozen=True):
    """One strategy for arguments with recent times, another for the rest."""

    recent: Strategy
    settled: Strategy
    age: _Duration
    age_arg: str

    def __call__(self, request: Request) -> float:
        if self.age_arg not in request.arguments:
            raise ArgumentError(
                f"{request.operation}: {self!r} needs argument {self.age_arg!r}; "
                f"{nearest(self.age_arg, request.arguments)}",
                operation=request.operation,
                parameter=self.age_arg,
            )
        age = request.generated_at - _time_argument(request, self.age_arg)
        return (self.recent if age < self.age.seconds else self.settled)(request)

    @property
    def needs(self) -> tuple[str, ...]:
        """The parameters that the operation must have."""
        found = (self.age_arg, *_needs_of(self.recent), *_needs_of(self.settled))
        return tuple(dict.fromkeys(found))

    def __repr__(self) -> str:
        return f"crossover_strategy({self.recent!r}, {self.settled!r}, {self.age.written!r}, {self.age_arg!r})"


forever: Final[Strategy] = _Constant("forever", FOREVER)
"""The result never expires."""

nocache: Final[Strategy] = _Constant("nocache", 0.0)
"""The result expires before it exists, so it is never stored."""

BUILTIN: Final[dict[str, Strategy]] = {"forever": forever, "nocache": nocache}
"""The core's own strategies, by the name that a decorator or the configuration may give."""


def duration_strategy(interval: float | str | timedelta) -> Strategy:
    """The strategy under which a result expires ``interval`` after it was generated.

    Args:
        interval: seconds, or text such as ``"2h30m"`` with the units d, h, m and s.

    Raises:
        ConfigurationError: it is no duration; the message names the bad part.
    """
    return _duration(interval)


def _duration(interval: float | str | timedelta) -> _Duration:
    try:
        seconds = parse_duration(interval.total_seconds() if isinstance(interval, timedelta) else interval)
    except (ValueError, OverflowError) as error:
        raise ConfigurationError(str(error)) from error
    return _Duration(seconds, interval)


def crossover_strategy(
    a: Strategy | str | float | timedelta,
    b: Strategy | str | float | timedelta,
    age: float | str | timedelta,
    age_arg: str,
) -> Strategy:
    """The strategy that follows ``a`` while the time in argument ``age_arg`` is more recent than ``age``, else ``b``.

    The time is compared with when the result was generated. It may be Unix seconds, a datetime (without a zone:
    local time), a date (its local midnight), or ISO 8601 text of one of these.

    Args:
        a: a strategy, its name, or a duration.
        b: the same.
        age: seconds, or text such as ``"3h"``.
        age_arg: the parameter's name; an operation without it is refused when it is decorated.

    Raises:
        ConfigurationError: an argument is none of these.
    """
    if not isinstance(age_arg, str) or not age_arg.isidentifier():
        raise ConfigurationError(f"crossover_strategy: age_arg is {shown(age_arg)}; expected the name of a parameter")
    return _Crossover(_early(a), _early(b), _duration(age), age_arg)


def strategy_of(value: object, named: Lookup | None = None) -> Strategy:
    """The strategy that ``value`` means: a strategy itself, a duration, or the name of a strategy.

    Args:
        value: as it stands in a decorator or in the configuration. A name goes before a duration.
        named: finds strategies whose names are not the core's.

    Raises:
        ConfigurationError: it is nothing of these.
    """
    strategy = _by_name(value, named) if isinstance(value, str) else _early(value)
    if isinstance(strategy, _Named):
        return _by_name(strategy.name, named)
    if isinstance(strategy, _Crossover):
        recent, settled = strategy_of(strategy.recent, named), strategy_of(strategy.settled, named)
        return _Crossover(recent, settled, strategy.age, strategy.age_arg)
    return strategy


def _by_name(name: str, named: Lookup | None) -> Strategy:
    if name in BUILTIN:
        return BUILTIN[name]
    try:
        if named is not None:
            return named(name)
        hint = nearest(name, BUILTIN)
    except LookupError as error:
        hint = str(error)
    try:
        return _duration(name)
    except ConfigurationError as error:
        raise ConfigurationError(f"{name!r} is not a strategy: {hint} ({error})") from error


def _early(value: object) -> Strategy:
    """The strategy, as far as it is known before plugins are loaded: a name that is not the core's stays a name."""
    if isinstance(value, str):
        # A name that starts with a digit can only be a mistyped duration: report it at once.
        if value in BUILTIN or not value.strip() or value.strip()[0].isdigit():
            return _by_name(value, None)
        return _Named(value)
    if isinstance(value, (int, float, timedelta)):
        return _duration(value)
    if callable(value):
        _check_callable(value)
        return value
    raise ConfigurationError(
        f"{shown(value)} is not a strategy; expected a function of a request, the name of a strategy, or a duration"
    )


def _check_callable(strategy: Callable[..., object]) -> None:
    try:
        inspect.signature(strategy).bind(None)
    except TypeError as error:
        raise ConfigurationError(f"{_called(strategy)} is not a strategy, which takes one request: {error}") from error
    except ValueError:
        pass  # some built-in functions have no signature: the first call shows


def expires(strategy: Strategy | str | float | timedelta) -> Callable[[F], F]:
    """A decorator that notes the strategy of an operation: a strategy, its name, or a duration.

    Raises:
        ConfigurationError: it is nothing of these.
    """
    value = checked_strategy(strategy)
    return lambda function: annotate(function, "expires", value)


def checked_strategy(value: object) -> Strategy | str:
    """The strategy that ``value`` is or names, or the name of one that a plugin may provide.

    Raises:
        ConfigurationError: it is neither a strategy, nor the name of one, nor a duration.
    """
    found = _early(value)
    return found.name if isinstance(found, _Named) else found


def check_needs(strategy: object, parameters: Iterable[str], operation: str) -> None:
    """Refuses a strategy that reads an argument which the operation does not have.

    Raises:
        DecorationError: the operation has no such parameter; the message names the nearest one.
    """
    names = list(parameters)
    for name in _needs_of(strategy):
        if name not in names:
            raise DecorationError(
                f"{operation}: strategy {_called(strategy)} needs parameter {name!r}; {nearest(name, names)}"
            )


def check_result(value: object, operation: str, strategy: object = None) -> float:
    """The Unix time that a strategy gave; a datetime counts as its time, without a zone as local time.

    Raises:
        DecorationError: it is no time, which is a ``TypeError`` too.
    """
    try:
        if type(value) is float and value == value:  # the common case; nan is not equal to itself
            return value
        if not isinstance(value, str):
            return _unix_time(value)
        reason = "text is not a time"
    except (TypeError, ValueError, OverflowError, OSError) as error:
        reason = str(error)
    named = "its strategy" if strategy is None else f"strategy {_called(strategy)}"
    raise DecorationError(f"{operation}: {named} returned {shown(value)}; expected a Unix time in seconds ({reason})")


def _needs_of(strategy: object) -> tuple[str, ...]:
    return tuple(getattr(strategy, "needs", ()))


def _called(strategy: object) -> str:
    return getattr(strategy, "__qualname__", None) or repr(strategy)


def _time_argument(request: Request, name: str) -> float:
    value = request.arguments[name]
    try:
        return _unix_time(value)
    except (TypeError, ValueError, OverflowError, OSError) as error:
        wanted = "a Unix time, a datetime, a date or ISO 8601 text"
        raise ArgumentError(
            f"{request.operation}: argument {name!r} is {shown(value)}, and its age is wanted: {wanted} ({error})",
            operation=request.operation,
            parameter=name,
            wanted=wanted,
        ) from error


def _unix_time(value: object) -> float:
    if isinstance(value, bool):
        raise TypeError("a bool is not a time")
    if not isinstance(value, numbers.Real):
        return to_datetime(value).timestamp()
    if math.isnan(value):
        raise ValueError("nan is not a time")
    return float(value)
