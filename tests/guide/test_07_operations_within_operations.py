"""§7: a daily report made of hourly ones, all of which are kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from rave_core import op

pytestmark = pytest.mark.usefixtures("runtime")
Ran = Callable[[], list[str]]


@dataclass(frozen=True)
class Day:
    """A day of the calendar, with the hours that the guide's listing asks it for."""

    name: str

    def hours(self):
        """The hours of the day, of which four do for a test."""
        return [f"{self.name}T{hour:02}" for hour in range(4)]


def aggregate(data):
    """Plain, since nobody asks for the same aggregate twice."""
    return "+".join(data)


def visualize(protos, ports):
    """One picture of all."""
    return f"[{protos}|{ports}]"


@op
def generate_hourly_port_report(hour, port):
    """One hour of one port."""
    print("hourly port")
    return f"{hour}:port{port}"


@op
def generate_hourly_proto_report(hour, proto):
    """One hour of one protocol."""
    print("hourly proto")
    return f"{hour}:proto{proto}"


@op
def generate_proto_reports(day, proto):
    """A day of one protocol."""
    print("daily proto")
    return aggregate([generate_hourly_proto_report(hour, proto) for hour in day.hours()])


@op
def generate_port_reports(day, port):
    """A day of one port."""
    print("daily port")
    return aggregate([generate_hourly_port_report(hour, port) for hour in day.hours()])


@op
def generate_daily_reports(day):
    """Everything about a day."""
    print("daily")
    protos = aggregate([generate_proto_reports(day, proto) for proto in (1, 6, 17)])
    ports = aggregate([generate_port_reports(day, port) for port in (22, 25, 80)])
    return visualize(protos, ports)


ALL = {"daily": 1, "daily proto": 3, "daily port": 3, "hourly proto": 12, "hourly port": 12}


def test_one_daily_report_keeps_everything_it_was_made_from(ran: Ran) -> None:
    """Drilling down into a day's report runs no body any more."""
    day = Day("2007-04-27")
    report = generate_daily_reports(day)
    assert Counter(ran()) == ALL
    assert generate_proto_reports(day, 6) in report
    assert generate_hourly_port_report("2007-04-27T03", 80) in report
    assert ran() == []


def test_hourly_reports_made_during_the_day_speed_up_the_daily_one(ran: Ran) -> None:
    """What ran after each hour is not run again at the end of the day."""
    day = Day("2007-04-28")
    for hour in day.hours():
        for proto in (1, 6, 17):
            generate_hourly_proto_report(hour, proto)
        for port in (22, 25, 80):
            generate_hourly_port_report(hour, port)
    ran()
    generate_daily_reports(day)
    assert Counter(ran()) == {"daily": 1, "daily proto": 3, "daily port": 3}


def test_another_day_shares_nothing(ran: Ran) -> None:
    """Days are told apart by value, and an equal day is the same day."""
    first = generate_daily_reports(Day("2007-04-29"))
    ran()
    assert generate_daily_reports(Day("2007-04-30")) != first
    assert Counter(ran()) == ALL
    assert generate_daily_reports(Day("2007-04-29")) == first
    assert ran() == []
