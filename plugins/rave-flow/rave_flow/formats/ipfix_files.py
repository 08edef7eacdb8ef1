"""Files of IPFIX messages (RFC 7011, RFC 5655), as YAF writes them; with the reverse elements of biflows (RFC 5103)."""

from __future__ import annotations

import ipaddress
import struct
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import reduce
from operator import or_
from typing import Any, BinaryIO, Final

from rave_flow.errors import UnreadableError
from rave_flow.model.flags import letters_of

REVERSE: Final = 29305
_YAF: Final = 6871
_VERSION, _TEMPLATES, _FIRST_DATA, _VARIABLE = 10, 2, 256, 65535
_HEAD, _HEAD_BYTES, _SET, _SET_BYTES = ">HHIII", 16, ">HH", 4
_NTP: Final = 2_208_988_800
"""Seconds from 1900 to 1970."""
_DELETED: Final = b"\2"
"""The event of a firewall that ends a flow."""

COLUMNS: Final = {
    "ts": "DOUBLE", "end": "DOUBLE", "src": "VARCHAR", "src_port": "BIGINT", "dst": "VARCHAR", "dst_port": "BIGINT",
    "proto": "VARCHAR", "src_bytes": "BIGINT", "dst_bytes": "BIGINT", "src_packets": "BIGINT", "dst_packets": "BIGINT",
    "flags": "VARCHAR", "icmp_type": "BIGINT", "icmp_code": "BIGINT",
}  # fmt: skip
"""What is made of a record, with DuckDB's types."""

Element = tuple[int, int]
"""The number of an enterprise, 0 for IANA, and that of its element."""

_NAMES: Final[dict[Element, str]] = {
    **{(0, number): "src" for number in (8, 27)}, **{(0, number): "dst" for number in (12, 28)},
    (0, 7): "src_port", (0, 11): "dst_port", (0, 4): "proto", (0, 6): "flags", (_YAF, 14): "initial",
    (_YAF, 15): "union", (0, 233): "event", (0, 160): "booted", (0, 22): "up_start", (0, 21): "up_end",
    **{(0, number): "src_bytes" for number in (1, 85, 231)}, **{(0, number): "src_packets" for number in (2, 86, 298)},
    **{(REVERSE, number): "dst_bytes" for number in (1, 85)}, (0, 232): "dst_bytes",
    **{(REVERSE, number): "dst_packets" for number in (2, 86)}, (0, 299): "dst_packets",
    **{(0, number): "icmp" for number in (32, 139)}, **{(0, number): "icmp_type" for number in (176, 178)},
    **{(0, number): "icmp_code" for number in (177, 179)},
    **{(0, number): f"time{number}" for number in range(150, 160)},
}  # fmt: skip


