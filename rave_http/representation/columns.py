"""What a table says about its columns, as metadata of the fields of its Arrow schema."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

ROLE: Final = b"rave.role"
UNIT: Final = b"rave.unit"
_LONGEST: Final = 40


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Attributes:
        name: of the column.
        role: what its values are, such as ``address`` or ``bytes``; empty if nobody says.
        unit: of its numbers; empty if nobody says.
        lead: the URL, up to a value at its end, that a cell leads to; empty for none.
    """

    name: str
    role: str = ""
    unit: str = ""
    lead: str = ""


def columns_of(schema: Any, leads: Mapping[str, str] | None = None) -> Sequence[Column]:
    """The columns of an Arrow schema.

    Args:
        schema: of the table.
        leads: URLs, up to a value at their end, by the role of the columns that lead there.
    """
    found = []
    for field in schema:
        role, unit = (_text(field.metadata, key) for key in (ROLE, UNIT))
        found.append(Column(field.name, role, unit, (leads or {}).get(role, "")))
    return found


def _text(metadata: Mapping[bytes, bytes] | None, key: bytes) -> str:
    text = (metadata or {}).get(key, b"").decode("utf-8", "replace")
    return text if len(text) <= _LONGEST and text.isprintable() else ""


def plain_column(column: Any) -> Any:
    """A column of Arrow with its own values in place of numbers in a dictionary."""
    import pyarrow

    return column.cast(column.type.value_type) if pyarrow.types.is_dictionary(column.type) else column
