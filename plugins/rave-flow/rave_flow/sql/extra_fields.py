"""A source's own columns as fields of flows: ``local_orig``, ``missed_bytes`` and whatever else its files have."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable

from rave_flow.errors import UnknownColumnError
from rave_flow.model.columns import EXTRA, extra_name

KINDS = {
    "local_orig": "BOOLEAN", "local_resp": "BOOLEAN", "missed_bytes": "BIGINT", "orig_bytes": "BIGINT",
    "resp_bytes": "BIGINT",
}  # fmt: skip
"""The DuckDB types of columns that only Zeek writes; all others are text, as their source has them."""

_WORD = re.compile(r"[a-z_][a-z0-9_. -]*")


class ExtraField(str):
    """The name of a field that files have beside the columns of a flow."""

    __slots__ = ()

    def __rave_key__(self) -> object:
        """What represents the field in a key."""
        return "extra", str(self)

    @property
    def column(self) -> str:
        """The column that holds it. ``x_NAME`` is the source's NAME even if a field of ours has that name."""
        return str(self) if self.startswith(EXTRA) else f"{EXTRA}{self}"

    @property
    def sql(self) -> str:
        """The SQL of its values."""
        kind = KINDS.get(self.column.removeprefix(EXTRA))
        return self.column if kind is None else f"TRY_CAST({self.column} AS {kind})"


def to_extra_field(word: str) -> ExtraField | None:
    """The field that a word means; ``None`` if no column can have that name."""
    return ExtraField(extra_name(word)) if _WORD.fullmatch(word) and extra_name(word) else None


def check_there(fields: Iterable[ExtraField], columns: Collection[str], known: Iterable[str]) -> None:
    """Refuses fields that no file has.

    Args:
        fields: those that are asked for.
        columns: those that the files have.
        known: names of all other fields, for the message.

    Raises:
        UnknownColumnError: one is missing from all files.
    """
    for field in fields:
        if field.column in columns:
            continue
        others = sorted(column.removeprefix(EXTRA) for column in columns)
        near = difflib.get_close_matches(field, [*known, *others], n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        if field.startswith(("src_", "dst_")):
            hint = f"; no prefix map {field[4:]!r} is in [plugins.flow.pmaps]" + hint
        there = f"their own columns are {', '.join(others)}" if others else "they have no columns of their own"
        told = f"is neither a field nor a column of these flow files: {there}{hint}"
        raise UnknownColumnError(str(field), told)
