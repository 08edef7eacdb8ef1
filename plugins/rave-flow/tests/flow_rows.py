"""The flows of Zeek logs, read line by line in plain Python, to compare answers with."""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rave_flow.silk import rwcut

Row = dict[str, Any]
FIELDS = "stime,sip,dip,sport,dport,protocol,bytes,packets"
NO_PORT = -1
"""What stands for the port of a flow of ICMP, which has none."""


def read(directory: Path) -> Iterable[Row]:
    """The flows of Zeek logs, by the names of SiLK's fields."""
    for path in sorted(directory.rglob("conn*.log.gz")):
        fields: list[str] = []
        with gzip.open(path, "rt") as text:
            for line in text:
                if line.startswith("#fields"):
                    fields = line.rstrip("\n").split("\t")[1:]
                elif not line.startswith("#"):
                    raw = dict(zip(fields, line.rstrip("\n").split("\t"), strict=True))
                    history = raw.get("history", "-")
                    yield {
                        "us": round(float(raw["ts"]) * 1e6),
                        "sip": raw["id.orig_h"],
                        "dip": raw["id.resp_h"],
                        "sport": NO_PORT if raw["proto"] == "icmp" else int(raw["id.orig_p"]),
                        "dport": NO_PORT if raw["proto"] == "icmp" else int(raw["id.resp_p"]),
                        "protocol": "icmp6" if raw["proto"] == "icmp" and ":" in raw["id.orig_h"] else raw["proto"],
                        "bytes": int(raw["orig_ip_bytes"]) + int(raw["resp_ip_bytes"]),
                        "packets": int(raw["orig_pkts"]) + int(raw["resp_pkts"]),
                        "duration": None if raw["duration"] == "-" else float(raw["duration"]),
                        "history": None if history == "-" else history,
                    }


def filled(value: Any) -> Any:
    """A value that may be a port."""
    return NO_PORT if value is None else value


def key(row: Row) -> tuple[Any, ...]:
    """What tells a flow from others."""
    return row["us"], row["sip"], row["dip"], row["sport"], row["dport"], row["protocol"], row["bytes"], row["packets"]


def keys(flows: Any) -> Counter[tuple[Any, ...]]:
    """The flows of a reference."""
    found = rwcut(flows, fields=FIELDS).to_pylist()
    for row in found:
        row |= {"us": round(row["stime"].timestamp() * 1e6)} | {end: filled(row[end]) for end in ("sport", "dport")}
    return Counter(map(key, found))
