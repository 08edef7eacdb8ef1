"""The converter of a parameter whose default is ``None``."""

from __future__ import annotations

from typing import Any

from rave_core.converters.converter import Converter, Lookup, Schema, Written
from rave_core.converters.scalars import none_of_text


class OrNone(Converter):
    """Leaves ``None`` as it is, and converts the rest; of text, what the other refuses may still mean ``None``."""

    __slots__ = ("exact", "inner", "name")
    takes_none = True

    def __init__(self, inner: Converter) -> None:
        self.inner = inner
        self.name = f"{inner.name} or None"
        self.exact = inner.exact

    @property
    def volatile(self) -> bool:  # type: ignore[override]  # asked late: a name in it may not be known before
        """Whether the other depends on more than the value."""
        return self.inner.volatile

    @property
    def refers(self) -> bool:  # type: ignore[override]  # asked late: a name in it may not be known before
        """Whether values of the other name what is kept elsewhere."""
        return self.inner.refers

    def convert(self, value: Any) -> Any:
        """``None`` of ``None``, else what the other converter gives; see ``Converter``."""
        return None if value is None else self.inner.convert(value)

    def parse_text(self, text: str) -> Any:
        """What the other converter gives, else ``None`` of an empty text or ``null``; see ``Converter``."""
        try:
            return self.inner.parse_text(text)
        except (TypeError, ValueError):
            if text.strip().lower() not in ("", "null", "none"):
                raise
            return none_of_text(text)

    def schema(self) -> Schema:
        """What the other accepts, or null."""
        schema = self.inner.schema()
        return {"anyOf": [schema, {"type": "null"}]} if schema else {}

    def written(self, value: Any) -> Written:
        """What the other writes; see ``Converter``."""
        return None if value is None else self.inner.written(value)

    def bound(self, named: Lookup) -> Converter:
        """The same over the other converter, bound."""
        return OrNone(self.inner.bound(named))
