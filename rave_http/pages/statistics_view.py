"""``logging.statistics`` as a page: a heading and a table for each namespace, and a table for each collection."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from rave_core.text.humanize import size
from rave_http.protocol.times import iso


@dataclass(frozen=True, slots=True)
class FigureTable:
    """A collection: records by name, or in order.

    Attributes:
        name: of the collection.
        columns: the names of its figures.
        rows: for each record its name and its figures, as texts.
    """

    name: str
    columns: list[str]
    rows: list[tuple[str, list[str]]]


@dataclass(frozen=True, slots=True)
class FigureSpace:
    """A namespace.

    Attributes:
        title: for people.
        name: of the namespace.
        is_enabled: whether it collects; ``None`` if it can't be paused.
        facts: names, identifiers in the page, and texts.
        tables: its collections.
    """

    title: str
    name: str
    is_enabled: bool | None
    facts: list[tuple[str, str, str]] = field(default_factory=list)
    tables: list[FigureTable] = field(default_factory=list)


def figure_spaces(document: Mapping[str, Any]) -> list[FigureSpace]:
    """The namespaces in the statistics of a service: RAVE's over all workers, then those of others in each worker."""
    spaces = [_space("RAVE", "RAVE", document["RAVE"])]
    for worker, found in document["workers"].items():
        spaces += [_space(f"{name} in {worker}", name, each) for name, each in found.items() if name != "RAVE"]
    return spaces


def _space(title: str, name: str, figures: Any) -> FigureSpace:
    if not isinstance(figures, Mapping):
        return FigureSpace(title, name, None, [("", _identifier(title, ""), _text("", figures))])
    enabled = figures.get("Enabled")
    facts = [(key, _identifier(title, key), _text(key, value)) for key, value in figures.items() if not _is_many(value)]
    tables = [_table(key, value) for key, value in figures.items() if _is_many(value)]
    return FigureSpace(title, name, enabled if isinstance(enabled, bool) else None, facts, tables)


def _table(name: str, records: Any) -> FigureTable:
    named = list(_records(records))
    columns = list(dict.fromkeys(key for _, record in named for key in record))
    rows = [(label, [_text(key, record.get(key, "")) for key in columns]) for label, record in named]
    return FigureTable(name, columns, rows)


def _records(records: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    found = records.items() if isinstance(records, Mapping) else enumerate(records, start=1)
    for label, record in found:
        yield str(label), record if isinstance(record, Mapping) else {"": record}


def _is_many(value: Any) -> bool:
    return isinstance(value, Mapping | list)


def _identifier(title: str, key: str) -> str:
    return f"{title}-{key}".replace(" ", "-")


def _text(name: str, value: Any) -> str:
    """A figure for people, going by its name."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if name.endswith("Time") and value > 10**8:
        return iso(float(value))
    if name.endswith("Bytes"):
        return size(int(value))
    return f"{value:,}" if isinstance(value, int) else f"{value:,.6g}"