@dataclass(slots=True)
class Ipfix:
    """A file on its way.

    Attributes:
        path: for messages.
        number: how many records were read.
        faults: how many are left out, by reason, one of `rave_flow.model.left_out.REASONS`.
        first: the number of the first of them, and what is wrong with it.
    """

    path: str
    number: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    first: tuple[int, str] | None = None
    _templates: dict[tuple[int, int], list[tuple[str | None, int]]] = field(default_factory=dict)

    def flows(self, source: BinaryIO) -> Iterator[tuple[int, tuple[Any, ...]]]:
        """The number of each record that is a flow, from 1, and its values in the order of `COLUMNS`.

        Raises:
            UnreadableError: it is not IPFIX.
        """
        while head := _exactly(source, _HEAD_BYTES):
            version, size, exported, _, domain = struct.unpack(_HEAD, head.ljust(_HEAD_BYTES, b"\0"))
            if version != _VERSION or size < _HEAD_BYTES:
                raise UnreadableError(f"{self.path}: is no IPFIX after {self.number} records")
            body = _exactly(source, size - _HEAD_BYTES)
            try:
                yield from self._message(body, exported, domain)
            except (struct.error, IndexError, ValueError):
                self._leave_out("line", "is damaged, with the rest of its message")
            if len(head) + len(body) < size:
                self._leave_out("line", "is cut, with all after it")

    def _message(self, body: bytes, exported: int, domain: int) -> Iterator[tuple[int, tuple[Any, ...]]]:
        place = 0
        while place + _SET_BYTES <= len(body):
            kind, size = struct.unpack_from(_SET, body, place)
            content, whole = body[place + _SET_BYTES : place + size], place + size <= len(body)
            place += max(size, _SET_BYTES)
            if not whole:
                return  # said where the message ends
            if kind == _TEMPLATES:
                self._learn(content, domain)
            elif kind >= _FIRST_DATA:
                yield from self._records(content, exported, (domain, kind))

    def _learn(self, content: bytes, domain: int) -> None:
        place = 0
        while place + _SET_BYTES <= len(content):
            kind, count = struct.unpack_from(_SET, content, place)
            place, fields = place + _SET_BYTES, []
            for _ in range(count):
                number, size = struct.unpack_from(_SET, content, place)
                enterprise = struct.unpack_from(">I", content, place + 4)[0] if number & 0x8000 else 0
                fields.append((_NAMES.get((enterprise, number & 0x7FFF)), size))
                place += 8 if number & 0x8000 else 4
            if kind >= _FIRST_DATA:
                self._templates[domain, kind] = fields

    def _records(
        self, content: bytes, exported: int, template: tuple[int, int]
    ) -> Iterator[tuple[int, tuple[Any, ...]]]:
        fields = self._templates.get(template)
        if fields is None:
            self._leave_out("line", "and those beside it have a template that is not in the file before them")
            return
        least, place = max(sum(1 if size == _VARIABLE else size for _, size in fields), 1), 0
        while place + least <= len(content):
            values: dict[str, bytes] = {}
            for name, size in fields:
                if size == _VARIABLE:
                    size, place = _variable(content, place)
                if name is not None:
                    values[name] = content[place : place + size]
                place += size
            if place > len(content):
                raise ValueError(place)
            self.number += 1
            if not {"src", "dst"} <= values.keys() or values.get("event", _DELETED) != _DELETED:
                self._leave_out("event", "is no end of a flow", self.number)
            else:
                yield self.number, tuple(_columns(values, exported).get(name) for name in COLUMNS)

    def _leave_out(self, reason: str, why: str, number: int | None = None) -> None:
        self.faults[reason] += 1
        if self.first is None:
            self.first = (self.number + 1 if number is None else number), why


def _exactly(source: BinaryIO, size: int) -> bytes:
    """This many bytes; fewer only at the end."""
    found = b""
    while len(found) < size and (more := source.read(size - len(found))):
        found += more
    return found


def _variable(content: bytes, place: int) -> tuple[int, int]:
    """The size of a value that says it itself, and where it starts."""
    if content[place] < 255:
        return content[place], place + 1
    return int.from_bytes(content[place + 1 : place + 3]), place + 3


def _columns(values: Mapping[str, bytes], exported: int) -> dict[str, Any]:
    """The values of a flow; what is not there is missing."""
    found: dict[str, Any] = {end: str(ipaddress.ip_address(values[end])) for end in ("src", "dst")}
    numbers = {name: int.from_bytes(value) for name, value in values.items()}
    for name in (
        "src_port",
        "dst_port",
        "src_bytes",
        "dst_bytes",
        "src_packets",
        "dst_packets",
        "icmp_type",
        "icmp_code",
    ):
        if name in numbers:
            found[name] = min(numbers[name], 2**63 - 1)
    if "proto" in numbers:
        found["proto"] = str(numbers["proto"])
    if "icmp" in numbers:
        found["icmp_type"], found["icmp_code"] = divmod(numbers["icmp"], 256)
    if bits := [numbers[name] for name in ("flags", "initial", "union") if name in numbers]:
        found["flags"] = letters_of(reduce(or_, bits))
    found["ts"], found["end"] = _time(numbers, exported, 0), _time(numbers, exported, 1)
    return found


def _time(numbers: Mapping[str, int], exported: int, side: int) -> float | None:
    """The start (0) or end (1) of a flow in Unix seconds; ``None`` if it has none."""
    for first, seconds in _TIMES.items():
        if (value := numbers.get(f"time{first + side}")) is not None:
            return seconds(value, exported)
    up = numbers.get(("up_start", "up_end")[side])
    return (numbers["booted"] + up) / 1000 if up is not None and "booted" in numbers else None


def _ntp(value: int, _: int) -> float:
    return round((value >> 32) - _NTP + (value & 0xFFFFFFFF) / 2**32, 6)


_TIMES: Final[dict[int, Callable[[int, int], float]]] = {
    150: lambda value, _: float(value), 152: lambda value, _: value / 1000, 154: _ntp, 156: _ntp,
    158: lambda value, exported: exported - value / 10**6,
}  # fmt: skip
"""How elements say the start of a flow, by their numbers; the next number is that of its end."""
