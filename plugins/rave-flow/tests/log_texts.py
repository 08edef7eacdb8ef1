"""Texts of logs in other forms, and what an answer leaves out."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from typing import Any

import pyarrow
import pyarrow.parquet

CSV = "Start_Time,saddr,sport,daddr,dport,protocol,total_bytes,total_packets\n"
"""The titles of a table that names its columns as others do."""


def left_out(table: pyarrow.Table) -> Any:
    """What the metadata of an answer say of what is missing from it."""
    return json.loads(table.schema.metadata.get(b"rave.flow.left_out", b"{}"))


def as_json(text: str, *, iso: bool = False) -> str:
    """A Zeek log in TSV as Zeek would have written it in JSON: without what is unset."""
    fields: list[str] = []
    objects = []
    numbers = {"id.orig_p", "id.resp_p", "duration", "orig_pkts", "orig_ip_bytes", "resp_pkts", "resp_ip_bytes"}
    for line in text.splitlines():
        if line.startswith("#fields"):
            fields = line.split("\t")[1:]
        elif not line.startswith("#"):
            found = {name: value for name, value in zip(fields, line.split("\t"), strict=True) if value != "-"}
            row: dict[str, Any] = {name: float(value) if name in numbers else value for name, value in found.items()}
            row |= {name: int(float(found[name])) for name in numbers - {"duration"} if name in found}
            row["ts"] = float(found["ts"])
            if iso:
                micros = datetime.fromtimestamp(row["ts"], UTC)
                row["ts"] = micros.isoformat(timespec="microseconds").replace("+00:00", "Z")
            objects.append(json.dumps(row))
    return "\n".join([*objects, ""])


def packed(content: bytes, name: str) -> bytes:
    """Compressed as the name says."""
    if name.endswith(".gz"):
        return gzip.compress(content, mtime=0)
    return bytes(pyarrow.compress(content, codec="zstd", asbytes=True)) if name.endswith(".zst") else content
