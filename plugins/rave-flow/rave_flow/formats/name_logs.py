"""Zeek's logs of names, ``dns.log`` and ``ssl.log``, as Parquet: who asked for which name, and when."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rave_flow.errors import ChangedError, ColumnsError, UnreadableError
from rave_flow.formats.chunks import blocks
from rave_flow.formats.compression import opened
from rave_flow.formats.heads import LogKind
from rave_flow.formats.objects import objects
from rave_flow.formats.sections import Section, sections
from rave_flow.formats.source_directory import SourceFile
from rave_flow.formats.tsv import texts
from rave_flow.formats.zeek import Log
from rave_flow.model.address_numbers import addresses_of
from rave_flow.model.columns import quoted
from rave_flow.model.duckdb_connection import connected
from rave_flow.model.left_out import LeftOut
from rave_flow.model.readings import instant

if TYPE_CHECKING:
    import duckdb
    import pyarrow

NAMES = {"dns": "query", "ssl": "server_name"}
"""The column of each kind of log that holds the name."""

_NEEDED = ("ts", "id.orig_h", "id.resp_h")
_NOTE = b"rave.flow"
_COLUMNS = ("ts", "uid", "src", "dst", "name")


def name_log_to_parquet(file: SourceFile, kind: str, target: Path) -> None:
    """Writes who asked for which name: columns ts, uid (may be null), src, dst, name (in lower case).

    Lines without a name are skipped: a query or handshake may have none. What can't be read is noted.

    Raises:
        UnreadableError: the log is damaged, or of another kind.
        ColumnsError: a column is missing.
        ChangedError: the file changed while it was read.
    """
    import pyarrow
    from pyarrow import parquet

    log, log_kind = Log(), LogKind(kind, rf"{kind}(?:[_-].*)?", partial(_check, kind))
    faults: Counter[str] = Counter()
    kinds = {"ts": pyarrow.timestamp("us")}
    schema = pyarrow.schema([(name, kinds.get(name, pyarrow.string())) for name in _COLUMNS])
    try:
        with (
            connected() as connection,
            opened(file) as source,
            parquet.ParquetWriter(target, schema, compression="zstd") as writer,
        ):
            for section in sections(file.path, blocks(source), log_kind):
                for table in _tables(connection, log, section, log_kind):
                    writer.write_table(_named(connection, table, kind, file.path, faults).cast(schema))
            facts = LeftOut.of(faults + log.faults, {}, _first(file, log)).facts()
            writer.add_key_value_metadata({_NOTE: json.dumps(facts)})
    except FileNotFoundError as error:
        raise ChangedError(f"{file.path} is gone since the directory was scanned; ask again") from error
    except PermissionError as error:
        raise UnreadableError(f"{file.path}: can't be read ({error.strerror})") from error


def left_out_of(parquet_file: Path) -> LeftOut:
    """What `name_log_to_parquet` could not read."""
    from pyarrow.parquet import read_metadata

    return LeftOut.from_facts(json.loads(read_metadata(parquet_file).metadata[_NOTE]))


def _first(file: SourceFile, log: Log) -> str:
    return f"{file.name}: line {log.first[0]} {log.first[1]}" if log.first else ""


def _tables(
    connection: duckdb.DuckDBPyConnection, log: Log, section: Section, kind: LogKind
) -> Iterator[pyarrow.Table]:
    head = section.head
    lines, numbers = log.take(section)
    if not lines:
        return
    if not head.is_json:
        lines, _ = log.sift(lines, numbers, head)
        if lines:
            yield texts(lines, head)
        return
    found = objects(connection, lines, head, kind)
    for place in found.broken:
        log.leave_out("line", numbers[place], "is not a whole JSON object")
    yield found.table


def _check(kind: str, found: Sequence[str], path: str) -> None:
    """Raises `ColumnsError` if a column is missing; objects may lack the name itself."""
    missing = [name for name in _NEEDED if name not in found]
    if missing or (NAMES[kind] not in found and not path.endswith("json")):
        raise ColumnsError(f"{path}: no column {(missing or [NAMES[kind]])[0]!r} among {', '.join(found)}")


def _named(
    connection: duckdb.DuckDBPyConnection, table: pyarrow.Table, kind: str, path: str, faults: Counter[str]
) -> pyarrow.Table:
    """The rows with a name, a time and addresses; others that have a name are faults."""
    from pyarrow import compute

    column = NAMES[kind]
    _check(kind, table.column_names, path)
    name = f"lower(rtrim(trim({quoted(column)}), '.'))" if column in table.column_names else "NULL"
    uid = quoted("uid") if "uid" in table.column_names else "NULL"
    connection.register("block", table)
    query = (
        f"SELECT {instant(quoted('ts'), 'VARCHAR')} AS ts, CAST({uid} AS VARCHAR) AS uid, "  # noqa: S608  # quoted
        f"{quoted('id.orig_h')} AS src, {quoted('id.resp_h')} AS dst, CAST({name} AS VARCHAR) AS name "
        "FROM block WHERE name NOT IN ('', '(empty)')"
    )
    rows = connection.sql(query).to_arrow_table()
    connection.unregister("block")
    for end in ("src", "dst"):
        rows = rows.set_column(rows.column_names.index(end), end, addresses_of(rows.column(end)).text)
    no_address = compute.or_(compute.is_null(rows["src"]), compute.is_null(rows["dst"]))
    no_time = compute.is_null(rows["ts"])
    faults["time"] += compute.sum(no_time).as_py() or 0
    faults["address"] += compute.sum(compute.and_not(no_address, no_time)).as_py() or 0
    return rows.filter(compute.invert(compute.or_(no_time, no_address)))
