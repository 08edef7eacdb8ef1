"""The types of the operations' arguments."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from rave_core import current_runtime
from rave_core.converters import FunctionConverter, to_datetime
from rave_monitor.sample_history import NAME, SampleHistory, opened
from rave_monitor.settings import MonitorSettings

if TYPE_CHECKING:
    from rave_monitor.sample_store import SampleStore

_MOST_SECONDS: Final = 1e12


@dataclass(frozen=True, slots=True)
class MonitorChoice:
    """A monitor, with the database of its samples, so that equal names elsewhere make other keys.

    Attributes:
        name: of the monitor.
        url: of the database.
    """

    name: str
    url: str

    def __rave_key__(self) -> object:
        """What represents it in a key: without a password."""
        return self.name, opened(self.url).shown

    @property
    def store(self) -> SampleStore:
        """Its samples."""
        from rave_monitor.sample_store import SampleStore  # a worker that is never asked needs no SQLAlchemy

        return SampleStore(opened(self.url), self.name)

    @property
    def history(self) -> SampleHistory:
        """Its samples in time."""
        return SampleHistory(self.store)


def to_monitor(value: Any) -> MonitorChoice:
    """The monitor of a name, in the database of the settings.

    Raises:
        TypeError: not a name.
    """
    if isinstance(value, MonitorChoice):
        return value
    if not isinstance(value, str) or not NAME.fullmatch(value):
        raise TypeError("expected the name of a monitor, such as 'monitor'")
    return MonitorChoice(value, MonitorSettings.url(current_runtime().settings))


def to_moment(value: Any) -> float:
    """Unix seconds: of numbers, their text, or ISO 8601 text, which is UTC without a zone.

    Raises:
        TypeError, ValueError: anything else.
    """
    if isinstance(value, bool):
        raise TypeError("expected Unix seconds or ISO 8601, such as 2026-11-30T10:00")
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        found: datetime = to_datetime(value)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    if not abs(seconds) < _MOST_SECONDS:
        raise ValueError("expected Unix seconds")
    return seconds


monitor_name = FunctionConverter(
    "monitor", to_monitor, {"type": "string", "pattern": f"^{NAME.pattern}$"}, volatile=True, refers=True
)
moment = FunctionConverter(
    "moment",
    to_moment,
    {
        "anyOf": [
            {"type": "number", "exclusiveMinimum": -_MOST_SECONDS, "exclusiveMaximum": _MOST_SECONDS},
            {"type": "string", "format": "date-time"},
            {"type": "string", "pattern": r"^-?[0-9]{1,12}(?:\.[0-9]{1,9})?$"},
        ]
    },
)
