"""Times as they appear in documents: ISO 8601 in UTC."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

_EPOCH: Final = datetime.fromtimestamp(0, UTC)
_FIRST: Final = datetime.min.replace(tzinfo=UTC)
_LAST: Final = datetime.max.replace(tzinfo=UTC)


def iso(seconds: float, *, timespec: Literal["seconds", "milliseconds"] = "milliseconds") -> str:
    """Unix seconds as ISO 8601, in UTC.

    The format has no years before 1 or after 9999. A time beyond them becomes the first or last moment of the format;
    NaN becomes the first.

    Args:
        seconds: since 1970; may be infinite.
        timespec: how exactly.
    """
    try:
        moment = _EPOCH + timedelta(seconds=seconds)
    except (OverflowError, ValueError):
        moment = _FIRST if math.isnan(seconds) or seconds < 0 else _LAST
    return moment.isoformat(timespec=timespec)
