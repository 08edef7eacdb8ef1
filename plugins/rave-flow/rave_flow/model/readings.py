"""The SQL that reads a flow from the columns of a file, regardless of their names and types.

It names what it can't read: a row has a ``fault`` if it can't count, and a ``loss`` if it counts without one of its
values.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from rave_flow.model.columns import COLUMNS, TYPES, folded, literal, quoted
from rave_flow.model.flags import sql_of
from rave_flow.model.protocols import COUNTERPARTS, ICMP, UNKNOWN

EXACT_SECOND = 4_000_000_000
"""Up to this Unix time a double has its microseconds."""

MILLISECONDS, MICROSECONDS, NANOSECONDS = 10**11, 10**14, 10**17
"""Numbers from which a time is no longer in seconds: as seconds they would be years after 5000."""

MOST = 2**53
"""The most bytes or packets of one direction of a flow: more is a broken counter, and sums of such would overflow."""

LONGEST = 10**9
"""The most seconds that a flow lasts, some thirty years: more is a broken clock."""

_LATER = ("protocol", "ip_version")
"""What `rave_flow.formats.normalized` adds."""


@dataclass(frozen=True, slots=True)
class Columns:
    """How the columns of a flow are made of a file's.

    Attributes:
        sql: expressions over the columns ``used``.
        used: the file's names of these columns.
        unchanged: the file's names of the others, which are taken as they are, by our names.
    """

    sql: str
    used: list[str]
    unchanged: dict[str, str]


def selection(
    chosen: Mapping[str, str],
    types: Mapping[str, str],
    extras: Mapping[str, str] = MappingProxyType({}),
    *,
    has_icmp: bool = True,
    sound: Collection[str] = (),
) -> Columns:
    """How `COLUMNS` are made but the address's and protocol's own, with ``fault``, ``loss`` and the extras.

    Args:
        chosen: what `rave_flow.model.columns.resolve` gave.
        types: the DuckDB types of the file's columns, text where absent.
        extras: what `rave_flow.model.columns.extra_columns` gave; they are text.
        has_icmp: whether some rows may be of ICMP: looking for it in all rows costs a third of the time.
        sound: those of ours whose columns have the right type and nothing that needs a look: numbers in range, of
            times and durations seconds, texts to which nothing is to be done. Looking at each value takes most of
            the time.
    """
    raw = {ours: quoted(theirs) for ours, theirs in chosen.items()}
    kinds = {ours: types.get(theirs, "VARCHAR") for ours, theirs in chosen.items()}
    read = {name: _expression(name, raw[name], kinds[name]) for name in raw}
    read |= {name: _seconds(raw[name]) if name == "ts" else raw[name] for name in sound if name in raw}
    if has_icmp and kinds["dst_port"] == kinds["src_port"] == "VARCHAR":
        read["dst_port"] = _port_or_icmp(read, raw)
    faults = {} if "ts" in sound else {"time": f"{read['ts']} IS NULL"}
    for name in _COUNTED & read.keys() - set(sound):
        reason = "port" if name.endswith("_port") else "number"
        test = f"({raw[name]} IS NOT NULL AND {_filled(raw[name], kinds[name])} AND {read[name]} IS NULL)"
        faults[reason] = " OR ".join(filter(None, (faults.get(reason), test)))
    read |= _derived(chosen, raw, read) | (_icmp(read, has_types=not _is_vpc(chosen)) if has_icmp else _no_icmp())
    made = {name: read.get(name, _absent(name)) for name in COLUMNS if name not in _LATER}
    made |= {name: quoted(theirs) if name in sound else _text_of(theirs, types) for name, theirs in extras.items()}
    cases = " ".join(f"WHEN {test} THEN {literal(reason)}" for reason, test in faults.items())
    made["fault"] = f"CASE {cases} END" if cases else "CAST(NULL AS VARCHAR)"
    made["loss"] = "CAST(NULL AS VARCHAR)" if "duration" in sound else read["loss"]
    places = {**chosen, **extras}
    unchanged = {name: places[name] for name in sound if name in made and made[name] == quoted(places[name])}
    sql = ", ".join(f"{expression} AS {name}" for name, expression in made.items() if name not in unchanged)
    return Columns(sql, [theirs for theirs in places.values() if quoted(theirs) in sql], unchanged)


def _seconds(raw: str) -> str:
    return f"make_timestamp(CAST(round({raw} * 1000000) AS BIGINT))"


def _text_of(theirs: str, types: Mapping[str, str]) -> str:
    """A column as text; a list or an object as JSON."""
    is_nested = types.get(theirs, "VARCHAR").endswith(("[]", ")"))
    return f"CAST({f'to_json({quoted(theirs)})' if is_nested else quoted(theirs)} AS VARCHAR)"


_COUNTED = {"src_port", "dst_port", "bytes", "packets", "src_bytes", "dst_bytes", "src_packets", "dst_packets"}


def _filled(raw: str, kind: str) -> str:
    if kind in ("DOUBLE", "FLOAT"):
        return f"NOT isnan({raw})"  # as data frames write what is unset
    return f"trim({raw}) <> ''" if kind == "VARCHAR" else "true"


def _derived(chosen: Mapping[str, str], raw: Mapping[str, str], read: Mapping[str, str]) -> dict[str, str]:
    """What is put together from several columns."""
    found = _lengths(raw, read)
    if "flags" in chosen:
        found["flags"] = sql_of(raw["flags"], is_history=folded(chosen["flags"]) == "history")
    if _is_argus(chosen):
        found["flags"] = sql_of(f"split_part({raw['state']}, '_', 1)", is_history=False)
        found["state"] = "CAST(NULL AS VARCHAR)"
    if "ip_proto" in read:
        found["proto"] = (
            f"CASE WHEN {read['proto']} IS NULL OR {read['proto']} IN ({_words(UNKNOWN)}) "
            f"THEN coalesce({read['ip_proto']}, {read['proto']}) ELSE {read['proto']} END"
        )
    for amount in ("bytes", "packets"):
        found |= _amounts(read, amount)
    return found


def _is_argus(chosen: Mapping[str, str]) -> bool:
    """Whether the titles are those of Argus' ``ra``, whose state is the flags of both sides."""
    return folded(chosen["src"]) == "srcaddr" and folded(chosen.get("state", "")) == "state" and "flags" not in chosen


