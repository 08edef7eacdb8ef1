"""Which values are immutable, so that many callers may share one object."""

from __future__ import annotations

import functools
import sys
from enum import Enum
from typing import Any

from rave_core.codecs.tables import is_exactly

MAX_ITEMS = 1000
"""Items of nested tuples and frozensets that ``is_immutable`` looks at before it gives up."""

_ATOMS = frozenset({type(None), bool, int, float, complex, str, bytes})


def is_immutable(value: object, *, tables: bool = True) -> bool:
    """Whether ``value`` is immutable, so that many callers may share it.

    Goes by exact types; ``False`` if it is not certain, or after ``MAX_ITEMS`` items. A pyarrow table counts if
    ``tables``: it can only change through memory that its maker still holds.
    """
    if type(value) in _ATOMS:
        return True
    pending, seen = [value], 0
    while pending:
        item = pending.pop()
        kind = type(item)
        if kind in _ATOMS:
            continue
        if isinstance(item, tuple | frozenset) and kind in (tuple, frozenset):
            seen += len(item)
            if seen > MAX_ITEMS:
                return False
            pending.extend(item)
        elif not (_is_table(item) if kind.__module__.startswith("pyarrow") and tables else _is_immutable_object(item)):
            return False
    return True


def _is_immutable_object(value: Any) -> bool:
    frozen, timed, zones = _immutable_types()
    kind = type(value)
    if kind in frozen:
        return True
    if kind in timed:
        return type(value.tzinfo) in zones
    if issubclass(kind, Enum):
        return True
    if kind.__module__ == "numpy":
        np: Any = sys.modules["numpy"]
        return isinstance(value, np.generic) and not isinstance(value, np.void | np.object_)
    return False


def _is_table(value: object) -> bool:
    return is_exactly(value, "pyarrow", "Table") or is_exactly(value, "pyarrow", "RecordBatch")


@functools.cache
def _immutable_types() -> tuple[frozenset[type], frozenset[type], frozenset[type]]:
    import datetime as dt
    import ipaddress as ip
    import pathlib
    from decimal import Decimal
    from fractions import Fraction
    from uuid import UUID
    from zoneinfo import ZoneInfo

    zones = frozenset({type(None), dt.timezone, ZoneInfo})
    paths = {pathlib.PurePosixPath, pathlib.PureWindowsPath, pathlib.PosixPath, pathlib.WindowsPath}
    addresses = {ip.IPv4Address, ip.IPv6Address, ip.IPv4Network, ip.IPv6Network, ip.IPv4Interface, ip.IPv6Interface}
    numbers: set[type] = {Decimal, Fraction, UUID, range, dt.date, dt.timedelta}
    frozen = frozenset(numbers | addresses | paths | zones)
    return frozen, frozenset({dt.datetime, dt.time}), zones
