"""From a file of any form to Parquet with the columns of a flow, and what is known of it without reading it again."""

from __future__ import annotations

import csv
import io
import ipaddress
import logging
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rave_flow.addresses import V4, number_of
from rave_flow.columns import COLUMNS, literal, quoted, resolve, selection
from rave_flow.errors import ChangedError, ColumnsError, UnreadableError
from rave_flow.nfdump import COLUMNS as FLOW_COLUMNS
from rave_flow.nfdump import SAID, SELECT, is_capture, is_netflow, to_json
from rave_flow.repository import SourceFile
from rave_flow.streams import is_compressed, opened
from rave_flow.zeek import stage

if TYPE_CHECKING:
    import duckdb

log = logging.getLogger(__name__)
CSV = (".csv", ".csv.gz", ".csv.zst")


@dataclass(frozen=True, slots=True)
class Hour:
    """What one file holds of one hour.

    Attributes:
        start: of the hour, in Unix seconds.
        digest: a sum over the rows; the order in which they stand does not count.
    """

    start: int
    rows: int
    digest: int


@dataclass(frozen=True, slots=True)
class Summary:
    """What one file holds.

    Attributes:
        hours: by start, those without flows left out.
        skipped: lines that could not be read, and are missing from every number.
        first_bad: where the first of them is and what is wrong with it, ``""`` where none is.
    """

    hours: tuple[Hour, ...]
    skipped: int
    first_bad: str


@contextmanager
def connected() -> Iterator[duckdb.DuckDBPyConnection]:
    """A DuckDB of its own, in memory, whose zone is UTC: threads do not share one."""
    import duckdb

    connection = duckdb.connect(":memory:")
    try:
        connection.execute("SET TimeZone = 'UTC'")
        yield connection
    finally:
        connection.close()


def to_parquet(file: SourceFile, target: Path) -> None:
    """Writes the flows of ``file`` to ``target`` as Parquet, by time, with the count of skipped lines.

    Raises:
        UnreadableError: damaged, of another kind than its name says, or without one line that can be read.
        ColumnsError: a column is missing.
        ChangedError: the file changed meanwhile.
    """
    import duckdb

    try:
        with tempfile.TemporaryDirectory(prefix="rave-flow-") as folder, connected() as connection:
            if file.path.endswith(".parquet"):
                lines, bad = _from_parquet(connection, file)
            elif file.path.endswith(CSV):
                lines, bad = _from_csv(connection, file)
            elif is_netflow(file) or is_capture(file):
                lines, bad = _from_nfdump(connection, file, Path(folder))
            else:
                lines, bad = _from_zeek(connection, file, Path(folder) / "log.tsv")
            _write(connection, file, target, lines, bad)
    except FileNotFoundError as error:
        raise ChangedError(f"{file.path} is gone since the directory was scanned; ask again") from error
    except PermissionError as error:
        raise UnreadableError(f"{file.path}: may not be read ({error.strerror})") from error
    except duckdb.Error as error:
        raise UnreadableError(f"{file.path}: {str(error).strip()}") from error


def _from_zeek(connection: duckdb.DuckDBPyConnection, file: SourceFile, copy: Path) -> tuple[int, str]:
    found = stage(file, copy)
    if not is_compressed(file):
        _check_grown(file)
    else:
        _check_unchanged(file)
    if found.is_json:
        options = "format='newline_delimited', ignore_errors=true, maximum_object_size=4194304"
        source = f"read_json({literal(str(copy))}, {options}, columns={_text_columns(found.fields)})"
    else:
        source = (
            f"read_csv({literal(str(copy))}, auto_detect=false, header=false, delim='\t', nullstr='-', "
            f"quote='', escape='', ignore_errors=true, columns={_text_columns(found.fields)})"
        )
    _view(connection, file, source, found.fields, {})
    return found.lines, found.first_bad or ""


def _from_nfdump(connection: duckdb.DuckDBPyConnection, file: SourceFile, folder: Path) -> tuple[int | None, str]:
    path, lost = to_json(file, folder)
    _check_unchanged(file)
    lines = f"read_json({literal(str(path))}, format='array', columns={_text_columns(SAID)})" if path else None
    source = f"({SELECT.format(source=lines or _NO_LINES)})"
    _view(connection, file, source, FLOW_COLUMNS, {"duration": "DOUBLE"})
    flows = _number(connection, "SELECT count(*) FROM parsed")
    return flows + bool(lost), lost


_NO_LINES = "(SELECT " + ", ".join(f"CAST(NULL AS VARCHAR) AS {quoted(name)}" for name in SAID) + " WHERE false)"


def _from_csv(connection: duckdb.DuckDBPyConnection, file: SourceFile) -> tuple[int | None, str]:
    header = _csv_header(file)
    source = (
        f"read_csv({literal(file.path)}, auto_detect=false, header=false, skip=1, delim=',', nullstr='', "
        f"quote='\"', escape='\"', columns={_text_columns(header)})"
    )
    _check_unchanged(file)
    _view(connection, file, source, header, {})
    return None, ""


def _from_parquet(connection: duckdb.DuckDBPyConnection, file: SourceFile) -> tuple[int | None, str]:
    source = f"read_parquet({literal(file.path)}, hive_partitioning=false)"
    types = {name: kind for name, kind, *_ in connection.execute(f"DESCRIBE FROM {source}").fetchall()}
    _view(connection, file, source, list(types), types)
    return None, ""


def _view(
    connection: duckdb.DuckDBPyConnection, file: SourceFile, source: str, names: Sequence[str], types: dict[str, str]
) -> None:
    columns = selection(resolve(names, file.path), types)
    connection.execute(f"CREATE VIEW parsed AS SELECT {columns} FROM {source}")  # noqa: S608 -- quoted in columns.py