def _words(words: tuple[str, ...]) -> str:
    return ", ".join(map(literal, words))


def _expression(name: str, raw: str, kind: str) -> str:
    if name in ("ts", "end"):
        return instant(raw, kind)
    if name == "duration":
        return f"CASE WHEN TRY_CAST({raw} AS DOUBLE) BETWEEN 0 AND {LONGEST} THEN TRY_CAST({raw} AS DOUBLE) END"
    if name in TYPES:
        return _whole(raw, kind, TYPES[name])
    if name in ("src", "dst"):
        return f"CAST({raw} AS VARCHAR)"
    if name in ("state", "history", "uid"):
        text = f"CAST({raw} AS VARCHAR)"
        return f"nullif(nullif(trim({text}), '(empty)'), '')" if kind == "VARCHAR" else text
    return f"nullif(nullif(lower(trim(CAST({raw} AS VARCHAR))), '(empty)'), '')"


def _whole(raw: str, kind: str, wanted: str) -> str:
    """The SQL of a whole number that is not negative; null for others, which a cast would round."""
    number = f"TRY_CAST({raw} AS {wanted})"
    test = f"{number} BETWEEN 0 AND {MOST}" if wanted == "BIGINT" else f"{number} >= 0"
    if kind == "VARCHAR":
        test += f" AND NOT (contains({raw}, '.') AND TRY_CAST({raw} AS DOUBLE) <> {number})"
    elif kind in ("DOUBLE", "FLOAT") or kind.startswith("DECIMAL"):
        test += f" AND {raw} = {number}"
    return f"CASE WHEN {test} THEN {number} END"


def instant(raw: str, kind: str) -> str:
    """The SQL of a time written in any way, as a plain timestamp in UTC: applies the zone, or UTC if there is none.

    Args:
        raw: the SQL of what is there.
        kind: its DuckDB type.
    """
    if kind == "TIMESTAMP WITH TIME ZONE":
        return f"make_timestamp(epoch_us({raw}))"
    if kind.startswith("TIMESTAMP"):
        return f"CAST({raw} AS TIMESTAMP)"
    number = f"TRY_CAST({raw} AS DOUBLE)"
    exact = f"TRY_CAST({raw} AS DECIMAL(38, 6))"
    # Up to there a double is within a quarter of a microsecond, and much quicker.
    micros = (
        f"CASE WHEN {number} BETWEEN 0 AND {EXACT_SECOND} THEN CAST(round({number} * 1000000) AS BIGINT) "
        f"WHEN {number} >= 0 AND {number} < {MILLISECONDS} THEN CAST({exact} * 1000000 AS BIGINT) "
        f"WHEN {number} >= 0 AND {number} < {MICROSECONDS} THEN CAST({exact} * 1000 AS BIGINT) "
        f"WHEN {number} >= 0 AND {number} < {NANOSECONDS} THEN CAST({exact} AS BIGINT) "
        f"WHEN {number} >= 0 AND {number} < {NANOSECONDS * 1000} THEN CAST({exact} / 1000 AS BIGINT) END"
    )
    seconds = f"make_timestamp({micros})"
    if kind != "VARCHAR":
        return seconds
    # Cast to a plain timestamp, a text would silently lose its zone. SiLK and Argus write 2024/06/01.
    text = f"replace({raw}, '/', '-')"
    return f"coalesce({seconds}, make_timestamp(epoch_us(TRY_CAST({text} AS TIMESTAMPTZ))))"


