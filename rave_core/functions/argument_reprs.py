"""Short forms of arguments for people: what `rave cache ls` and `explain` show of a call. Never part of a key."""

from __future__ import annotations

import dataclasses
import reprlib
from collections.abc import Mapping
from typing import Any


class _Short(reprlib.Repr):
    """Built-in values as they are written, cut short; dataclasses by their fields, and all else by its type.

    No code of the value's own is run.
    """

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
        if kind.__module__ in ("builtins", "decimal", "uuid", "ipaddress", "pathlib", "fractions"):
            return super().repr_instance(x, level)
        if kind.__module__ == "datetime":
            return str(x)
        if dataclasses.is_dataclass(kind):
            return self._dataclass(x, level)
        shape = getattr(x, "shape", None)
        return f"<{kind.__module__}.{kind.__qualname__}{f' {shape}' if isinstance(shape, tuple) else ''}>"

    def _dataclass(self, x: Any, level: int) -> str:
        if level <= 1:
            return f"{type(x).__qualname__}(...)"
        fields = [field for field in dataclasses.fields(x) if field.repr]
        parts = [f"{field.name}={self.repr1(getattr(x, field.name), level - 1)}" for field in fields[:_FIELDS]]
        more = ", ..." if len(fields) > _FIELDS else ""
        return f"{type(x).__qualname__}({', '.join(parts)}{more})"


def summarize(named: Mapping[str, Any]) -> dict[str, str]:
    """Each argument in at most about 120 characters, by parameter, in the order of the signature."""
    return {name: repr(value) if _is_brief(value) else _shown(value) for name, value in named.items()}


def _is_brief(value: Any) -> bool:
    """Whether a value is of a plain type, and its ``repr`` so short that nothing is cut: nearly every argument."""
    kind = type(value)
    if kind is str:
        return len(value) < 60 and value.isprintable()
    return kind in _BRIEF or (kind is int and -_LARGE < value < _LARGE)


def _shown(value: Any) -> str:
    try:
        return _short.repr(value)
    except Exception:  # noqa: BLE001  # a number with too many digits, or code of the value's own
        return f"<{type(value).__module__}.{type(value).__qualname__}>"


_FIELDS = 4
_BRIEF = frozenset((bool, float, type(None)))
_LARGE = 10**38
_short = _Short()
