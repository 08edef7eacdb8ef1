"""The columns of a flow, the names they go by in files, and the SQL that turns the ones into the others."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence

from rave_flow.errors import ColumnsError
from rave_flow.model.flags import sql_of

ALIASES: dict[str, tuple[str, ...]] = {
    "ts": ("ts", "timestamp", "start_time", "stime", "first"),
    "duration": ("duration", "dur"),
    "src": ("src", "id.orig_h", "src_ip", "saddr", "sip", "sa"),
    "src_port": ("src_port", "id.orig_p", "sport", "sp"),
    "dst": ("dst", "id.resp_h", "dst_ip", "daddr", "dip", "da"),
    "dst_port": ("dst_port", "id.resp_p", "dport", "dp"),
    "proto": ("proto", "protocol", "pr"),
    "service": ("service", "app"),
    "src_bytes": ("src_bytes", "orig_ip_bytes", "ibyt", "orig_bytes"),
    "dst_bytes": ("dst_bytes", "resp_ip_bytes", "obyt", "resp_bytes"),
    "bytes": ("bytes", "total_bytes"),
    "src_packets": ("src_packets", "orig_pkts", "ipkt"),
    "dst_packets": ("dst_packets", "resp_pkts", "opkt"),
    "packets": ("packets", "total_packets"),
    "state": ("state", "conn_state"),
    "flags": ("flags", "flg", "tcp_flags", "history"),
}
"""The names under which each column is looked for, the first found counts. Zeek's bytes are those of whole
IP packets, like those of NetFlow; the payload's are taken only where a file has no others."""

NEEDED = ("ts", "src", "src_port", "dst", "dst_port", "proto")
OPTIONAL = ("duration", "service", "state", "flags")
COLUMNS = (
    "ts", "duration", "src", "src_port", "dst", "dst_port", "proto", "service",
    "bytes", "packets", "src_bytes", "dst_bytes", "state", "flags",
)  # fmt: skip
"""The columns of every relation of flows, in order."""

TYPES = {
    "ts": "DOUBLE", "duration": "DOUBLE", "src_port": "USMALLINT", "dst_port": "USMALLINT", "bytes": "BIGINT",
    "packets": "BIGINT", "src_bytes": "BIGINT", "dst_bytes": "BIGINT", "src_packets": "BIGINT", "dst_packets": "BIGINT",
}  # fmt: skip
"""DuckDB's types of what a log ought to have as numbers; a time may also be a text."""

PROTOCOLS = {1: "icmp", 2: "igmp", 6: "tcp", 17: "udp", 47: "gre", 50: "esp", 58: "icmp6", 132: "sctp"}
"""Names of the protocols that files may write as numbers."""


EXACT_SECOND = 4_000_000_000
LAST_SECOND = 253_402_300_799
"""Unix time of the end of the year 9999: a greater number is no time in seconds."""


def resolve(found: Sequence[str], where: str) -> dict[str, str]:
    """The columns of a file by the name of ours: ``{"src": "id.orig_h", …}``; others are passed over.

    Raises:
        ColumnsError: one that is needed is missing, or two have one name.
    """
    folded = {name.strip().lower(): name for name in found}
    if len(folded) != len(found):
        raise ColumnsError(f"{where}: two columns have one name among {', '.join(found)}")
    chosen = {
        ours: next(folded[alias] for alias in aliases if alias in folded)
        for ours, aliases in ALIASES.items()
        if any(alias in folded for alias in aliases)
    }
    missing = [name for name in NEEDED if name not in chosen] + _missing_amounts(chosen)
    if missing:
        raise ColumnsError(f"{where}: {_without(missing, found)}")
    return chosen


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


