"""Files of flows made of events, for the tests of detectors."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

import pyarrow
import pyarrow.parquet
from rave_flow.formats.parquet_files import schema
from rave_flow.model.address_set import number_of_text

Event = tuple[int, str, str, int, str]


def write(path: Path, events: Iterable[Event], *, sent: Callable[[Event], int] = lambda event: 100) -> Path:
    """Events (microseconds, source, destination, port, state) as a file of flows."""
    rows = [
        {
            "ts": datetime.fromtimestamp(event[0] / 1e6, UTC).replace(tzinfo=None),
            "src": event[1],
            "dst": event[2],
            "dst_port": event[3],
            "proto": "tcp",
            "state": event[4],
            "service": None,
            "bytes": sent(event) + 50,
            "src_bytes": sent(event),
            "dst_bytes": 50,
            "packets": 4,
            "flags": None,
            "duration": 0.5,
            "src_port": 40000,
            **{
                f"{end}_{half}": (number_of_text(event[place]) or 0) // divisor % 2**64
                for end, place in (("src", 1), ("dst", 2))
                for half, divisor in (("high", 2**64), ("low", 1))
            },
        }
        for event in events
    ]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows, schema()), path)
    return path