def _lengths(raw: Mapping[str, str], read: Mapping[str, str]) -> dict[str, str]:
    """The duration, if it or the end is known and possible; and why a source's own one is lost."""
    if "duration" in read:
        lost = f"{raw['duration']} IS NOT NULL AND {read['duration']} IS NULL"
        filled = f"trim(CAST({raw['duration']} AS VARCHAR)) <> ''"
        return {"loss": f"CASE WHEN {lost} AND {filled} THEN 'duration' END"}
    if "end" in read:
        micros = f"(epoch_us({read['end']}) - epoch_us({read['ts']}))"
        is_possible = f"{micros} BETWEEN 0 AND {LONGEST * 10**6}"
        length = f"CASE WHEN {is_possible} THEN {micros} / 1e6 END"
        return {"duration": length, "loss": f"CASE WHEN NOT {is_possible} THEN 'duration' END"}
    return {"loss": "CAST(NULL AS VARCHAR)"}


def _is_vpc(chosen: Mapping[str, str]) -> bool:
    """Whether the titles are those of AWS VPC flow logs, which have 0 as the ports of ICMP, whatever its type is."""
    return folded(chosen["src"]) == "srcaddr" and folded(chosen["ts"]) == "start"


def _icmp(read: Mapping[str, str], *, has_types: bool) -> dict[str, str]:
    """Type and code of ICMP, which sources write in place of ports; an ICMP flow has no ports.

    SiLK and NetFlow write ``256 * type + code`` as the responder's port. Zeek writes the type and, where it is one
    that is answered, the type of the answer. Without ``has_types`` the ports say nothing.
    """
    is_icmp = f"coalesce({read['proto']} IN ({_words(ICMP)}), false)"
    first, second = read["src_port"], read["dst_port"]
    is_packed = f"({first} = 0 AND {second} > 255)"
    pairs = ", ".join(f"({low}, {high})" for low, high in COUNTERPARTS)
    kind = f"CASE WHEN {is_packed} THEN {second} // 256 WHEN {first} < 256 THEN {first} END"
    code = (
        f"CASE WHEN {is_packed} THEN {second} % 256 WHEN ({first}, {second}) IN ({pairs}) THEN 0 "
        f"WHEN {second} < 256 THEN {second} END"
    )
    found = {"icmp_type": kind, "icmp_code": code} if has_types else dict.fromkeys(("icmp_type", "icmp_code"), "NULL")
    for name, packed in found.items():
        own = read.get(name)
        value = packed if own is None else f"coalesce({own}, {packed})"
        found[name] = f"CASE WHEN {is_icmp} THEN CAST({value} AS UTINYINT) END"
    ports = {name: f"CASE WHEN NOT {is_icmp} THEN {read[name]} END" for name in ("src_port", "dst_port")}
    return found | ports


def _port_or_icmp(read: Mapping[str, str], raw: Mapping[str, str]) -> str:
    """The port, which nfdump writes as ``8.0``, type and code, for ICMP; as `_icmp` takes it. A float is no such."""
    kind, code = (f"TRY_CAST(split_part({raw['dst_port']}, '.', {place}) AS UTINYINT)" for place in (1, 2))
    is_pair = f"{read['proto']} IN ({_words(ICMP)}) AND contains({raw['dst_port']}, '.')"
    packed = f"CAST({kind} AS USMALLINT) * 256 + {code}"
    return f"CASE WHEN {is_pair} AND NOT contains({raw['src_port']}, '.') THEN {packed} ELSE {read['dst_port']} END"


def _no_icmp() -> dict[str, str]:
    return {name: _absent(name) for name in ("icmp_type", "icmp_code")}


def _amounts(read: Mapping[str, str], amount: str) -> dict[str, str]:
    """Both directions together; unset values count as 0."""
    sent, received = f"src_{amount}", f"dst_{amount}"
    if {sent, received} <= read.keys():
        return {amount: f"(coalesce({read[sent]}, 0) + coalesce({read[received]}, 0))"}
    found = {amount: f"coalesce({read[amount]}, 0)"}
    if sent in read:
        found[received] = f"CASE WHEN {read[amount]} >= {read[sent]} THEN {read[amount]} - {read[sent]} END"
    return found


def _absent(name: str) -> str:
    return f"CAST(NULL AS {'UTINYINT' if name == 'flags' else TYPES.get(name, 'VARCHAR')})"
