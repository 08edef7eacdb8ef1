"""Stand-ins of the standard library's values, found by the public name of their type.

By name, so that none of these modules is imported before there is a value of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from rave_core.errors import UnencodableError
from rave_core.fingerprint.code import partial_parts, reduced_parts


def date_fields(value: Any) -> tuple[int, ...]:
    """Year, month and day."""
    return value.year, value.month, value.day


def delta_fields(value: Any) -> tuple[int, ...]:
    """Days, seconds and microseconds."""
    return value.days, value.seconds, value.microseconds


def clock_fields(value: Any, moment: Any) -> tuple[Any, ...]:
    """Wall clock, fold and zone of a datetime or time; ``moment`` is what the zone is asked about."""
    wall = (value.hour, value.minute, value.second, value.microsecond, value.fold)
    if value.tzinfo is None:
        return wall
    offset = value.utcoffset()
    known = (*wall, None if offset is None else delta_fields(offset), zone_name(value.tzinfo, moment))
    if getattr(value.tzinfo, "key", None) is not None:
        return known
    # A fixed offset called "CET" is not the zone of that key.
    return (*known, f"{type(value.tzinfo).__module__}.{type(value.tzinfo).__qualname__}")


def zone_name(zone: Any, moment: Any) -> str | None:
    """The name of a time zone: its IANA key or what it shows itself as, else what it calls itself at ``moment``."""
    name = getattr(zone, "key", None) or getattr(zone, "zone", None)
    if name is None and getattr(type(zone), "__repr__", None) is not object.__repr__:
        name = repr(zone)  # two zones of dateutil's may both be "CET" at the moment
    return name or zone.tzname(moment)  # type: ignore[no-any-return]  # whatever a zone calls itself


def _datetime(value: Any) -> tuple[Any, ...]:
    return (*date_fields(value), *clock_fields(value, value))


def _time(value: Any) -> tuple[Any, ...]:
    return clock_fields(value, None)


def _timezone(value: Any) -> tuple[Any, ...]:
    return (*delta_fields(value.utcoffset(None)), value.tzname(None))


def _zone_info(value: Any) -> str:
    if value.key is None:
        raise UnencodableError("a ZoneInfo read from a file has no name; give it one: ZoneInfo.from_file(file, key=…)")
    return str(value.key)


def _decimal(value: Any) -> str:
    return "NaN" if value.is_qnan() else str(value)


def _fraction(value: Any) -> tuple[int, int]:
    return value.numerator, value.denominator


def _uuid(value: Any) -> int:
    return int(value.int)


def _pattern(value: Any) -> tuple[Any, int]:
    return value.pattern, value.flags


def _array(value: Any) -> tuple[str, bytes]:
    return value.typecode, value.tobytes()


LEAVES: dict[str, tuple[str, Callable[[Any], object]]] = {
    "datetime.date": ("date", date_fields),
    "datetime.datetime": ("datetime", _datetime),
    "datetime.time": ("time", _time),
    "datetime.timedelta": ("timedelta", delta_fields),
    "datetime.timezone": ("timezone", _timezone),
    "zoneinfo.ZoneInfo": ("zone", _zone_info),
    "decimal.Decimal": ("decimal", _decimal),
    "fractions.Fraction": ("fraction", _fraction),
    "uuid.UUID": ("uuid", _uuid),
    "re.Pattern": ("pattern", _pattern),
    "array.array": ("array", _array),
}
"""Public name of a type: the tag, and the function that gives the stand-in. Without other values inside."""

_PATHS = {"posix path": ("PurePosixPath", "PosixPath"), "windows path": ("PureWindowsPath", "WindowsPath")}
for _tag, _names in _PATHS.items():
    for _name in _names:
        LEAVES[f"pathlib.{_name}"] = LEAVES[f"pathlib._local.{_name}"] = (_tag, str)
for _name in ("Address", "Network", "Interface"):
    LEAVES[f"ipaddress.IPv4{_name}"] = (f"ipv4 {_name.lower()}", str)
    LEAVES[f"ipaddress.IPv6{_name}"] = (f"ipv6 {_name.lower()}", str)


def _ordered_dict(value: Any) -> Iterator[tuple[Any, Any]]:
    for key, member in value.items():
        yield "", key
        yield (key,), member


def _default_dict(value: Any) -> Iterator[tuple[Any, Any]]:
    yield ".default_factory", value.default_factory
    yield "", dict(value)


def _counter(value: Any) -> Iterator[tuple[Any, Any]]:
    yield "", dict(value)


def _deque(value: Any) -> Iterator[tuple[Any, Any]]:
    yield ".maxlen", value.maxlen
    for index, member in enumerate(value):
        yield (index,), member


def _proxy(value: Any) -> Iterator[tuple[Any, Any]]:
    yield "", value.copy()


def _namespace(value: Any) -> Iterator[tuple[Any, Any]]:
    for name in sorted(vars(value)):
        yield "", name
        yield f".{name}", vars(value)[name]


CONTAINERS: dict[str, tuple[str, Callable[[Any], Iterator[tuple[Any, Any]]]]] = {
    "collections.OrderedDict": ("ordered dict", _ordered_dict),
    "collections.defaultdict": ("default dict", _default_dict),
    "collections.Counter": ("counter", _counter),
    "collections.deque": ("deque", _deque),
    "builtins.mappingproxy": ("mapping proxy", _proxy),
    "types.SimpleNamespace": ("namespace", _namespace),
    "functools.partial": ("partial", partial_parts),
    "operator.itemgetter": ("getter", reduced_parts),
    "operator.attrgetter": ("getter", reduced_parts),
    "operator.methodcaller": ("getter", reduced_parts),
}
"""Public name of a type: the tag, and the function that gives the parts, with their steps."""
