"""Converters of the built-in scalar types: as the constructor, but never losing anything silently."""

from __future__ import annotations

import numbers
import operator
from typing import Any, Final

from rave_core.converters.converter import Converter, FunctionConverter, kind_of, parse_json

_TRUE: Final = frozenset({"1", "true", "yes", "on"})
_FALSE: Final = frozenset({"0", "false", "no", "off"})


def plain(value: Any) -> Any:
    """The Python scalar inside a scalar of numpy; anything else as it is."""
    if getattr(value, "shape", None) == () and getattr(getattr(value, "dtype", None), "kind", None) in (
        "b",
        "i",
        "u",
        "f",
        "c",
    ):
        return value.item()
    return value


def to_int(value: Any) -> int:
    """An integer: of integers, of numbers without a fraction, and of their text.

    Raises:
        TypeError, ValueError: anything would be lost, or it is no number.
    """
    value = plain(value)
    if isinstance(value, (int, str)):
        return int(value)
    if not isinstance(value, numbers.Number):
        return operator.index(value)
    try:
        number = int(value)  # type: ignore[call-overload]  # a complex one is refused by int itself
    except (OverflowError, ValueError) as error:
        raise TypeError(f"{value!r} is not an integer") from error
    if number != value:
        raise TypeError(f"{value!r} has a fraction, which int would lose")
    return number  # type: ignore[no-any-return]  # int() of a Number


def to_float(value: Any) -> float:
    """A float: of real numbers and of their text.

    Raises:
        TypeError, ValueError: it is no real number, or too large for a float.
    """
    value = plain(value)
    if not isinstance(value, (str, numbers.Number)):
        raise TypeError(f"{kind_of(value)} is not a number")
    try:
        return float(value)  # type: ignore[arg-type]  # a complex one is refused by float itself
    except OverflowError as error:
        raise TypeError("too large for a float") from error


def to_bool(value: Any) -> bool:
    """A truth value: of ``bool``, 0 and 1, and the usual words; of nothing else.

    Raises:
        TypeError: neither true nor false is meant.
    """
    value = plain(value)
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        word = value.strip().lower()
        if word in _TRUE or word in _FALSE:
            return word in _TRUE
    elif isinstance(value, numbers.Number):
        number: Any = value
        if number in (0, 1):
            return bool(number)
    raise TypeError("expected true, false, yes, no, on, off, 1 or 0")


def to_str(value: Any) -> str:
    """Text: of bytes as UTF-8, of anything else as ``str`` does (``None`` becomes ``"None"``).

    Raises:
        ValueError: bytes that are no UTF-8.
    """
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value).decode()
    return str(value)


def to_bytes(value: Any) -> bytes:
    """Bytes: of bytes-like objects, and of text as UTF-8.

    Raises:
        TypeError: anything else, integers too, of which ``bytes`` would make zeros.
    """
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    raise TypeError(f"{kind_of(value)} is not bytes")


def to_complex(value: Any) -> complex:
    """A complex number: of numbers and of their text.

    Raises:
        TypeError, ValueError: it is no number.
    """
    value = plain(value)
    if not isinstance(value, (str, numbers.Number)):
        raise TypeError(f"{kind_of(value)} is not a number")
    return complex(value)  # type: ignore[arg-type]  # every Number has __complex__ or __float__


def to_none(value: Any) -> None:
    """``None``, of ``None`` alone.

    Raises:
        TypeError: anything else.
    """
    if value is not None:
        raise TypeError("only None is accepted")


def none_of_text(text: str) -> None:
    """``None``, of an empty text, ``null`` or ``none``.

    Raises:
        ValueError: anything else.
    """
    if text.strip().lower() not in ("", "null", "none"):
        raise ValueError("only null is accepted")


def json_or_text(text: str) -> Any:
    """The value of a JSON text; any other text as it is."""
    try:
        return parse_json(text)
    except ValueError:
        return text


def _as_is(value: Any) -> Any:
    return value


any = FunctionConverter("any", _as_is, text_function=json_or_text, takes_none=True)
"""Accepts everything, unchanged."""

NONE: Final = FunctionConverter("None", to_none, {"type": "null"}, type(None), none_of_text, takes_none=True)

SCALARS: Final[dict[type, Converter]] = {
    int: FunctionConverter("int", to_int, {"type": "integer"}, int),
    float: FunctionConverter("float", to_float, {"type": "number"}, float),
    bool: FunctionConverter("bool", to_bool, {"type": "boolean"}, bool),
    str: FunctionConverter("str", to_str, {"type": "string"}, str),
    bytes: FunctionConverter("bytes", to_bytes, {"type": "string"}, bytes),
    bytearray: FunctionConverter("bytearray", lambda value: bytearray(to_bytes(value)), {"type": "string"}),
    complex: FunctionConverter("complex", to_complex, {"type": ["number", "string"]}, complex),
    type(None): NONE,
    object: any,
}
