"""The breaker that leaves a layer in trouble alone."""

from __future__ import annotations

import logging
import threading

import pytest

from rave_backends.layered.breaker import FAILURES, FIRST_PAUSE, LONGEST_PAUSE, SLOW, Breaker
from rave_core.errors import BackendError


class Layer:
    """Counts its calls; each takes ``seconds`` and, while it is ``down``, fails."""

    def __init__(self, clock):
        self.clock = clock
        self.seconds = 0.0
        self.down = True
        self.calls = 0

    def __repr__(self):
        return "Layer()"

    def ask(self):
        """An answer."""
        self.calls += 1
        self.clock.advance(self.seconds)
        if self.down:
            raise OSError("no route")
        return "answer"


@pytest.fixture
def layer(clock):
    """A layer that is down."""
    return Layer(clock)


@pytest.fixture
def breaker(layer, clock):
    """Its breaker."""
    return Breaker(layer, clock)


def fail(breaker, layer, times=FAILURES):
    """Has calls fail."""
    for _ in range(times):
        with pytest.raises(OSError, match="no route"):
            breaker.call(layer.ask)


def test_a_layer_that_keeps_failing_is_left_alone(breaker, layer):
    """Its reason is told to whoever asks meanwhile."""
    fail(breaker, layer)
    with pytest.raises(BackendError, match=r"Layer\(\) is skipped .* in 1 s: no route"):
        breaker.call(layer.ask)
    assert layer.calls == FAILURES
    assert breaker.is_open


def test_failures_that_are_not_in_a_row_open_nothing(breaker, layer):
    """One answer starts the count anew."""
    for _ in range(3):
        fail(breaker, layer, FAILURES - 1)
        layer.down = False
        assert breaker.call(layer.ask) == "answer"
        layer.down = True
    assert not breaker.is_open


def test_one_slow_failure_is_enough(breaker, layer):
    """Nobody else should wait as long."""
    layer.seconds = SLOW
    fail(breaker, layer, 1)
    with pytest.raises(BackendError, match="is skipped because it is in trouble"):
        breaker.call(layer.ask)


def test_what_is_not_there_is_no_trouble(breaker, layer):
    """``FileNotFoundError`` is an answer."""

    def absent():
        raise FileNotFoundError

    for _ in range(FAILURES + 1):
        with pytest.raises(FileNotFoundError):
            breaker.call(absent)
    assert not breaker.is_open


def test_it_comes_back_by_itself(breaker, layer, clock, caplog):
    """After the pause one call tries; opening and closing are told once each."""
    caplog.set_level(logging.WARNING, "rave")
    fail(breaker, layer, FAILURES)
    layer.down = False
    clock.advance(FIRST_PAUSE)
    assert [breaker.call(layer.ask) for _ in range(3)] == ["answer"] * 3
    assert not breaker.is_open
    told = [record.getMessage() for record in caplog.records]
    assert told == [
        "Layer() is in trouble, and skipped until it responds: no route",
        "Layer() responds again",
    ]


def test_each_failed_trial_doubles_the_pause(breaker, layer, clock):
    """Up to a minute."""
    fail(breaker, layer)
    pause = FIRST_PAUSE
    for _ in range(10):
        clock.advance(pause - 0.01)
        with pytest.raises(BackendError, match="is skipped because it is in trouble"):
            breaker.call(layer.ask)
        clock.advance(0.01)
        fail(breaker, layer, 1)
        pause = min(pause * 2, LONGEST_PAUSE)
    assert layer.calls == FAILURES + 10


def test_only_one_call_is_the_trial(breaker, layer, clock):
    """The others are refused while it waits, so that a hanging store holds one thread and not all."""
    fail(breaker, layer)
    clock.advance(FIRST_PAUSE)
    entered, leave = threading.Event(), threading.Event()

    def hang():
        entered.set()
        assert leave.wait(10)
        return "answer"

    answers = []
    thread = threading.Thread(target=lambda: answers.append(breaker.call(hang)))
    thread.start()
    assert entered.wait(10)
    with pytest.raises(BackendError, match="is skipped because it is in trouble"):
        breaker.call(layer.ask)
    leave.set()
    thread.join(10)
    assert answers == ["answer"]
    assert not breaker.is_open


def test_a_trial_that_is_interrupted_leaves_room_for_another(breaker, layer, clock):
    """As by Ctrl-C, which says nothing of the store."""
    fail(breaker, layer)
    clock.advance(FIRST_PAUSE)

    def interrupted():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        breaker.call(interrupted)
    layer.down = False
    assert breaker.call(layer.ask) == "answer"
