"""Fields, values and keys by the names and numbers that SiLK's tools give them, and the SQL of each."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from rave_flow.errors import ParameterError
from rave_flow.sql.extra_fields import ExtraField, to_extra_field
from rave_flow.sql.map_fields import MapField, to_map_field

DURATION_US = "CAST(round(duration * 1000000) AS BIGINT)"
"""The duration in microseconds; NULL where the source has none."""

FIELDS: dict[str, str] = {
    "sip": "src", "dip": "dst", "sport": "src_port", "dport": "dst_port", "protocol": "proto", "packets": "packets",
    "bytes": "bytes", "flags": "flags", "stime": "ts", "duration": "duration",
    "etime": f"ts + to_microseconds(coalesce({DURATION_US}, 0))", "service": "service", "state": "state",
    "history": "history", "uid": "uid", "icmp_type": "icmp_type", "icmp_code": "icmp_code",
    "ip_version": "ip_version", "src_bytes": "src_bytes", "dst_bytes": "dst_bytes",
}  # fmt: skip
"""The SQL of each field. A flow without a duration ends when it starts."""

ALIASES = {
    "1": "sip", "2": "dip", "3": "sport", "4": "dport", "5": "protocol", "6": "packets", "7": "bytes", "8": "flags",
    "9": "stime", "10": "duration", "11": "etime", "22": "stime", "23": "etime", "24": "duration", "pkts": "packets",
    "proto": "protocol", "itype": "icmp_type", "icode": "icmp_code", "stime+msec": "stime", "etime+msec": "etime",
    "dur": "duration", "dur+msec": "duration",
}  # fmt: skip
"""Other names of fields: SiLK's numbers among them."""

VALUES: dict[str, str] = {
    "records": "count(*)", "packets": "CAST(sum(packets) AS BIGINT)", "bytes": "CAST(sum(bytes) AS BIGINT)",
    "stime_earliest": "CAST(min(ts) AS TIMESTAMPTZ)",
    "etime_latest": f"CAST(max({FIELDS['etime']}) AS TIMESTAMPTZ)",
    **{f"{name}_distinct": f"count(DISTINCT {sql})" for name, sql in FIELDS.items()},
}  # fmt: skip
"""The SQL of each value that flows can be counted by. What is unset is no distinct value."""

TIMES = ("stime_earliest", "etime_latest")
"""Values that nothing can be ranked by."""

ADDED = ("records", "packets", "bytes")
"""Values that add up over groups."""

TOTALS: dict[str, str] = {
    **{
        f"{end}_first_{8 * number}": f"_octets({column}, 1, {number})"
        for end, column in (("sip", "src"), ("dip", "dst"))
        for number in (1, 2, 3)
    },
    **{
        f"{end}_last_{8 * number}": f"_octets({column}, {5 - number}, 4)"
        for end, column in (("sip", "src"), ("dip", "dst"))
        for number in (1, 2)
    },
    "sport": "src_port", "dport": "dst_port", "protocol": "proto", "packets": "packets", "bytes": "bytes",
    "duration": "CAST(floor(duration) AS BIGINT)",
}  # fmt: skip
"""What rwtotal counts by. Parts of addresses are those of IPv4; for IPv6 and unset durations, NULL."""

OCTETS = (
    "CREATE TEMP MACRO _octets(address, low, high) AS CASE WHEN NOT contains(address, ':') "
    "THEN array_to_string(list_slice(string_split(address, '.'), low, high), '.') END"
)
"""What keys of rwtotal need."""


def _words(value: Any) -> list[str]:
    words = value.split(",") if isinstance(value, str) else [value] if isinstance(value, int) else list(value)
    return [str(word).strip().lower() for word in words]  # rereads a MapField, whose file may have changed


def _once(what: str, value: Any, found: Iterable[str], known: Iterable[str], hint: str) -> tuple[str, ...]:
    names, all_known = tuple(found), tuple(known)
    if not names or len(set(names)) != len(names) or not set(names) <= set(all_known):
        raise ParameterError(
            f"{what}={value!r}: expected each at most once, of {', '.join(all_known)}{hint}", parameter=what
        )
    return names


def _numbered(word: str) -> Iterable[str]:
    span = re.fullmatch(r"(\d{1,2})-(\d{1,2})", word)
    return [word] if span is None else [str(number) for number in range(int(span[1]), int(span[2]) + 1)]


