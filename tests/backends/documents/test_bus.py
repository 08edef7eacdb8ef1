"""Events over a real PostgreSQL: the contract of buses, and a database that goes away and comes back."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from rave_backends.plugin import open_postgresql_bus
from rave_core.backend import StoreURL
from rave_core.clock import SystemClock
from rave_core.errors import ConfigurationError
from rave_core.events import Bus, Event, Events, Loss
from rave_core.testing import BusContract


class TestPostgresBus(BusContract):
    """The contract, on a channel of each test's own."""

    @pytest.fixture(autouse=True)
    def _place(self, postgresql: Any) -> None:
        self._url = f"postgresql://rave@127.0.0.1:{postgresql.port}/postgres?channel=t{uuid4().hex}"

    def open_bus(self) -> Bus:
        """Another connection to the channel."""
        return open_postgresql_bus(StoreURL(self._url))

    def url(self) -> str:
        """By which other processes find it."""
        return self._url


@pytest.fixture
def pair(postgresql_to_restart: Any) -> Iterator[tuple[Events, Events]]:
    """A process that publishes, and one that listens."""
    url = f"postgresql://rave@127.0.0.1:{postgresql_to_restart.port}/postgres?channel=t{uuid4().hex}"
    here, there = (Events(SystemClock(), lambda: open_postgresql_bus(StoreURL(url))) for _ in range(2))
    yield here, there
    here.close()
    there.close()


def test_a_database_that_comes_back_is_listened_to_again(
    pair: tuple[Events, Events], postgresql_to_restart: Any
) -> None:
    """The subscriber learns that it may have missed events, and gets the later ones; publishing never fails."""
    here, there = pair
    news = threading.Event()
    heard: list[Event] = []
    losses: list[Loss] = []

    def take(event: Event) -> None:
        heard.append(event)
        news.set()

    there.subscribe("test.n", take, on_lost=losses.append)

    def publish_until_heard() -> None:
        news.clear()
        for number in range(400):
            here.publish("test.n", {"n": number})
            if news.wait(0.05):
                return
        raise AssertionError(there.check())

    publish_until_heard()
    postgresql_to_restart.stop()
    for number in range(3):
        here.publish("test.n", {"n": number})
    postgresql_to_restart.start()
    publish_until_heard()
    assert any(loss.count is None and "PostgreSQL gives no events" in loss.reason for loss in losses)
    assert there.check() is None


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://h/d?chanel=a", "did you mean 'channel'"),
        ("postgresql://h/d?channel=a-b", "can't be a channel"),
        ("postgresql://h:x/d", "expected postgresql://host:5432/database"),
    ],
)
def test_a_wrong_url_is_refused(url: str, said: str) -> None:
    """By the part that is wrong."""
    with pytest.raises(ConfigurationError, match=said):
        open_postgresql_bus(StoreURL(url))
