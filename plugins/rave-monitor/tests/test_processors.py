"""What the processors that come with the monitor say, and that a state is all they need."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rave_monitor import Abort, Processor
from rave_monitor.processors.counter import Counter
from rave_monitor.processors.disk import Disk
from rave_monitor.processors.histogram import Histogram
from rave_monitor.processors.last import Last
from rave_monitor.processors.operation import CalledOperation
from rave_monitor.processors.probe import Probe
from rave_monitor.processors.rates import Rates
from rave_monitor.processors.sketches import Distinct, Quantiles, Top

from rave_core import Runtime, Settings, find_operation, using
from rave_core.testing import free_port

EVENTS = [{"host": f"h{number % 3}", "bytes": number, "local": number < 4} for number in range(10)]
SAMPLES: list[tuple[Callable[[], Processor], dict[str, Any]]] = [
    (Counter, {"n": 10, "rate": 5.0}),
    (lambda: Counter(where={"local": True}), {"n": 4, "rate": 2.0}),
    (lambda: Rates(by="host"), {"h0": 2.0, "h1": 1.5, "h2": 1.5}),
    (lambda: Rates(by="host", most=1), {"(others)": 3.0, "h0": 2.0}),
    (Last, {"host": "h0", "bytes": 9, "local": False}),
    (lambda: Last(fields=["bytes", "none"]), {"bytes": 9}),
    (lambda: Distinct(field="host"), {"n": 3}),
    (
        lambda: Histogram(field="bytes", edges=[1, 2.5, 8]),
        {"edges": [1.0, 2.5, 8.0], "counts": [2, 5], "below": 1, "above": 2, "n": 10},
    ),
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
        {"n": 0}, {"edges": [1, 2.5, 8], "counts": [0, 0], "below": 0, "above": 0, "n": 0},
        {"top": [], "n": 0, "error": 0}, {"n": 0},
    ]  # fmt: skip


def test_quantiles_of_what_is_no_number_abort() -> None:
    """The text of a number counts; a field that is missing does not."""
    processor = Quantiles(field="x")
    for event in ({"x": "1.5"}, {}, {"x": None}):
        processor.event(event)
    with pytest.raises(Abort, match="expected a number"):
        processor.event({"x": "many"})
    assert processor.sample()["n"] == 1


def test_a_histogram_with_other_edges_begins_anew() -> None:
    """Its counts would be of other numbers."""
    first, second = Histogram(field="x", edges=[0, 1]), Histogram(field="x", edges=[0, 2])
    first.event({"x": 0.5})
    second.load(first)
    assert second.sample()["n"] == 0
    for edges in ([1.0], [1.0, 1.0]):
        with pytest.raises(ValueError, match="each larger than the one before"):
            Histogram(field="x", edges=edges)


def test_disk_tells_how_full_a_file_system_is(tmp_path: Path) -> None:
    """A path that is away leaves the sample out."""
    found = Disk(path=tmp_path).sample()
    assert 0 <= found["share"] <= 1
    assert found["used"] + found["free"] <= found["total"]
    with pytest.raises(Abort, match="No such file"):
        Disk(path=tmp_path / "none").sample()


def test_a_probe_tells_whether_a_url_answers(hook: Any) -> None:
    """With the right status, and what is wanted in it; or why not."""
    up = Probe(url=hook.url).sample()
    assert (up["up"], up["status"], up["error"]) == (True, 200, "")
    assert up["seconds"] > 0
    assert Probe(url=hook.url, contains="word").sample()["error"] == "the answer lacks 'word'"
    assert Probe(url=f"{hook.url}/none").sample()["error"] == "it answered 404"
    down = Probe(url=f"http://127.0.0.1:{free_port()}", timeout="1s").sample()
    assert (down["up"], down["status"], down["seconds"]) == (False, None, None)
    assert "refused" in down["error"]


def test_an_operation_is_called_in_the_runtime_of_the_monitor(tmp_path: Path) -> None:
    """Also by a thread that knows nothing of it; a name that nobody exports is refused with the nearest one."""
    (tmp_path / "__init__.py").write_text(
        "from rave_core import op\n\n@op\ndef double(n: int):\n    return {'n': 2 * n}\n\n"
        "@op\ndef text():\n    return 'x'\n\n__export__ = {'double': double, 'text': text}\n"
    )
    with Runtime(Settings(cache="memory://", namespaces={"lab": str(tmp_path)})) as runtime:
        with using(runtime):
            double = CalledOperation(operation="lab/double", arguments={"n": 4})
            text = CalledOperation(operation="lab/text")
            with pytest.raises(ValueError, match="lab/double"):
                CalledOperation(operation="lab/doubel")
        assert (double.sample(), text.sample()) == ({"n": 8}, {"value": "x"})
        with using(runtime):
            assert find_operation("lab/double").resolve(n=4).status == "hit"
