"""Short forms of arguments for people: what `rave cache ls` and `explain` show of a call. Never part of a key."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from typing import Any


class _Short(reprlib.Repr):
    """Built-in values as they are written, cut short; everything else by its type, without running its code."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel = 3
        self.maxstring = self.maxother = 120
        self.maxlist = self.maxtuple = self.maxdict = self.maxset = self.maxfrozenset = 8

    def repr_instance(self, x: Any, level: int) -> str:
        """A value's type, and its shape where it is an array or a table."""
        kind = type(x)
        if isinstance(x, str):  # a path that stands for its content, for one
            return self.repr_str(str(x), level)
        if kind.__module__ in ("builtins", "datetime", "decimal", "uuid", "ipaddress", "pathlib", "fractions"):
            return super().repr_instance(x, level)
        shape = getattr(x, "shape", None)
        return f"<{kind.__module__}.{kind.__qualname__}{f' {shape}' if isinstance(shape, tuple) else ''}>"


def summarize(named: Mapping[str, Any]) -> dict[str, str]:
    """Each argument in at most about 120 characters, by parameter, in the order of the signature."""
    return {name: repr(value) if type(value) in _BRIEF else _shown(value) for name, value in named.items()}


def _shown(value: Any) -> str:
    try:
        return _short.repr(value)
    except Exception:  # noqa: BLE001  # a number with too many digits, or code of the value's own
        return f"<{type(value).__module__}.{type(value).__qualname__}>"


_BRIEF = frozenset((bool, float, type(None)))
_short = _Short()
