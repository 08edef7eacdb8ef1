"""The columns of a flow, and the names they go by in files; `rave_flow.model.readings` has the SQL between the two."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence

from rave_flow.errors import ColumnsError

ALIASES: dict[str, tuple[str, ...]] = {
    "ts": ("ts", "timestamp", "start_time", "stime", "first", "starttime", "start", "firstseen", "first_seen",
           "firstpacket"),
    "end": ("te", "end_time", "etime", "last", "endtime", "stop_time", "stoptime", "end", "lastseen", "last_seen",
            "lastpacket"),
    "duration": ("duration", "dur", "td"),
    "src": ("src", "id.orig_h", "src_ip", "saddr", "sip", "sa", "srcaddr", "ip.src", "source_ip", "src_addr"),
    "src_port": ("src_port", "id.orig_p", "sport", "sp", "srcport", "port.src", "source_port"),
    "dst": ("dst", "id.resp_h", "dst_ip", "daddr", "dip", "da", "dstaddr", "ip.dst", "dest_ip", "dst_addr",
            "destination_ip"),
    "dst_port": ("dst_port", "id.resp_p", "dport", "dp", "dstport", "port.dst", "dest_port", "destination_port"),
    "proto": ("proto", "protocol", "pr", "pro", "ip_protocol"),
    "ip_proto": ("ip_proto",),
    "icmp_type": ("icmp_type", "itype"),
    "icmp_code": ("icmp_code", "icode"),
    "service": ("service", "app", "app_proto"),
    "src_bytes": ("src_bytes", "orig_ip_bytes", "ibyt", "orig_bytes", "srcbytes", "bytes_toserver"),
    "dst_bytes": ("dst_bytes", "resp_ip_bytes", "obyt", "resp_bytes", "dstbytes", "bytes_toclient"),
    "bytes": ("bytes", "total_bytes", "totbytes", "byt"),
    "src_packets": ("src_packets", "orig_pkts", "ipkt", "srcpkts", "pkts_toserver"),
    "dst_packets": ("dst_packets", "resp_pkts", "opkt", "dstpkts", "pkts_toclient"),
    "packets": ("packets", "total_packets", "totpkts", "pkts", "pkt"),
    "state": ("state", "conn_state"),
    "flags": ("flags", "flg", "tcp_flags", "history"),
    "history": ("history",),
    "uid": ("uid",),
}  # fmt: skip
"""The names under which each column is looked for, the first found counts. Zeek's bytes are those of whole
IP packets, like those of NetFlow; payload bytes count only if a file has no others."""

NEEDED = ("ts", "src", "src_port", "dst", "dst_port", "proto")
COLUMNS = (
    "ts", "duration", "src", "src_port", "dst", "dst_port", "proto", "service",
    "bytes", "packets", "src_bytes", "dst_bytes", "state", "flags",
    "protocol", "ip_version", "icmp_type", "icmp_code", "history", "uid",
)  # fmt: skip
"""The columns of every relation of flows, in order: the README of this package explains them."""

TYPES = {
    "ts": "DOUBLE", "end": "DOUBLE", "duration": "DOUBLE", "src_port": "USMALLINT", "dst_port": "USMALLINT",
    "icmp_type": "UTINYINT", "icmp_code": "UTINYINT", "bytes": "BIGINT", "packets": "BIGINT",
    "src_bytes": "BIGINT", "dst_bytes": "BIGINT", "src_packets": "BIGINT", "dst_packets": "BIGINT",
}  # fmt: skip
"""DuckDB's types of columns that should be numbers in a log; a time may also be text."""


def folded(name: str) -> str:
    """A column's name as it is compared: in small letters, and with one way to separate words."""
    return re.sub(r"[\s._/-]+", "_", name.strip().lower())


def resolve(found: Sequence[str], where: str) -> dict[str, str]:
    """The columns of a file by the name of ours: ``{"src": "id.orig_h", …}``; `extra_columns` has the others.

    Raises:
        ColumnsError: one that is needed is missing, or two have one name.
    """
    names: dict[str, str] = {}
    twice = {folded(name) for place, name in enumerate(found) if names.setdefault(folded(name), name) != name}
    if twice & _ALL or len(set(found) & _ALL) < sum(name in _ALL for name in found):
        raise ColumnsError(f"{where}: two columns have one name among {', '.join(found)}")
    chosen = {
        ours: next(names[folded(alias)] for alias in aliases if folded(alias) in names)
        for ours, aliases in ALIASES.items()
        if any(folded(alias) in names for alias in aliases)
    }
    missing = [name for name in NEEDED if name not in chosen] + _missing_amounts(chosen)
    if missing:
        raise ColumnsError(f"{where}: {_without(missing, found)}")
    return chosen


_ALL = {folded(alias) for aliases in ALIASES.values() for alias in aliases}

EXTRA = "x_"
"""What the names of a source's other columns begin with, where flows are stored."""


def extra_columns(found: Iterable[str], chosen: Mapping[str, str]) -> dict[str, str]:
    """The other columns of a file, by the name under which they are stored: ``{"x_local_orig": "local_orig", …}``.

    Args:
        found: names of the file's columns, in order.
        chosen: what `resolve` gave.
    """
    used, names = set(chosen.values()), dict[str, str]()
    for theirs in found:
        word = extra_name(theirs)
        if theirs in used or not word:
            continue
        name, number = f"{EXTRA}{word}", 1
        while name in names:
            number += 1
            name = f"{EXTRA}{word}_{number}"
        names[name] = theirs
    return names


def extra_name(name: str) -> str:
    """The word by which users ask for a source's own column: small letters, digits and single underscores."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def is_alias(name: str) -> bool:
    """Whether a column of this name may be one of ours."""
    return folded(name) in _ALL


def _missing_amounts(chosen: Mapping[str, str]) -> list[str]:
    return [
        amount
        for amount in ("bytes", "packets")
        if amount not in chosen and not {f"src_{amount}", f"dst_{amount}"} <= chosen.keys()
    ]


def _without(missing: Sequence[str], found: Sequence[str]) -> str:
    name = missing[0]
    aliases = ALIASES[name] + (ALIASES[f"src_{name}"] if name in ("bytes", "packets") else ())
    close = difflib.get_close_matches(name, found, n=1)
    hint = f"; is it {close[0]!r}?" if close else ""
    return f"no column {name!r} (known as {', '.join(aliases)}) among {', '.join(found) or 'none'}{hint}"


def quoted(name: str) -> str:
    """``name`` as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """``text`` as an SQL string."""
    return "'" + text.replace("'", "''") + "'"
