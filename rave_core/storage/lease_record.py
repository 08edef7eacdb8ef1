"""The record of a lease: what it says about its holder."""

from __future__ import annotations

import msgspec


class LeaseRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a lease says about its holder.

    Attributes:
        owner: a token of this claim alone.
        host, pid, start: the holding process (see `rave_core.system.host`).
        beat: grows with every heartbeat.
        operation: what is being computed.
        since: Unix time of the claim, by the holder's clock.
        done, total, text: the latest progress.
        waits: keys of other processes that the work waits for.
    """

    owner: str
    host: str
    pid: int
    start: str
    operation: str
    since: float
    beat: int = 0
    done: float | None = None
    total: float | None = None
    text: str = ""
    waits: tuple[str, ...] = ()


def read_record(data: bytes | None) -> LeaseRecord | None:
    """The record in ``data``; ``None`` if there is none, or none that can be read (it is being written)."""
    if not data:
        return None
    try:
        return msgspec.json.decode(data, type=LeaseRecord)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
