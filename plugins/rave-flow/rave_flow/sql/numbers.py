"""Numbers that a caller gives to a tool, checked in Python too: nothing else may reach SQL."""

from __future__ import annotations

import math
from typing import Any

from rave_flow.errors import ParameterError

MOST = 2**63 - 1


def whole(name: str, value: Any, *, least: int = 0, most: int = MOST) -> int:
    """A whole number from ``least`` to ``most``, of a number or its text.

    Raises:
        ParameterError: anything else; the message names the argument.
    """
    text = value.strip() if isinstance(value, str) else value
    number = None
    if isinstance(text, str):
        number = int(text) if text.removeprefix("-").isascii() and text.removeprefix("-").isdigit() else None
    elif isinstance(text, (int, float)) and not isinstance(text, bool) and math.isfinite(text) and text == int(text):
        number = int(text)
    if number is None or not least <= number <= most:
        bounds = f"of {least} or more" if most == MOST else f"from {least} to {most}"
        raise ParameterError(f"{name}={value!r}: expected a whole number {bounds}", parameter=name)
    return number


def fraction(name: str, value: Any, *, least: float, most: float) -> float:
    """A number from ``least`` to ``most``, of a number or its text.

    Raises:
        ParameterError: anything else, and what is no number at all (NaN); the message names the argument.
    """
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not least <= number <= most:
        raise ParameterError(f"{name}={value!r}: expected a number from {least:g} to {most:g}", parameter=name)
    return number


def optional(name: str, value: Any, *, least: int = 0, most: int = MOST) -> int | None:
    """The same as `whole`; ``None`` stays ``None``."""
    return None if value is None else whole(name, value, least=least, most=most)
