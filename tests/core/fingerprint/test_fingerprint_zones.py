"""The encoding of time zones, and of moments in them."""

from __future__ import annotations

import datetime as dt
import io
import zoneinfo
from collections.abc import Callable
from typing import Any

import dateutil.tz
import pandas as pd
import pytest
import pytz

from rave_core.errors import UnencodableError
from rave_core.fingerprint.encoder import encode

NOON = dt.datetime(2024, 1, 1, 12)


def fixed(hours: int) -> dt.tzinfo:
    """A zone of a name that tells nothing."""
    return dt.timezone(dt.timedelta(hours=hours), "X")


class Shifted(dt.tzinfo):
    """A zone of one's own, with a state."""

    def __init__(self, hours: int) -> None:
        self.hours = hours

    def utcoffset(self, _: object) -> dt.timedelta:
        """Always the same."""
        return dt.timedelta(hours=self.hours)

    def tzname(self, _: object) -> str:
        """A name that tells nothing."""
        return "X"

    def dst(self, _: object) -> dt.timedelta:
        """Never any."""
        return dt.timedelta(0)


ZONES: list[Callable[[], Any]] = [
    lambda: dt.UTC,
    lambda: fixed(1),
    lambda: fixed(2),
    lambda: Shifted(1),
    lambda: Shifted(2),
    lambda: zoneinfo.ZoneInfo("Europe/Berlin"),
    lambda: zoneinfo.ZoneInfo("Europe/Paris"),
    lambda: pytz.timezone("Europe/Berlin"),
    lambda: pytz.timezone("Europe/Paris"),
    lambda: pytz.FixedOffset(60),
    lambda: pytz.FixedOffset(120),
    lambda: pytz.utc,
    lambda: dateutil.tz.gettz("Europe/Berlin"),
    lambda: dateutil.tz.gettz("Europe/Paris"),
    lambda: dateutil.tz.tzoffset("X", 3600),
    lambda: dateutil.tz.tzoffset("X", 7200),
    lambda: dateutil.tz.tzlocal(),
    lambda: dateutil.tz.tzutc(),
]
NOT_OF_PANDAS: list[Callable[[], Any]] = [lambda: dateutil.tz.tzstr("EST5EDT"), lambda: dateutil.tz.tzstr("EST6EDT")]

HOLDERS: list[Callable[[Any], object]] = [
    lambda zone: zone,
    lambda zone: NOON.replace(tzinfo=zone),
    lambda zone: NOON.time().replace(tzinfo=zone),
]
PANDAS: list[Callable[[Any], object]] = [
    lambda zone: pd.Timestamp(NOON, tz=zone),
    lambda zone: pd.Series([NOON]).dt.tz_localize(zone),
    lambda zone: pd.DatetimeIndex([NOON], tz=zone),
    lambda zone: pd.DataFrame({"t": pd.Series([NOON]).dt.tz_localize(zone)}),
    lambda zone: pd.DatetimeTZDtype("ns", zone),
    lambda zone: pd.IntervalIndex.from_breaks(pd.date_range(NOON, periods=2, tz=zone)).dtype,
]


@pytest.mark.parametrize(
    ("hold", "zones"), [(hold, ZONES + NOT_OF_PANDAS) for hold in HOLDERS] + [(hold, ZONES) for hold in PANDAS]
)
def test_zones_of_different_rules_differ(hold: Callable[[Any], object], zones: list[Callable[[], Any]]) -> None:
    """Whatever their names: each zone has an encoding of its own, the same each time, also inside of what holds it."""
    encodings = [encode(hold(make())) for make in zones]
    assert encodings == [encode(hold(make())) for make in zones]
    assert len(set(encodings)) == len(zones)


def test_a_zone_that_was_read_from_a_file_is_refused() -> None:
    """Its key can be that of another zone, and it does not show its rule."""
    with pytz.open_resource("Europe/Paris") as file:
        data = file.read()
    for key in ("Europe/Berlin", None):
        zone = zoneinfo.ZoneInfo.from_file(io.BytesIO(data), key=key)
        with pytest.raises(UnencodableError, match="read from a file"):
            encode(NOON.replace(tzinfo=zone))


def test_the_zone_of_the_host_counts_by_its_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    """The local zone of another host is another zone, though it calls itself the same."""
    here = encode(dateutil.tz.tzlocal())
    monkeypatch.setenv("TZ", "Somewhere/Else")
    assert encode(dateutil.tz.tzlocal()) != here


def test_a_zone_of_pytz_counts_with_what_it_stands_for() -> None:
    """Such a zone has an instance for summer and one for winter."""
    zone = pytz.timezone("Europe/Berlin")
    summer, winter = (zone.localize(dt.datetime(2024, month, 1)).tzinfo for month in (7, 1))
    assert len({encode(zone), encode(summer), encode(winter)}) == 3
