"""Events as messages of a bus. Every event has a number, so that receivers see how many are missing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from rave_core.events.event import Event, EventData

_MOST_ORIGINS = 1000


class _Numbered(msgspec.Struct, frozen=True, array_like=True):
    number: int
    topic: str
    time: float
    data: EventData


class _Message(msgspec.Struct, frozen=True, array_like=True):
    origin: str
    events: list[_Numbered]


_decoder = msgspec.json.Decoder(_Message)
_encoder = msgspec.json.Encoder(enc_hook=str)


def encoded(origin: str, events: Iterable[tuple[int, Event]], max_bytes: int) -> Iterator[bytes]:
    """Messages of at most ``max_bytes`` that hold the numbered events of ``origin``, in order.

    An event that JSON has no form for, or that is larger, is left out; its number is missing then.
    """
    head = b"[" + _encoder.encode(origin) + b",["
    parts: list[bytes] = []
    size = room = max_bytes - len(head) - 2
    for number, event in events:
        try:
            part = _encoder.encode(_Numbered(number, event.topic, event.time, event.data))
        except Exception:  # noqa: BLE001, S112  # values of any type, whose code may raise anything; the gap tells
            continue
        if len(part) > room:
            continue
        if len(part) + 1 > size and parts:
            yield head + b",".join(parts) + b"]]"
            parts, size = [], room
        parts.append(part)
        size -= len(part) + 1
    if parts:
        yield head + b",".join(parts) + b"]]"


class Receiver:
    """Reads messages and counts what is missing. For one thread at a time."""

    def __init__(self, own: str) -> None:
        """Leaves out the messages of ``own``, the origin of this process."""
        self._own = own
        self._last: dict[str, int] = {}

    def read(self, message: bytes) -> tuple[list[Event], int]:
        """The events of a message, and how many of that origin are missing before or between them.

        What comes before the first message of an origin is not missed. A message that is none gives nothing.
        """
        try:
            found = _decoder.decode(message)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return [], 0
        if found.origin == self._own or not found.events:
            return [], 0
        last = self._last.pop(found.origin, None)  # popped, so that the table is ordered by use
        missing = 0
        for each in found.events:
            if last is not None:
                missing += max(each.number - last - 1, 0)
            last = each.number
        self._last[found.origin] = last or 0
        if len(self._last) > _MOST_ORIGINS:
            del self._last[next(iter(self._last))]
        return [Event(each.topic, each.data, each.time, found.origin) for each in found.events], missing
