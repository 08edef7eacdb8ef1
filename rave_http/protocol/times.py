"""Moments as documents write them: ISO 8601 in UTC."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

_EPOCH: Final = datetime.fromtimestamp(0, UTC)
_FIRST: Final = datetime.min.replace(tzinfo=UTC)
_LAST: Final = datetime.max.replace(tzinfo=UTC)


def iso(seconds: float, *, timespec: Literal["seconds", "milliseconds"] = "milliseconds") -> str:
    """Unix seconds as ISO 8601, in UTC.

    The form has no years before 1 nor after 9999: what lies beyond them, however far, is the first or last moment that
    it has; what is no number is the first.

    Args:
        seconds: since 1970; may be infinite.
        timespec: how exactly.
    """
    try:
        moment = _EPOCH + timedelta(seconds=seconds)
    except (OverflowError, ValueError):
        moment = _FIRST if math.isnan(seconds) or seconds < 0 else _LAST
    return moment.isoformat(timespec=timespec)
