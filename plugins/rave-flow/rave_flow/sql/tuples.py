"""Tuples of fields that flows are compared with: SiLK's ``--tuple-file``."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rave_flow.model.address_set import AddressSet, address_of
from rave_flow.sql.named_files import path_of, read
from rave_flow.sql.option_values import to_ports, to_protocols
from rave_flow.sql.silk_fields import to_fields

FIELDS = ("sip", "dip", "sport", "dport", "protocol")
"""What tuples can be made of."""


@dataclass(frozen=True, slots=True)
class Tuples:
    """Some tuples; a flow that is like one of them passes.

    Attributes:
        fields: what they are made of, of `FIELDS`.
        rows: their values in that order, each once, sorted.
    """

    fields: tuple[str, ...]
    rows: tuple[tuple[str | int, ...], ...]

    @classmethod
    def of(cls, fields: Any, rows: Any) -> Tuples:
        """The tuples of some fields: ``Tuples.of("sip,dport", [("10.0.0.1", 443)])``.

        Raises:
            ValueError: a field or a value is wrong.
        """
        names = to_fields(fields, what="tuple_file")
        if not set(names) <= set(FIELDS):
            raise ValueError(f"expected tuples of {', '.join(FIELDS)}")
        found = {tuple(_value(name, value) for name, value in zip(names, row, strict=True)) for row in rows}
        return cls(names, tuple(sorted(found, key=lambda row: [str(value) for value in row])))

    @classmethod
    def load(cls, path: Path) -> Tuples:
        """The tuples of a file: a line of names, then one line each; separated by commas or, as in SiLK, by bars.

        Raises:
            OSError: the file can't be read.
            ValueError: a line is wrong; the message names it.
        """
        text = path.read_text(encoding="utf-8-sig")
        lines = [line for line in text.splitlines() if line.partition("#")[0].strip()]
        divider = "|" if lines and "|" in lines[0] else ","
        rows = [[cell.strip() for cell in row if cell.strip()] for row in csv.reader(lines, delimiter=divider)]
        if not rows:
            raise ValueError(f"{path} is empty: expected a line of names, such as sip,dport")
        try:
            return cls.of(rows[0], rows[1:])
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None


def _value(name: str, value: Any) -> str | int:
    if name in ("sip", "dip"):
        ((first, last),) = AddressSet.of(value).ranges
        if first != last:
            raise ValueError(f"{value!r}: expected one address")
        return address_of(first)
    if name == "protocol":
        (word,) = to_protocols(value)
        return word
    ((first, last),) = to_ports(value)
    if first != last:
        raise ValueError(f"{value!r}: expected one port")
    return first


def to_tuples(value: Any) -> Tuples:
    """Tuples: some as they are, or those of a file, named in ``[plugins.flow.tuples]`` if it is text.

    Raises:
        TypeError, ValueError: anything else.
    """
    return value if isinstance(value, Tuples) else read(path_of(value, "tuples"), Tuples.load)
