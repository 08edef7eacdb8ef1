"""Flows as they are kept: with addresses and protocols by value, and without the rows that can't count."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rave_flow.model.address_numbers import addresses_of
from rave_flow.model.protocols import canonical

if TYPE_CHECKING:
    import pyarrow


@dataclass(frozen=True, slots=True)
class Normalized:
    """Some rows of a source.

    Attributes:
        flows: those that count, with the columns of `rave_flow.formats.parquet_files.schema`.
        faults: how many rows are left out, by reason.
        losses: how many rows count without one of their values, by its name.
        first_fault: the first row left out, from 0, and why; ``None`` if there is none.
    """

    flows: pyarrow.Table
    faults: Counter[str]
    losses: Counter[str]
    first_fault: tuple[int, str] | None


def normalized(rows: pyarrow.Table) -> Normalized:
    """The flows in rows that `rave_flow.model.readings.selection` gave."""
    from pyarrow import compute

    is_v6 = None
    for end in ("src", "dst"):
        found = addresses_of(rows.column(end))
        rows = rows.set_column(rows.column_names.index(end), end, found.text)
        rows = rows.append_column(f"{end}_high", found.high).append_column(f"{end}_low", found.low)
        is_v6 = found.is_v6
    rows = _with_protocol(rows, is_v6)
    fault = _faults(rows)
    is_good = compute.is_null(fault)
    losses = _counted(rows.column("loss").filter(is_good))
    flows = rows.drop_columns(["fault", "loss"])
    if fault.null_count == len(fault):
        return Normalized(flows, Counter(), losses, None)
    row = compute.index(is_good, False).as_py()
    return Normalized(flows.filter(is_good), _counted(fault), losses, (row, fault[row].as_py()))


def _faults(rows: pyarrow.Table) -> pyarrow.ChunkedArray:
    """Why each row can't count; null if it can."""
    import pyarrow
    from pyarrow import compute

    fault = rows.column("fault")
    for name, reason in (("src", "address"), ("dst", "address"), ("proto", "protocol")):
        column = rows.column(name)
        if column.null_count:
            is_bad = compute.and_(compute.is_null(column), compute.is_null(fault))
            fault = compute.if_else(is_bad, pyarrow.scalar(reason), fault)
    return fault


def _counted(words: pyarrow.ChunkedArray) -> Counter[str]:
    from pyarrow import compute

    if words.null_count == len(words):
        return Counter()
    pairs = compute.value_counts(words.drop_null()).to_pylist()
    return Counter({pair["values"]: pair["counts"] for pair in pairs})


def _with_protocol(rows: pyarrow.Table, is_v6: pyarrow.Array) -> pyarrow.Table:
    """The rows with the protocol's name and number, and the version of IP; ICMP over IPv6 is another protocol."""
    import pyarrow
    from pyarrow import compute

    encoded = rows.column("proto").combine_chunks().dictionary_encode()
    known = [canonical(word) for word in encoded.dictionary.to_pylist()]
    names = compute.take(pyarrow.array([name or None for name, _ in known], pyarrow.string()), encoded.indices)
    numbers = compute.take(pyarrow.array([number for _, number in known], pyarrow.uint8()), encoded.indices)
    if compute.any(is_v6).as_py():
        is_icmp6 = compute.fill_null(compute.and_(is_v6, compute.equal(numbers, 1)), False)
        names = compute.if_else(is_icmp6, pyarrow.scalar("icmp6"), names)
        numbers = compute.if_else(is_icmp6, pyarrow.scalar(58, pyarrow.uint8()), numbers)
    version = compute.if_else(is_v6, pyarrow.scalar(6, pyarrow.uint8()), pyarrow.scalar(4, pyarrow.uint8()))
    rows = rows.set_column(rows.column_names.index("proto"), "proto", names)
    return rows.append_column("protocol", numbers).append_column("ip_version", version)
