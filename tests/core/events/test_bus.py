"""Events over a bus: the contract, with the smallest bus there is, and what happens when a bus is in trouble."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from rave_core.clock import SystemClock
from rave_core.errors import BackendError
from rave_core.events import Bus, Event, Events, Loss
from rave_core.testing import BusContract


class SharedBus(Bus):
    """A bus within this process; ``members`` are those that are open.

    Attributes:
        broken: whether sending fails.
        slow: set while sending goes on.
    """

    def __init__(self, members: list[Any]) -> None:
        self.members = members
        self.broken = False
        self.slow = threading.Event()
        self.slow.set()
        self.receivers: list[tuple[Any, Any]] = []
        members.append(self)

    def send(self, message: bytes) -> None:
        """To all members, itself included."""
        self.slow.wait(10)
        if self.broken:
            raise BackendError("the bus is broken")
        for member in list(self.members):
            for receive, _ in member.receivers:
                receive(message)

    def listen(self, receive: Any, interrupted: Any) -> None:
        """From now on."""
        self.receivers.append((receive, interrupted))

    def close(self) -> None:
        """Leaves."""
        if self in self.members:
            self.members.remove(self)


class TestSharedBus(BusContract):
    """The contract holds for a bus of twenty lines."""

    members: list[Any]

    @pytest.fixture(autouse=True)
    def _members(self) -> None:
        self.members = []

    def open_bus(self) -> Bus:
        """Reaches those of the same test."""
        return SharedBus(self.members)


def eventually(condition: Callable[[], Any]) -> Any:
    """What ``condition`` gives as soon as it is true, within ten seconds."""
    for _ in range(1000):
        if found := condition():
            return found
        time.sleep(0.01)
    raise AssertionError("it never came true")


@pytest.fixture
def pair() -> Any:
    """Two processes, and their buses."""
    members: list[Any] = []
    here, there = (Events(SystemClock(), lambda: SharedBus(members)) for _ in range(2))
    yield here, there, members
    here.close()
    there.close()


def test_a_bus_that_is_slow_makes_nobody_wait(pair: Any) -> None:
    """Subscribers of the same process get all; others learn what was dropped."""
    here, there, members = pair
    got: list[Event] = []
    losses: list[Loss] = []
    own: list[Event] = []
    here.subscribe("a", own.append, queue=100_000)
    there.subscribe("a", got.append, on_lost=losses.append, queue=100_000)
    here.publish("a", {"n": -1})
    eventually(lambda: got)
    members[0].slow.clear()
    started = time.monotonic()
    for number in range(20_000):
        here.publish("a", {"n": number})
    assert time.monotonic() - started < 5
    members[0].slow.set()
    eventually(lambda: len(own) == 20_001)
    eventually(lambda: got[-1].data["n"] == 19_999)
    assert len(got) + sum(loss.count or 0 for loss in losses) == 20_001
    assert sum(loss.count or 0 for loss in losses) > 9_000


def test_a_bus_that_fails_costs_only_what_other_processes_miss(pair: Any, caplog: pytest.LogCaptureFixture) -> None:
    """It is logged once; once it works again, others learn how many they missed."""
    here, there, members = pair
    got: list[Event] = []
    losses: list[Loss] = []
    there.subscribe("a", got.append, on_lost=losses.append)
    here.publish("a", {"n": 0})
    eventually(lambda: got)
    (bus,) = [each for each in members if not each.receivers]
    bus.broken = True
    for number in (1, 2, 3):
        here.publish("a", {"n": number})
    eventually(lambda: "events do not reach other processes: BackendError: the bus is broken" in caplog.text)
    bus.broken = False
    here.publish("a", {"n": 4})
    eventually(lambda: losses)
    eventually(lambda: got[-1].data["n"] == 4)
    assert sum(loss.count or 0 for loss in losses) + len(got) == 5


def test_an_interruption_is_told_to_every_subscriber(pair: Any) -> None:
    """With its reason; nobody knows how many events were missed."""
    _, there, members = pair
    losses: list[Loss] = []
    there.subscribe("a", print, on_lost=losses.append)
    (bus,) = [each for each in members if each.receivers]
    bus.receivers[0][1]("the connection was lost")
    eventually(lambda: losses == [Loss(None, "the connection was lost")])


def test_nothing_is_sent_while_nobody_listens(pair: Any) -> None:
    """A bus that knows it saves the work."""
    here, _, members = pair
    here.publish("a", {})
    members[0].is_wanted = False
    assert not here.is_heard("a")
    members[0].is_wanted = True
    assert here.is_heard("a")


def test_a_bus_can_be_attached_later() -> None:
    """As the service does for its workers; subscriptions made before hear it."""
    members: list[Any] = []
    here, there = Events(SystemClock()), Events(SystemClock())
    got: list[Event] = []
    there.subscribe("a", got.append)
    for each in (here, there):
        each.attach(SharedBus(members))
    here.publish("a", {"n": 1})
    eventually(lambda: got)
    here.close()
    there.close()
    assert not members
