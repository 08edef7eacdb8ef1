"""Stand-ins of the standard library's values, found by the public name of their type.

Names are used so that no module is imported before it has a value.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rave_core.fingerprint.code import partial_parts, reduced_parts
from rave_core.fingerprint.parts import Parts
from rave_core.fingerprint.zones import zone_info_key


def date_fields(value: Any) -> tuple[int, ...]:
    """Year, month and day."""
    return value.year, value.month, value.day


def delta_fields(value: Any) -> tuple[int, ...]:
    """Days, seconds and microseconds."""
    return value.days, value.seconds, value.microseconds


def wall_fields(value: Any) -> tuple[Any, ...]:
    """Wall clock and fold of a datetime or time, and the offset that its zone gives then."""
    offset = None if value.tzinfo is None else value.utcoffset()
    wall = (value.hour, value.minute, value.second, value.microsecond, value.fold)
    return (*wall, None if offset is None else delta_fields(offset))


def datetime_parts(value: Any) -> Parts:
    """Date, wall clock, fold, offset and zone."""
    yield "", (*date_fields(value), *wall_fields(value))
    yield ".tzinfo", value.tzinfo


def _time_parts(value: Any) -> Parts:
    yield "", wall_fields(value)
    yield ".tzinfo", value.tzinfo


def _timezone(value: Any) -> tuple[Any, ...]:
    return (*delta_fields(value.utcoffset(None)), value.tzname(None))


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
    "datetime.timedelta": ("timedelta", delta_fields),
    "datetime.timezone": ("timezone", _timezone),
    "zoneinfo.ZoneInfo": ("zone", zone_info_key),
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


def _ordered_dict(value: Any) -> Parts:
    for key, member in value.items():
        yield "", key
        yield (key,), member


def _default_dict(value: Any) -> Parts:
    yield ".default_factory", value.default_factory
    yield "", dict(value)


def _counter(value: Any) -> Parts:
    yield "", dict(value)


def _deque(value: Any) -> Parts:
    yield ".maxlen", value.maxlen
    for index, member in enumerate(value):
        yield (index,), member


def _proxy(value: Any) -> Parts:
    yield "", value.copy()


def _namespace(value: Any) -> Parts:
    for name in sorted(vars(value)):
        yield "", name
        yield f".{name}", vars(value)[name]


def _random(value: Any) -> Parts:
    yield ".getstate()", value.getstate()


def _type_variable(value: Any) -> Parts:
    yield "", (value.__module__, value.__name__, value.__covariant__, value.__contravariant__)
    yield ".__bound__", value.__bound__
    yield ".__constraints__", value.__constraints__


def _new_type(value: Any) -> Parts:
    yield "", (value.__module__, value.__qualname__)
    yield ".__supertype__", value.__supertype__


def _special_form(value: Any) -> Parts:
    yield "", value._name  # its class has another name from one release of Python to the next


CONTAINERS: dict[str, tuple[str, Callable[[Any], Parts]]] = {
    "datetime.datetime": ("datetime", datetime_parts),
    "datetime.time": ("time", _time_parts),
    "random.Random": ("random", _random),
    "typing.TypeVar": ("type variable", _type_variable),
    "typing.NewType": ("new type", _new_type),
    "typing._SpecialForm": ("special form", _special_form),
    "typing._LiteralSpecialForm": ("special form", _special_form),
    "typing._TypedCacheSpecialForm": ("special form", _special_form),
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
