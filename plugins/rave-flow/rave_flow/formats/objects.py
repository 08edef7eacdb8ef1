"""Lines of JSON as a table of text: what each object has where its head looks for it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rave_flow.formats.heads import CONNECTIONS, Head, LogKind
from rave_flow.formats.tsv import arrow_type, is_exact
from rave_flow.model.columns import TYPES, literal
from rave_flow.model.duckdb_connection import in_order

if TYPE_CHECKING:
    import duckdb
    import pyarrow


@dataclass(frozen=True, slots=True)
class Objects:
    """Lines of JSON.

    Attributes:
        table: a row for each line that may be a flow, with the columns of the head.
        places: which lines these are, from 0.
        broken: the lines that are no whole objects, from 0.
    """

    table: pyarrow.Table
    places: list[int] | range
    broken: list[int]


def objects(
    connection: duckdb.DuckDBPyConnection, content: bytes, head: Head, log_kind: LogKind = CONNECTIONS
) -> Objects:
    """The objects in ``content``, whose lines all have an end. Other kinds of records are skipped."""
    import pyarrow
    from pyarrow import compute

    lines = _LONE.sub(_replaced, content.decode("utf-8", "replace")).removesuffix("\n").split("\n")
    numbered = {"line": pyarrow.array(lines, pyarrow.string()), "row": pyarrow.array(range(len(lines)))}
    connection.register("lines", pyarrow.table(numbered))
    kind = "/event_type" if head.is_eve else "/_path"
    pointers = ", ".join(map(literal, (*head.pointers, kind)))
    whole = "json_valid(line) AND json_type(line) = 'OBJECT'"
    query = f"SELECT CASE WHEN {whole} THEN json_extract_string(line, [{pointers}]) END AS found, row FROM lines"  # noqa: S608  # ours
    found = in_order(connection.sql(query).to_arrow_table(), "row")["found"].combine_chunks()
    connection.unregister("lines")
    columns = [compute.list_element(found, place) for place in range(len(head.pointers))] if len(found) else []
    kinds = compute.list_element(found, len(head.pointers))
    is_whole = compute.is_valid(found)
    is_ours = compute.and_(is_whole, _ours(kinds, head, log_kind))
    table = pyarrow.table(columns, names=list(head.fields))
    broken = compute.indices_nonzero(compute.invert(is_whole)).to_pylist()
    if compute.all(is_ours).as_py():
        return Objects(table, range(len(lines)), broken)
    return Objects(table.filter(is_ours), compute.indices_nonzero(is_ours).to_pylist(), broken)


_LONE = re.compile(r"\\\\|\\u[dD][89abAB]..\\u[dD][c-fC-F]..|(\\u[dD][89a-fA-F]..)")
"""The half of a character that is written as two (group 1), which is none in Unicode; and what only looks like one."""


def _replaced(found: re.Match[str]) -> str:
    return "\\ufffd" if found[1] else found[0]


def typed_objects(content: bytes, head: Head, chosen: Mapping[str, str]) -> pyarrow.Table | None:
    """All columns of whole objects, the ``chosen`` ones typed; ``None`` if a line or a value is not as expected.

    For the many good logs: several times as fast as `objects`, which takes any.
    """
    import pyarrow
    from pyarrow import json

    if head.is_eve or any(pointer.count("/") > 1 for pointer in head.pointers) or not _is_text(content):
        return None
    kinds = {theirs: arrow_type(TYPES.get(ours, "VARCHAR")) for ours, theirs in chosen.items()}
    others = _kinds(content, [name for name in head.fields if name not in kinds])
    if others is None:
        return None
    schema = pyarrow.schema([*kinds.items(), *others.items(), ("_path", pyarrow.string())])
    try:
        table = json.read_json(
            pyarrow.BufferReader(content),
            json.ReadOptions(block_size=1 << 22),
            json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore"),
        )
    except pyarrow.ArrowInvalid:
        return None
    is_ours = table.num_rows == content.count(b"\n") and table["_path"].null_count == table.num_rows
    return table.drop_columns("_path") if is_ours and is_exact(table[chosen["ts"]]) else None


_LOOKED_AT = 20
"""How many lines show what kind of values other columns have."""


def _kinds(content: bytes, names: Sequence[str]) -> dict[str, pyarrow.DataType] | None:
    """The types of other columns by their first values; ``None`` if only a reading one by one keeps their text."""
    import json

    import pyarrow

    kinds = {bool: pyarrow.bool_(), int: pyarrow.int64(), str: pyarrow.string()}
    found: dict[str, pyarrow.DataType] = dict.fromkeys(names, pyarrow.string())
    if "tunnel_parents" in found:
        found["tunnel_parents"] = pyarrow.list_(pyarrow.string())
    try:
        objects = [json.loads(line) for line in content.split(b"\n", _LOOKED_AT)[:_LOOKED_AT] if line]
    except (ValueError, RecursionError):
        return None
    values = ((name, one[name]) for one in reversed(objects) if isinstance(one, dict) for name in names if name in one)
    for name, value in values:
        is_list = isinstance(value, list) and all(isinstance(each, str) for each in value)
        if value is None:
            continue
        if not is_list and type(value) not in kinds:
            return None
        found[name] = pyarrow.list_(pyarrow.string()) if is_list else kinds[type(value)]
    return found


def _is_text(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True


def _ours(kinds: pyarrow.Array, head: Head, log_kind: LogKind) -> pyarrow.Array:
    """Which records are flows, by the kind that they say they are."""
    import pyarrow
    from pyarrow import compute

    if head.is_eve:
        return compute.fill_null(compute.equal(kinds, "flow"), False)
    names = [name for name in compute.unique(kinds).to_pylist() if name is not None and log_kind.accepts(name)]
    return compute.or_(compute.is_null(kinds), compute.is_in(kinds, pyarrow.array(names, pyarrow.string())))
