"""The elements of IPFIX that make up a flow: those of IANA, their reverses (RFC 5103), and those of YAF."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from operator import or_
from socket import AF_INET, AF_INET6, inet_ntop
from typing import Any, Final

from rave_flow.model.flags import letters_of

REVERSE: Final = 29305
YAF: Final = 6871
_NTP: Final = 2_208_988_800
"""Seconds from 1900 to 1970."""
_DELETED: Final = b"\2"
"""The event of a firewall that ends a flow."""

OWN_COLUMNS: Final = ("application", "initialflags", "sessionflags", "flow_end_reason", "vlan_id")
"""Columns of the source's own, the first three as SiLK calls them; text."""

COLUMNS: Final = {
    "ts": "DOUBLE", "end": "DOUBLE", "src": "VARCHAR", "src_port": "BIGINT", "dst": "VARCHAR", "dst_port": "BIGINT",
    "proto": "VARCHAR", "src_bytes": "BIGINT", "dst_bytes": "BIGINT", "src_packets": "BIGINT", "dst_packets": "BIGINT",
    "flags": "VARCHAR", "icmp_type": "BIGINT", "icmp_code": "BIGINT", **dict.fromkeys(OWN_COLUMNS, "VARCHAR"),
}  # fmt: skip
"""What is made of a record, with DuckDB's types."""

Element = tuple[int, int]
"""The number of an enterprise, 0 for IANA, and that of its element."""

LIST: Final = "list"
"""The name of a list of records of several templates (RFC 6313), where YAF puts the flags of TCP."""

_ELEMENTS: Final[dict[str, tuple[Element, ...]]] = {
    "src4": ((0, 8),), "src6": ((0, 27),), "dst4": ((0, 12),), "dst6": ((0, 28),), "version": ((0, 60),),
    "src_port": ((0, 7),), "dst_port": ((0, 11),), "proto": ((0, 4),),
    "src_bytes": ((0, 1), (0, 85), (0, 231)), "dst_bytes": ((REVERSE, 1), (REVERSE, 85), (0, 232)),
    "src_packets": ((0, 2), (0, 86), (0, 298)), "dst_packets": ((REVERSE, 2), (REVERSE, 86), (0, 299)),
    "flags": ((0, 6),), "initial": ((YAF, 14),), "union": ((YAF, 15),),
    "icmp": ((0, 32), (0, 139)), "icmp_type": ((0, 176), (0, 178)), "icmp_code": ((0, 177), (0, 179)),
    "event": ((0, 233),), "booted": ((0, 160),), "up_start": ((0, 22),), "up_end": ((0, 21),),
    "millis": ((0, 161),), "micros": ((0, 162),),
    **{f"time{number}": ((0, number),) for number in range(150, 160)},
    "application": ((YAF, 33),), "flow_end_reason": ((0, 136),), "vlan_id": ((0, 58),),
    "interval": ((0, 34), (0, 50), (0, 310)), "space": ((0, 306),), LIST: ((0, 293),),
}  # fmt: skip
"""The elements that say one thing, the best first: what a record counts (delta) before what its flow has had so far."""

_RANKS: Final = {element: (rank, name) for name, elements in _ELEMENTS.items() for rank, element in enumerate(elements)}

Values = Mapping[str, bytes]


def names_of(elements: Sequence[Element]) -> list[str | None]:
    """What each element of a template says; ``None`` if nothing of a flow, or another says it better."""
    best: dict[str, tuple[int, int]] = {}
    for place, element in enumerate(elements):
        if element in _RANKS:
            rank, name = _RANKS[element]
            best[name] = min(best.get(name, (rank, place)), (rank, place))  # of equal ones the first counts
    names = {place: name for name, (_, place) in best.items()}
    return [names.get(place) for place in range(len(elements))]


def is_of_flows(names: Sequence[str | None]) -> bool:
    """Whether records with these names have what every flow has: its ends, and an amount."""
    there = set(names)
    ends = ({"src4", "dst4"}, {"src6", "dst6"})
    return any(pair <= there for pair in ends) and not there.isdisjoint({"src_bytes", "src_packets"})