def _text_columns(names: Sequence[str]) -> str:
    return "{" + ", ".join(f"{literal(name)}: 'VARCHAR'" for name in names) + "}"


def _csv_header(file: SourceFile) -> list[str]:
    """The names in the first line. All is read: DuckDB lets damaged gzip pass, and can't see a cut last line."""
    first, last = b"", b""
    with opened(file) as source:
        while chunk := source.read(4 << 20):
            if b"\n" not in first:
                first += chunk
            last = chunk
    first = first.partition(b"\n")[0]
    if not last.endswith(b"\n"):
        raise UnreadableError(f"{file.path}: the last line has no end, so it may be cut; complete it or add a newline")
    header = next(csv.reader(io.StringIO(first.decode("utf-8-sig", "replace"))), [])
    if len(set(header)) != len(header):
        raise ColumnsError(f"{file.path}: two columns have one name among {', '.join(header)}")
    return header


def _write(
    connection: duckdb.DuckDBPyConnection, file: SourceFile, target: Path, lines: int | None, first_bad: str
) -> None:
    query = f"SELECT {', '.join(COLUMNS)} FROM parsed WHERE good"  # noqa: S608 -- our names
    connection.execute(f"CREATE TEMP TABLE flows AS {query}")
    rows = _number(connection, "SELECT count(*) FROM flows")
    total = _number(connection, "SELECT count(*) FROM parsed") if lines is None else lines
    if file.path.endswith((*CSV, ".parquet")):
        _check_unchanged(file)
    skipped = total - rows
    if skipped and not rows:
        raise UnreadableError(f"{file.path}: none of {total} lines could be read; {first_bad or 'odd values'}")
    if skipped:
        first_bad = first_bad or "a value is out of its range or no number"
        log.warning("%s: %d of %d lines skipped; first: %s", file.path, skipped, total, first_bad)
    facts = f"{{skipped: '{skipped}', first_bad: {literal(first_bad)}}}"
    _number_addresses(connection)
    joined = "flows JOIN numbers AS s ON src = s.address JOIN numbers AS d ON dst = d.address"
    halves = "s.high AS src_high, s.low AS src_low, d.high AS dst_high, d.low AS dst_low"
    options = f"FORMAT parquet, COMPRESSION zstd, KV_METADATA {facts}"
    connection.execute(
        f"COPY (SELECT flows.*, {halves} FROM {joined} ORDER BY ts) TO {literal(str(target))} ({options})"  # noqa: S608 -- ours
    )


_OCTET = "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IPV4 = f"({_OCTET}[.]){{3}}{_OCTET}"
_PARTS = " + ".join(f"(split_part(address, '.', {place + 1})::UBIGINT << {24 - 8 * place})" for place in range(4))


def _number_addresses(connection: duckdb.DuckDBPyConnection) -> None:
    """Makes the table ``numbers``: of each address the two halves of its number, NULL for what is no address."""
    import pyarrow

    both = "SELECT src AS address FROM flows UNION SELECT dst FROM flows"
    test = f"regexp_full_match(address, '{_IPV4}') AS is_v4"
    connection.execute(f"CREATE TEMP TABLE addresses AS SELECT address, {test} FROM ({both})")  # noqa: S608 -- ours
    others = [text for (text,) in connection.execute("SELECT address FROM addresses WHERE NOT is_v4").fetchall()]
    numbers = [_number_of(text) for text in others]
    halves = [(None, None) if number is None else divmod(number, 2**64) for number in numbers]
    table = pyarrow.table(
        {
            "address": pyarrow.array(others, pyarrow.string()),
            "high": pyarrow.array([high for high, _ in halves], pyarrow.uint64()),
            "low": pyarrow.array([low for _, low in halves], pyarrow.uint64()),
        }
    )
    connection.register("others", table)
    connection.execute(
        f"CREATE TEMP TABLE numbers AS SELECT address, 0::UBIGINT AS high, {V4} + {_PARTS} AS low FROM addresses "  # noqa: S608 -- ours
        "WHERE is_v4 UNION ALL SELECT address, high, low FROM others"
    )


def _number_of(text: str) -> int | None:
    try:
        return number_of(ipaddress.ip_address(text))
    except ValueError:
        return None


def _number(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    ((number,),) = connection.execute(query).fetchall()
    return int(number)


def _check_unchanged(file: SourceFile) -> None:
    if SourceFile.at(Path(file.path)) != file:
        raise ChangedError(f"{file.path} changed while it was read; ask again")


def _check_grown(file: SourceFile) -> None:
    """A log that is being written may grow: only what was there when it was scanned is read."""
    now = SourceFile.at(Path(file.path))
    if now.size < file.size or (now.size == file.size and now.mtime_ns != file.mtime_ns):
        raise ChangedError(f"{file.path} was rewritten while it was read; ask again")


def summarize(parquet: Path) -> Summary:
    """What a file written by `to_parquet` holds, hour by hour."""
    source = f"read_parquet({literal(str(parquet))})"
    with connected() as connection:
        rows = connection.execute(
            f"SELECT epoch(date_trunc('hour', ts))::BIGINT, count(*), sum(hash({', '.join(COLUMNS)})::HUGEINT) "  # noqa: S608 -- quoted
            f"FROM {source} GROUP BY 1 ORDER BY 1"
        ).fetchall()
        pairs = f"parquet_kv_metadata({literal(str(parquet))})"
        facts = dict(connection.execute(f"SELECT decode(key), decode(value) FROM {pairs}").fetchall())  # noqa: S608 -- quoted
    hours = tuple(Hour(int(start), int(count), int(total) % 2**64) for start, count, total in rows)
    return Summary(hours, int(facts["skipped"]), facts["first_bad"])
