"""Converters of the standard library's numbers, identifiers and addresses; their modules load when first asked for."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from rave_core.converters.converter import Converter, FunctionConverter, kind_of
from rave_core.converters.scalars import plain, to_int


def to_number(kind: type, value: Any) -> Any:
    """A ``Decimal`` or ``Fraction``: of numbers, of a float by the digits it is written with, and of text.

    Raises:
        TypeError, ValueError: anything else.
    """
    value = plain(value)
    if type(value) is kind:
        return value
    try:
        return kind(repr(value) if isinstance(value, float) else value)
    except ArithmeticError as error:
        raise ValueError(f"{value!r} is not a number") from error


def from_text(make: Callable[[str], Any], kinds: tuple[type, ...], value: Any) -> Any:
    """An identifier or address of its text, or one that it is already; never of a number or bytes.

    Raises:
        TypeError, ValueError: anything else.
    """
    if isinstance(value, kinds):
        return value
    if not isinstance(value, str):
        raise TypeError(f"{kind_of(value)} is not the text of one")
    return make(value.strip())


def to_address(value: Any) -> Any:
    """An IPv4 or IPv6 address; see ``from_text``."""
    import ipaddress

    return from_text(ipaddress.ip_address, (ipaddress.IPv4Address, ipaddress.IPv6Address), value)


def to_network(value: Any) -> Any:
    """An IPv4 or IPv6 network, without host bits; see ``from_text``."""
    import ipaddress

    return from_text(ipaddress.ip_network, (ipaddress.IPv4Network, ipaddress.IPv6Network), value)


def to_port(value: Any) -> int:
    """A port number.

    Raises:
        TypeError, ValueError: it is no integer from 0 to 65535.
    """
    number = to_int(value)
    if not 0 <= number <= 65535:
        raise ValueError(f"{number} is not between 0 and 65535")
    return number


_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(?:([kmgt])(i?))?b?", re.IGNORECASE | re.ASCII)


def to_size(value: Any) -> int:
    """Bytes: of integers and of text as ``64KiB`` (1024), ``1.5GB`` (1000), or ``4k`` (1024 as well).

    Raises:
        TypeError, ValueError: anything else, or less than nothing.
    """
    found = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        if isinstance(value, str) or (number := to_int(value)) < 0:
            raise ValueError(f"{value!r} is not a size, such as 4096, 64KiB or 1.5GB")
        return number
    amount, unit, binary = found.groups()
    step = 1024 if binary or found.group()[-1:].lower() != "b" else 1000
    size: int = step ** ("kmgt".index(unit.lower()) + 1) if unit else 1
    return int(float(amount) * size) if "." in amount else int(amount) * size


_TEXT: Final = {"type": "string"}
_NUMBER: Final = {"type": ["number", "string"]}
_MAKERS: Final[dict[str, tuple[bool, dict[str, Any]]]] = {
    "decimal.Decimal": (True, _NUMBER),
    "fractions.Fraction": (True, _NUMBER),
    "uuid.UUID": (False, _TEXT | {"format": "uuid"}),
    "ipaddress.IPv4Address": (False, _TEXT | {"format": "ipv4"}),
    "ipaddress.IPv6Address": (False, _TEXT | {"format": "ipv6"}),
    "ipaddress.IPv4Network": (False, _TEXT),
    "ipaddress.IPv6Network": (False, _TEXT),
    "ipaddress.IPv4Interface": (False, _TEXT),
    "ipaddress.IPv6Interface": (False, _TEXT),
}


def precise(kind: type) -> Converter | None:
    """The converter of a class of the standard library that has one here, or ``None``."""
    found = _MAKERS.get(f"{kind.__module__}.{kind.__qualname__}")
    if found is None:
        return None
    is_number, schema = found
    function = partial(to_number, kind) if is_number else partial(from_text, kind, (kind,))
    return FunctionConverter(kind.__name__, function, schema, kind)