def is_end(values: Values) -> bool:
    """Whether a record is the end of a flow, and not another event of a firewall."""
    return values.get("event", _DELETED) == _DELETED


def is_sampled(values: Values) -> bool:
    """Whether a record says that not every packet was looked at: one of several, or some with others between them."""
    return int.from_bytes(values.get("interval", b"")) > 1 or any(values.get("space", b""))


def columns_of(values: Values, exported: int) -> dict[str, Any]:
    """The values of a flow, by column; what is not there is missing.

    Args:
        values: the bytes of a record, by the names that `names_of` gave.
        exported: when its message was sent, in Unix seconds.

    Raises:
        ValueError: an address has another length than addresses have, or a number is longer than numbers are.
    """
    numbers = {name: _number(value) for name, value in values.items() if name not in _NO_NUMBERS}
    found: dict[str, Any] = {name: min(numbers[name], 2**63 - 1) for name in _NUMBERS if name in numbers}
    found |= {name: str(numbers[name]) for name in _TEXTS if name in numbers}
    family, version = (AF_INET6, "6") if _is_v6(values) else (AF_INET, "4")
    found["src"], found["dst"] = inet_ntop(family, values["src" + version]), inet_ntop(family, values["dst" + version])
    if "icmp" in numbers:
        found["icmp_type"], found["icmp_code"] = divmod(numbers["icmp"], 256)
    if bits := [numbers[name] for name in ("flags", "initial", "union") if name in numbers]:
        found["flags"] = letters_of(reduce(or_, bits))
    for name, column in (("initial", "initialflags"), ("union", "sessionflags")):
        if name in numbers:
            found[column] = letters_of(numbers[name])
    found["ts"], found["end"] = _time(numbers, exported, 0), _time(numbers, exported, 1)
    if found["end"] is None and found["ts"] is not None:
        found["end"] = _after(found["ts"], numbers)
    return found


def _number(value: bytes) -> int:
    if len(value) > 8:
        raise ValueError("a number has at most eight bytes")
    return int.from_bytes(value)


_NO_NUMBERS: Final = frozenset({LIST, "src4", "dst4", "src6", "dst6"})
_NUMBERS: Final = (
    "src_port", "dst_port", "src_bytes", "dst_bytes", "src_packets", "dst_packets", "icmp_type", "icmp_code",
)  # fmt: skip
_TEXTS: Final = ("proto", "application", "flow_end_reason", "vlan_id")


def _is_v6(values: Values) -> bool:
    """Whether a flow is of IPv6. Some exporters have one template for both versions, and zeros for the other's ends."""
    if "src6" not in values or "src4" not in values:
        return "src6" in values
    version = int.from_bytes(values.get("version", b""))
    return version == 6 or (version != 4 and (any(values["src6"]) or any(values["dst6"])))


def _time(numbers: Mapping[str, int], exported: int, side: int) -> float | None:
    """The start (0) or end (1) of a flow in Unix seconds; ``None`` if it has none."""
    for names, seconds in _TIMES:
        if names[side] in numbers:
            return seconds(numbers[names[side]], exported)
    up = numbers.get(("up_start", "up_end")[side])
    return (numbers["booted"] + up) / 1000 if up is not None and "booted" in numbers else None


def _after(start: float, numbers: Mapping[str, int]) -> float | None:
    """The end of a flow by its duration."""
    if "micros" in numbers:
        return start + numbers["micros"] / 10**6
    return start + numbers["millis"] / 1000 if "millis" in numbers else None


def _ntp(value: int, _: int) -> float:
    return round((value >> 32) - _NTP + (value & 0xFFFFFFFF) / 2**32, 6)


_TIMES: Final[tuple[tuple[tuple[str, str], Callable[[int, int], float]], ...]] = (
    (("time156", "time157"), _ntp),
    (("time154", "time155"), _ntp),
    (("time152", "time153"), lambda value, _: value / 1000),
    (("time158", "time159"), lambda value, exported: exported - value / 10**6),
    (("time150", "time151"), lambda value, _: float(value)),
)
"""How elements say the start and the end of a flow, the finest first: their names, and what makes seconds of them."""
