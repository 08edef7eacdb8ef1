"""The JSON form of a value: types that msgspec writes as valid JSON, the same in every process.

msgspec itself writes numbers of any size, ``null`` for what is not finite, base64 for bytes, and text for decimals and
times. This module converts what msgspec does not know, and gives sets an order, which else varies between processes.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
from collections.abc import Callable, Mapping, Sequence, Set
from decimal import Decimal
from itertools import islice
from typing import Any, Final
from uuid import UUID

import msgspec

from rave_core.rendering.tables import is_table, kind_of, rows_of

_LEAVES: Final = frozenset((str, int, float, bool, type(None), bytes, bytearray, Decimal, UUID, dt.date, dt.timedelta))
_LISTS: Final = ("tolist", "to_pylist", "to_list")
"""How arrays and columns of other libraries become lists, and scalars of numpy what they hold."""
_MISSING: Final = ("pandas.NaTType", "pandas.NAType")
_LOOKED_AT: Final = 1000


def plain(value: Any) -> Any:
    """``value`` as dicts with text as keys, lists, and leaves that msgspec knows.

    Raises:
        TypeError: something in it has no form; the message says what.
        RecursionError: it holds itself.
        Exception: the code of a class in it failed.
    """
    kind = type(value)
    if kind in _LEAVES:
        return value
    if kind is dict:
        return _named(value)
    if kind is list or kind is tuple:
        return [item if type(item) in _LEAVES else plain(item) for item in value]
    if kind is set or kind is frozenset:
        items = list(map(plain, value))
        return sorted(items, key=None if {*map(type, items)} in ({int}, {str}) else msgspec.json.encode)
    return plain(_simpler(value))


def looks_plain(value: Any) -> bool:
    """Whether ``value`` has a form in JSON, judged by its first thousand parts; arrays are assumed to have one."""
    waiting = [value]
    try:
        for _ in range(_LOOKED_AT):
            if not waiting:
                return True
            waiting.extend(_parts(waiting.pop()))
    except Exception:  # noqa: BLE001  # third-party code
        return False
    return True


def _parts(value: Any) -> list[Any]:
    kind = type(value)
    if kind in _LEAVES:
        return []
    if kind is dict:
        for key in islice(value, _LOOKED_AT):
            _name(key)
        return list(islice(value.values(), _LOOKED_AT))
    if kind in (list, tuple, set, frozenset):
        return list(islice(value, _LOOKED_AT))
    return [] if is_array(value) or is_table(value) else [_simpler(value)]


def is_array(value: Any) -> bool:
    """Whether ``value`` is an array or column of another library; one without dimensions is a scalar, so it is none."""
    if isinstance(value, type) or not any(callable(getattr(value, name, None)) for name in _LISTS):
        return False
    return getattr(value, "ndim", 1) != 0


def _named(value: dict[Any, Any]) -> dict[str, Any]:
    made = {
        key if type(key) is str else _name(key): item if type(item) in _LEAVES else plain(item)
        for key, item in value.items()
    }
    if len(made) != len(value):
        raise TypeError("it holds a mapping with two keys of the same text")
    return made


def _name(key: Any) -> str:
    made = plain(key)
    if isinstance(made, (list, dict)):
        raise TypeError(f"it holds a mapping with a {type(key).__name__} as key")
    written = msgspec.json.encode(made)
    return msgspec.json.decode(written, type=str) if written.startswith(b'"') else written.decode()


def _simpler(value: Any) -> Any:
    """One step towards what `plain` takes."""
    if _is_numpy(type(value)):
        return _numpy(value)
    for kind, simplified in _KINDS:
        if isinstance(value, kind):
            return simplified(value)
    if not isinstance(value, type):
        if dataclasses.is_dataclass(value):
            return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        if hasattr(value, "__attrs_attrs__"):
            return {field.name: getattr(value, field.name) for field in value.__attrs_attrs__}
        for name in (*_LISTS, "as_py", "isoformat"):
            if callable(convert := getattr(value, name, None)):
                return _table(value) if is_table(value) else convert()
    return _table(value) if is_table(value) else _spoken(value)


def _moment(value: dt.date | dt.time) -> str | None:
    """A time in RFC 3339 form, with the seconds of the offset if it has any. The NaT of pandas counts as a time too."""
    if kind_of(value) in _MISSING:
        return None
    text = value.isoformat()
    return f"{text[:-6]}Z" if text.endswith("+00:00") else text


def _struct(value: msgspec.Struct) -> Any:
    """A struct under the names, and with the tag, that its class wants in JSON."""
    config, fields = value.__struct_config__, msgspec.structs.fields(value)
    given = [(field.encode_name, getattr(value, field.name)) for field in fields]
    tag = [] if config.tag is None else [(str(config.tag_field), config.tag)]
    if config.array_like:
        return [item for _, item in tag + given]
    return {name: item for name, item in tag + given if item is not msgspec.UNSET}


def _table(value: Any) -> list[dict[str, Any]]:
    found = rows_of(value, "json")
    if len(set(found.columns)) != len(found.columns):
        raise TypeError("it holds a table with two columns of the same name")
    return [dict(zip(found.columns, row, strict=True)) for row in found.rows]


def _spoken(value: Any) -> str | None:
    """The text of a value that has its own. A repr in angle brackets names an object, but does not give its value."""
    if kind_of(value) in _MISSING:
        return None
    text = str(value)
    speaks = any("__str__" in vars(parent) for parent in type(value).__mro__[:-1])
    if text.startswith("<") and not speaks:
        raise TypeError(f"it holds a {type(value).__name__}")
    return text


def _numpy(value: Any) -> Any:
    """An array or scalar of numpy as lists; times become text, because their type in a list depends on their unit."""
    import numpy

    array = numpy.asanyarray(value)
    if array.dtype.kind in "mM":
        told: Any = array.astype("timedelta64[us]" if array.dtype.kind == "m" else str).astype(object)
        return numpy.array(numpy.where(numpy.isnat(array), None, told)).tolist()
    if array.dtype.kind == "f" and array.dtype.itemsize > 8:
        array = array.astype(float)
    return array.tolist()


def _is_numpy(kind: type) -> bool:
    return any(each.__module__ == "numpy" and each.__name__ in ("generic", "ndarray") for each in kind.__mro__)


_KINDS: Final[tuple[tuple[Any, Callable[[Any], Any]], ...]] = (
    (enum.Enum, lambda value: value.value),
    (str, str.__str__),
    (int, int.__int__),
    (float, float.__float__),
    ((bytes, bytearray, memoryview), bytes),
    ((dt.date, dt.time), _moment),
    (msgspec.Raw, msgspec.json.decode),
    (msgspec.Struct, _struct),
    (Mapping, dict),
    (Set, set),
    (Sequence, list),
)
