"""What the processors that come with the monitor say, and that a state is all they need."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from rave_monitor import Abort, Processor
from rave_monitor.processors.counter import Counter
from rave_monitor.processors.last import Last
from rave_monitor.processors.rates import Rates
from rave_monitor.processors.sketches import Distinct, Quantiles, Top

EVENTS = [{"host": f"h{number % 3}", "bytes": number, "local": number < 4} for number in range(10)]
SAMPLES: list[tuple[Callable[[], Processor], dict[str, Any]]] = [
    (Counter, {"n": 10, "rate": 5.0}),
    (lambda: Counter(where={"local": True}), {"n": 4, "rate": 2.0}),
    (lambda: Rates(by="host"), {"h0": 2.0, "h1": 1.5, "h2": 1.5}),
    (lambda: Rates(by="host", most=1), {"(others)": 3.0, "h0": 2.0}),
    (Last, {"host": "h0", "bytes": 9, "local": False}),
    (lambda: Last(fields=["bytes", "none"]), {"bytes": 9}),
    (lambda: Distinct(field="host"), {"n": 3}),
    (lambda: Top(field="host", most=2), {"top": [["h0", 4], ["h1", 3]], "n": 10, "error": 0}),
    (
        lambda: Quantiles(field="bytes", quantiles=[0.5, 0.999]),
        {"n": 10, "min": 0.0, "max": 9.0, "p50": 5.0, "p99.9": 9.0},
    ),
]


@pytest.mark.parametrize("number", range(len(SAMPLES)))
def test_a_sample_is_the_same_over_a_restart(number: int) -> None:
    """In the middle of the events, from nothing but the state."""
    make, wanted = SAMPLES[number]
    first, second = make(), make()
    for event in EVENTS[:6]:
        first.event(event)
    second.load(first)
    for event in EVENTS[6:]:
        second.event(event)
    second.elapsed = 2.0
    sample = second.sample()
    assert sample == wanted


def test_a_processor_without_events_has_a_sample() -> None:
    """Before time has passed, it tells no rate: 0 would be a guess."""
    assert [make().sample() for make, _ in SAMPLES] == [
        {"n": 0, "rate": None}, {"n": 0, "rate": None}, {}, {}, {}, {},
        {"n": 0}, {"top": [], "n": 0, "error": 0}, {"n": 0},
    ]  # fmt: skip


def test_quantiles_of_what_is_no_number_abort() -> None:
    """The text of a number counts; a field that is missing does not."""
    processor = Quantiles(field="x")
    for event in ({"x": "1.5"}, {}, {"x": None}):
        processor.event(event)
    with pytest.raises(Abort, match="expected a number"):
        processor.event({"x": "many"})
    assert processor.sample()["n"] == 1