def selection(chosen: Mapping[str, str], types: Mapping[str, str]) -> str:
    """The SQL expressions of `COLUMNS`, and ``good``: whether every value of the row could be read.

    Args:
        chosen: what `resolve` gave.
        types: the DuckDB types of the file's columns, text where absent.
    """
    raw = {ours: quoted(theirs) for ours, theirs in chosen.items()}
    kinds = {ours: types.get(theirs, "VARCHAR") for ours, theirs in chosen.items()}
    read = {name: _expression(name, raw[name], kinds[name]) for name in raw}
    if "flags" in chosen:
        read["flags"] = sql_of(raw["flags"], is_history=chosen["flags"].lower() == "history")
    good = [f"{read[name]} IS NOT NULL" for name in ("ts", "src", "dst", "proto")]
    good += [f"({raw[name]} IS NULL OR {read[name]} IS NOT NULL)" for name in read if name in _NUMBERS]
    for amount in ("bytes", "packets"):
        read[amount] = _total(read, amount)
    columns = [f"{read.get(name, _absent(name))} AS {name}" for name in COLUMNS]
    return ", ".join([*columns, f"({' AND '.join(good)}) AS good"])


_NUMBERS = {name: kind for name, kind in TYPES.items() if name != "ts"}


def _expression(name: str, raw: str, kind: str) -> str:
    if name == "ts":
        return _instant(raw, kind)
    if name in _NUMBERS:
        number = f"TRY_CAST({raw} AS {_NUMBERS[name]})"
        return (
            f"CASE WHEN {number} >= 0 AND isfinite({number}) THEN {number} END"
            if name == "duration"
            else (f"CASE WHEN {number} >= 0 THEN {number} END")
        )
    text = f"lower(trim(CAST({raw} AS VARCHAR)))"
    if name in ("src", "dst") and kind == "VARCHAR":
        # IPv4 without blanks is as it should be, and most addresses are that.
        is_plain = f"contains({raw}, '.') AND NOT contains({raw}, ':') AND NOT contains({raw}, ' ')"
        text = f"CASE WHEN {is_plain} THEN {raw} ELSE {text} END"
    if name == "proto":
        cases = " ".join(f"WHEN '{number}' THEN '{word}'" for number, word in PROTOCOLS.items())
        return f"nullif(CASE {text} {cases} ELSE {text} END, '')"
    if name == "state":
        text = f"CAST({raw} AS VARCHAR)"
    return f"nullif(nullif({text}, '(empty)'), '')"


def _instant(raw: str, kind: str) -> str:
    """Any way of writing a time, as a plain timestamp in UTC: a zone is applied, and UTC where there is none."""
    if kind == "TIMESTAMP WITH TIME ZONE":
        return f"make_timestamp(epoch_us({raw}))"
    if kind.startswith("TIMESTAMP"):
        return f"CAST({raw} AS TIMESTAMP)"
    number, exact = f"TRY_CAST({raw} AS DOUBLE)", f"TRY_CAST({raw} AS DECIMAL(28, 6))"
    # Up to there a double is within a quarter of a microsecond, and much quicker.
    micros = (
        f"CASE WHEN {number} BETWEEN 0 AND {EXACT_SECOND} THEN CAST(round({number} * 1000000) AS BIGINT) "
        f"WHEN {number} BETWEEN 0 AND {LAST_SECOND} THEN CAST({exact} * 1000000 AS BIGINT) END"
    )
    seconds = f"make_timestamp({micros})"
    if kind != "VARCHAR":
        return seconds
    # Cast to a plain timestamp, a text would silently lose its zone.
    return f"coalesce({seconds}, make_timestamp(epoch_us(TRY_CAST({raw} AS TIMESTAMPTZ))))"


def _total(read: Mapping[str, str], amount: str) -> str:
    """Both directions together; what a sensor left unset counts nothing."""
    if {f"src_{amount}", f"dst_{amount}"} <= read.keys():
        return f"(coalesce({read[f'src_{amount}']}, 0) + coalesce({read[f'dst_{amount}']}, 0))"
    return f"coalesce({read[amount]}, 0)"


def _absent(name: str) -> str:
    return f"CAST(NULL AS {'UTINYINT' if name == 'flags' else _NUMBERS.get(name, 'VARCHAR')})"
