"""Files of IPFIX messages (RFC 7011, RFC 5655), as YAF writes them."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Final

from rave_flow.errors import UnreadableError
from rave_flow.formats.ipfix_elements import COLUMNS, LIST, columns_of, is_end, is_of_flows, is_sampled, names_of
from rave_flow.formats.sequences import Sequences

_VERSION, _TEMPLATES, _OPTIONS, _FIRST_DATA, _VARIABLE = 10, 2, 3, 256, 65535
_HEAD, _HEAD_BYTES, _SET, _SET_BYTES = ">HHIII", 16, ">HH", 4
_OF_ENTERPRISE: Final = 0x8000
_FLAGS: Final = ("initial", "union")
"""What counts of the records in a list."""

Row = tuple[int, tuple[Any, ...]]
"""The number of a record, and the values of its flow in the order of `COLUMNS`."""


@dataclass(frozen=True, slots=True)
class Template:
    """How records of one kind are laid out.

    Attributes:
        fields: of each element what it says, ``None`` if nothing of a flow, and its size.
        is_option: whether they tell of the exporter, and not of traffic.
    """

    fields: tuple[tuple[str | None, int], ...]
    is_option: bool = False

    @property
    def least(self) -> int:
        """The fewest bytes of a record."""
        return sum(1 if size == _VARIABLE else size for _, size in self.fields)

    @property
    def is_of_flows(self) -> bool:
        """Whether records are flows, if they are no events."""
        return is_of_flows([name for name, _ in self.fields])

    def records(self, content: bytes) -> Iterator[dict[str, bytes]]:
        """The values of each record of a set, by what they say. Fewer bytes than a record has are padding.

        Raises:
            ValueError, IndexError: a record is damaged.
        """
        place, least = 0, self.least
        if not least:
            raise ValueError("records without any bytes")
        while place + least <= len(content):
            values: dict[str, bytes] = {}
            for name, size in self.fields:
                if size == _VARIABLE:
                    size, place = _variable(content, place)
                if name is not None:
                    values[name] = content[place : place + size]
                place += size
            if place > len(content):
                raise ValueError(place)
            yield values


@dataclass(slots=True)
class Ipfix:
    """A file on its way.

    Attributes:
        path: for messages.
        number: how many records were read, without those that tell of the exporter.
        faults: how many are left out, by reason, one of `rave_flow.model.left_out.REASONS`.
        first: the number of the first of them, and what is wrong with it.
        sampled: how many flows are of sampled packets.
        sequences: which records are missing that the exporters sent.
    """

    path: str
    number: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    first: tuple[int, str] | None = None
    sampled: int = 0
    sequences: Sequences = field(default_factory=Sequences)
    _records_of_message: int = 0
    _is_counted: bool = True
    _templates: dict[tuple[int, int], Template] = field(default_factory=dict)
    _sampling: set[int] = field(default_factory=set)

    def flows(self, source: BinaryIO) -> Iterator[Row]:
        """Each record that is a flow, numbered from 1. Holds one message at a time.

        Raises:
            UnreadableError: it is not IPFIX.
        """
        while head := _exactly(source, _HEAD_BYTES):
            version, size, exported, sequence, domain = struct.unpack(_HEAD, head.ljust(_HEAD_BYTES, b"\0"))
            if version != _VERSION or size < _HEAD_BYTES:
                raise UnreadableError(f"{self.path}: is no IPFIX after {self.number} records")
            body = _exactly(source, size - _HEAD_BYTES)
            is_whole = len(head) + len(body) == size
            self._records_of_message, self._is_counted = 0, is_whole
            try:
                yield from self._message(body, exported, domain)
            except (struct.error, IndexError, ValueError):
                self._is_counted = False
                if is_whole:
                    self._leave_out("line", "is damaged, with the rest of its message")
            if not is_whole:
                self._leave_out("line", "is cut, with all after it")
            self.sequences.take(domain, sequence, self._records_of_message if self._is_counted else None, exported)

    def _message(self, body: bytes, exported: int, domain: int) -> Iterator[Row]:
        place = 0
        while place + _SET_BYTES <= len(body):
            kind, size = struct.unpack_from(_SET, body, place)
            if size < _SET_BYTES or place + size > len(body):
                raise ValueError(size)
            content = body[place + _SET_BYTES : place + size]
            place += size
            if kind in (_TEMPLATES, _OPTIONS):
                self._learn(content, domain, is_option=kind == _OPTIONS)
            elif kind >= _FIRST_DATA:
                yield from self._records(content, exported, domain, kind)

    def _learn(self, content: bytes, domain: int, *, is_option: bool) -> None:
        """Takes the templates of a set, or that some are withdrawn."""
        place = 0
        while place + _SET_BYTES <= len(content):
            kind, count = struct.unpack_from(_SET, content, place)
            place += _SET_BYTES + (2 if is_option and count else 0)
            elements, sizes = [], []
            for _ in range(count):
                number, size = struct.unpack_from(_SET, content, place)
                is_own = bool(number & _OF_ENTERPRISE)
                enterprise = struct.unpack_from(">I", content, place + 4)[0] if is_own else 0
                elements.append((enterprise, number & ~_OF_ENTERPRISE))
                sizes.append(size)
                place += 8 if is_own else 4
            if count and kind >= _FIRST_DATA:
                self._templates[domain, kind] = Template(tuple(zip(names_of(elements), sizes, strict=True)), is_option)
            else:
                self._templates.pop((domain, kind), None)

    def _records(self, content: bytes, exported: int, domain: int, kind: int) -> Iterator[Row]:
        template = self._templates.get((domain, kind))
        if template is None:
            self._is_counted = False
            self._leave_out("line", "and those beside it have a template that is not in the file before them")
            return
        is_of_flows = template.is_of_flows
        for values in template.records(content):
            self._records_of_message += 1
            if template.is_option:
                if is_sampled(values):
                    self._sampling.add(domain)
                continue
            self.number += 1
            if not is_of_flows or not is_end(values):
                self._leave_out("event", "is no end of a flow", self.number)
                continue
            if LIST in values:
                self._unfold(values, domain)
            self.sampled += domain in self._sampling or is_sampled(values)
            found = columns_of(values, exported)
            yield self.number, tuple(map(found.get, COLUMNS))

    def _unfold(self, values: dict[str, bytes], domain: int) -> None:
        """Adds what the records in a list tell of a flow. What the list has beside that may be anything."""
        content, place = values[LIST], 1
        while place + _SET_BYTES <= len(content):
            kind, size = struct.unpack_from(_SET, content, place)
            template = self._templates.get((domain, kind))
            if template is not None and not {name for name, _ in template.fields}.isdisjoint(_FLAGS):
                for inner in template.records(content[place + _SET_BYTES : place + size]):
                    values.update({name: inner[name] for name in _FLAGS if name in inner})
            place += max(size, _SET_BYTES)

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
