"""Time zones in an encoding: by their rule. Two zones of one name can keep different time."""

from __future__ import annotations

import os
import time
from collections.abc import Hashable
from functools import cache
from hashlib import blake2b
from pathlib import Path
from pickle import PicklingError
from typing import Any

from rave_core.errors import UnencodableError
from rave_core.fingerprint.builtins import piece
from rave_core.fingerprint.parts import Parts


def zone_info_key(zone: Any) -> str:
    """The key of a ``ZoneInfo``.

    Raises:
        UnencodableError: it was read from a file, so it does not show its rule, and its key can be anything.
    """
    try:
        zone.__reduce__()
    except PicklingError:
        raise UnencodableError(
            "a ZoneInfo that was read from a file does not show its rule; make it by name: ZoneInfo('Europe/Berlin')"
        ) from None
    return str(zone.key)


def pytz_parts(zone: Any) -> Parts:
    """A pytz zone: its name, the offset of this instance, and all changes of the offset."""
    yield "", (zone.zone, type(zone).__module__, type(zone).__name__)
    for name in ("_utcoffset", "_dst", "_tzname", "_minutes"):
        yield f".{name}", getattr(zone, name, None)
    yield "", _changes(type(zone))  # type: ignore[arg-type]  # a class is hashable, although its type does not show it


@cache
def _changes(cls: Hashable) -> bytes:
    changes = getattr(cls, "_utc_transition_times", None), getattr(cls, "_transition_info", None)
    return blake2b(piece(changes, set()), digest_size=16).digest()


def local_zone_parts(zone: Any) -> Parts:
    """dateutil's local zone: its offsets and names, and the rule of this host."""
    yield ".__dict__", vars(zone)
    yield "", (time.timezone, time.altzone, time.tzname)
    yield "", os.environ.get("TZ") or _rule_of_host()


def _rule_of_host() -> bytes | None:
    try:
        return blake2b(Path("/etc/localtime").read_bytes(), digest_size=16).digest()
    except OSError:
        return None


def parts_of(cls: type) -> tuple[str, Any] | None:
    """The tag and the parts of a time zone class with its own encoding, or ``None``."""
    module = str(cls.__module__)
    if module in ("pytz", "pytz.tzfile", "pytz.tzinfo") and hasattr(cls, "zone"):
        return "pytz zone", pytz_parts
    if module == "dateutil.tz.tz" and cls.__name__ == "tzlocal":
        return "local zone", local_zone_parts
    return None
