"""Events over a real server: the contract of buses, and a server that goes away, hangs and comes back."""

from __future__ import annotations

import threading

import pytest
from rave_valkey.plugin import open_valkey_bus

from rave_core import Runtime, Settings
from rave_core.backend import StoreURL
from rave_core.errors import ConfigurationError
from rave_core.testing import BusContract


class TestValkeyBus(BusContract):
    """The contract, on a channel of each test's own."""

    @pytest.fixture(autouse=True)
    def _place(self, shared, prefix):
        self._url = shared.url(options=f"?channel={prefix}")

    def open_bus(self):
        """Another connection to the channel."""
        return open_valkey_bus(StoreURL(self._url))

    def url(self):
        """By which other processes find it."""
        return self._url


class Listener:
    """A process that listens, and one that publishes, over one server."""

    def __init__(self, server, options=""):
        settings = Settings(cache="memory://", events=server.url(options=options))
        self.runtimes = [Runtime(settings) for _ in range(2)]
        self.here, self.there = (each.events for each in self.runtimes)
        self.numbers, self.losses = [], []
        self._news = threading.Condition()
        self.there.subscribe("test.n", self._take, on_lost=self._miss)

    def _take(self, event):
        with self._news:
            self.numbers.append(event.data["n"])
            self._news.notify_all()

    def _miss(self, loss):
        with self._news:
            self.losses.append(loss)
            self._news.notify_all()

    def publish_until(self, condition):
        """Publishes until the condition holds."""
        for number in range(400):
            if condition():
                return
            self.here.publish("test.n", {"n": number})
            with self._news:
                self._news.wait_for(condition, 0.05)
        raise AssertionError(f"heard {self.numbers}, lost {self.losses}; {self.there.check()}")

    def close(self):
        """Both."""
        for each in self.runtimes:
            each.close()


def test_a_server_that_comes_back_is_listened_to_again(start_valkey):
    """The subscriber learns that it may have missed events, and gets the later ones; publishing never fails."""
    server = start_valkey()
    listener = Listener(server)
    listener.publish_until(lambda: listener.numbers)
    server.stop()
    for number in range(3):
        listener.here.publish("test.n", {"n": number})
    server.start()
    listener.publish_until(lambda: any(loss.count is None for loss in listener.losses))
    heard = len(listener.numbers)
    listener.publish_until(lambda: len(listener.numbers) > heard)
    assert "the connection was lost: " in next(loss.reason for loss in listener.losses if loss.count is None)
    assert listener.there.check() is None
    listener.close()


def test_a_server_that_is_away_at_the_start_is_waited_for(start_valkey):
    """Nothing fails meanwhile, and ``check`` says what is wrong."""
    server = start_valkey()
    server.stop()
    listener = Listener(server)
    listener.publish_until(lambda: listener.there.check())
    assert "Valkey at 127.0.0.1" in listener.there.check()
    server.start()
    listener.publish_until(lambda: listener.numbers)
    listener.close()


def test_a_server_that_hangs_counts_as_lost(start_valkey):
    """It is asked for a sign of life; a connection that stays open is no sign."""
    server = start_valkey()
    listener = Listener(server, "?timeout=0.3s")
    listener.publish_until(lambda: listener.numbers)
    server.freeze()
    listener.publish_until(lambda: listener.there.check())
    server.stop()
    listener.close()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("valkey://", "no host is named"),
        ("valkey://h?chanel=a", "did you mean 'channel'?"),
        ("valkey://h?channel=", "can't be a channel"),
        ("valkey://h?timeout=0", "from 0.1s to 1h"),
    ],
)
def test_a_wrong_url_is_refused(url, said):
    """By the part that is wrong."""
    with pytest.raises(ConfigurationError, match=said.replace("?", r"\?")):
        open_valkey_bus(StoreURL(url))