def to_fields(value: Any, *, what: str = "fields") -> tuple[str, ...]:
    """Fields by names or SiLK's numbers, ``sip,dport`` or ``1-5,stime``, each once, in the order given.

    A word that is none of them is a column of the source's own; whether a file has it shows only when it is read.

    Args:
        value: the names.
        what: the parameter. Only ``fields`` and ``id_fields`` take labels of prefix maps and columns of the source.

    Raises:
        ParameterError: one is unknown or repeated, or there is none.
    """
    words = [each for word in _words(value) for each in _numbered(word)]
    names = [ALIASES.get(word) or _field(what, word.replace("-", "_")) for word in words]
    others = [name for name in names if isinstance(name, (MapField, ExtraField))]
    hint = ", SiLK's numbers of them, src_NAME or dst_NAME of a prefix map, or a column of the flow files"
    return _once(what, value, names, [*FIELDS, *others], hint)


def _field(what: str, word: str) -> str:
    if word in FIELDS or what not in ("fields", "id_fields"):
        return word
    try:
        return to_map_field(word) or to_extra_field(word) or word
    except ValueError as error:
        raise ParameterError(f"{what}: {word}: {error}", parameter=what) from None


def sql_of(name: str) -> str:
    """The SQL of a field; that of a prefix map is a column of its name."""
    return name.sql if isinstance(name, ExtraField) else FIELDS.get(name, name)


def named_as(name: str) -> str:
    """The name of a field as an SQL identifier; a source may call a column ``order``."""
    return f'"{name}"'


def to_values(value: Any, *, what: str = "values") -> tuple[str, ...]:
    """Values, each once: ``records``, ``bytes``, ``sip-distinct`` or, as SiLK writes it now, ``distinct:sip``.

    Args:
        value: their names.
        what: the parameter.

    Raises:
        ParameterError: one is unknown or repeated, or there is none.
    """
    return _once(what, value, [_value(word) for word in _words(value)], VALUES, "")


def _value(word: str) -> str:
    kind, colon, field = word.partition(":")
    if colon and kind == "distinct":
        return f"{ALIASES.get(field, field)}_distinct"
    return {"flows": "records"}.get(word, word.replace("-", "_"))


def to_ranked(value: Any) -> tuple[str, ...]:
    """Values of rwstats: the same, of which the first is no time.

    Raises:
        ParameterError: as `to_values`, or nothing can be ranked by the first.
    """
    values = to_values(value)
    if values[0] in TIMES:
        raise ParameterError(f"values={value!r}: nothing can be ranked by {values[0]}", parameter="values")
    return values


def to_total(value: Any) -> str:
    """The key of rwtotal.

    Raises:
        ParameterError: it is not a key, or several.
    """
    names = [ALIASES.get(word, word.replace("-", "_")) for word in _words(value)]
    if len(names) != 1:
        raise ParameterError(f"key={value!r}: expected one of {', '.join(TOTALS)}", parameter="key")
    return _once("key", value, names, TOTALS, "")[0]


def shown(name: str) -> str:
    """The SQL of a field as people read it: times have their zone, flags are letters."""
    if name in ("stime", "etime"):
        return f"CAST({FIELDS[name]} AS TIMESTAMPTZ)"
    return LETTERS if name == "flags" else sql_of(name)


_EACH = " || ".join(
    f"CASE WHEN flags & {1 << place} > 0 THEN '{letter}' ELSE '' END" for place, letter in enumerate("FSRPAUEC")
)
LETTERS = f"CASE WHEN flags IS NOT NULL THEN {_EACH} END"


def binned(name: str, seconds: int | None) -> str:
    """The SQL of a field to group by; of times the start of their bin, where bins are ``seconds`` wide."""
    if seconds is None or name not in ("stime", "etime"):
        return sql_of(name)
    micros = f"epoch_us({FIELDS[name]})"
    return f"make_timestamp({floored(micros, seconds * 10**6)} * {seconds * 10**6})"


NUMBERED = {"sip": ("src_high", "src_low"), "dip": ("dst_high", "dst_low")}
"""The halves of the number of a field that is an address."""


def ordering(name: str) -> tuple[str, ...]:
    """The SQL to sort flows by a field: addresses are in order of their numbers."""
    return (*NUMBERED.get(name, ()), sql_of(name))


def floored(micros: str, width: int) -> str:
    """The SQL of the bin, of ``width`` microseconds, that a number of microseconds is in; before 1970 too."""
    # DuckDB's // rounds towards 0.
    return f"((({micros}) - CASE WHEN ({micros}) < 0 THEN {width - 1} ELSE 0 END) // {width})"
