"""What was sampled, as operations: ranges, cuts, pictures; and how long it is kept."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from rave_monitor.arguments import MonitorChoice, moment, monitor_name
from rave_monitor.checkpoint import Checkpoint, Sample
from rave_monitor.operations import __export__ as exported
from rave_monitor.operations import samples, settled
from rave_monitor.service import services_of
from rave_monitor.settings import MonitorSettings

from rave_core import OperationError, Options, Runtime, Settings, carry, using
from rave_core.testing import uncounted_code

START = 1_000_000_000.0
COUNTS = [
    Sample("count", START + second, {"n": second, "half": second // 2, "top": [["a", second]]}) for second in range(600)
]
STATES = [Sample("state", START + second, {"is": "odd" if second % 2 else "even"}) for second in range(600)]


@pytest.fixture
def store(place: Any) -> Any:
    """Ten minutes of samples, to which nothing before the last minute is added."""
    place.store.claim(1)
    place.store.commit(1, Checkpoint(settled=START + 540), [*COUNTS, *STATES], {})
    return place.store


@pytest.fixture
def runtime(place: Any, store: Any) -> Iterator[Runtime]:
    """A runtime that finds them."""
    url = f"sqlite:///{place.directory}/monitor.sqlite"
    settings = Settings(
        cache="memory://", products=[f"file://{place.directory}/products"], plugins={"monitor": {"documents": url}}
    )
    with Runtime(settings) as made, using(made):
        yield made


@pytest.mark.usefixtures("runtime")
def test_a_range_gives_values_newest_first() -> None:
    """Its end is not in it; a key may lead into tables and lists."""
    assert samples("count", "n", START, START + 3) == [(START + 2, 2), (START + 1, 1), (START, 0)]
    assert samples("count", "top.0.1", "2001-09-09T01:46:45Z", "2001-09-09T01:46:47") == [
        (START + 6, 6),
        (START + 5, 5),
    ]
    assert samples("count", "", START, START + 1)[0][1]["top"] == [["a", 0]]
    assert samples("count", "none", START, START + 3) == []
    assert samples("nobody", "n", START, START + 3) == []


@pytest.mark.usefixtures("runtime")
def test_cuts_leave_the_times_at_which_another_value_was_so() -> None:
    """Several have all to be so."""
    assert [value for _, value in samples("count", "n", START, START + 6, where="state.is=odd")] == [5, 3, 1]
    assert [value for _, value in samples("count", "n", START, START + 6, where="state.is=odd,count.half=1")] == [3]


@pytest.mark.usefixtures("runtime")
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"start": START + 9, "end": START}, "the range is reversed"),
        ({"start": START, "end": START + 9, "where": "state"}, "write processor.key=value"),
    ],
)
def test_a_range_that_can_not_be_is_refused(arguments: dict[str, Any], told: str) -> None:
    """By an error of the request, not of the service."""
    with pytest.raises(OperationError, match=told):
        samples("count", "n", **arguments)


@pytest.mark.parametrize(
    ("converter", "taken", "refused"),
    [
        (monitor_name, ["monitor", "a-1_B"], ["", "\x17", "-a", "a.b", "a" * 65, 1]),
        (moment, [0, -1.5, "1000000000", "-2.5", "2026-11-30T10:00", "2026-11-30T10:00Z"], [1e12, -2e285, True, []]),
    ],
)
def test_a_schema_says_what_its_converter_takes(converter: Any, taken: list[Any], refused: list[Any]) -> None:
    """Clients are made from the schemas, and JSON bodies are checked by them."""
    validator = Draft202012Validator(converter.schema())
    for value in taken:
        validator.validate(value)
        converter.convert(value)
    for value in refused:
        assert not validator.is_valid(value)
        with pytest.raises((TypeError, ValueError)):
            converter.convert(value)


def test_a_range_that_is_too_long_is_refused(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    """It names what to do."""
    monkeypatch.setattr("rave_monitor.sample_history.MOST", 100)
    with pytest.raises(OperationError, match="ask for a part of it"):
        samples("count", "n", START, START + 600)
    assert len(samples("count", "n", START, START + 100)) == 100


def test_only_what_is_settled_is_kept_for_ever(runtime: Runtime, store: Any) -> None:
    """A sample that comes late is in the next answer."""
    for end in (START + 540, START + 600):
        samples("count", "n", START + 530, end)
    store.commit(1, Checkpoint(settled=START + 540), [Sample("count", START + 550.5, {"n": -1})], {})
    found = samples.answering(Options(refresh=True))("count", "n", START + 530, START + 600)
    assert (START + 550.5, -1) in found
    choice = MonitorChoice("monitor", runtime.settings.plugins["monitor"]["documents"])
    statuses = [settled.explain(choice, "count", "n", START + 530, START + end, "").status for end in (540, 600)]
    assert statuses == ["hit", "miss"]


@pytest.mark.usefixtures("runtime")
@pytest.mark.parametrize("name", ["plot", "histogram", "sparkline"])
@pytest.mark.parametrize(("suffix", "begin"), [("", b"\x89PNG"), ("/svg", b"<?xml")])
def test_pictures_are_files_of_their_kind(name: str, suffix: str, begin: bytes) -> None:
    """Of the same samples, as PNG and as SVG."""
    path = exported[f"{name}{suffix}"]("count", "n", START, START + 60)
    assert Path(path).read_bytes().startswith(begin)


@pytest.mark.usefixtures("runtime")
def test_all_that_runs_for_samples_and_pictures_counts_in_their_versions() -> None:
    """Readers of the database, conversions of arguments, and what draws."""
    calls: dict[str, tuple[Any, ...]] = {
        name: ("count", "n", START, START + 60) for name in exported if not name.endswith("/svg")
    }
    calls |= {
        "scatter": ("count", "n", "count", "half", START, START + 60),
        "compare": ("count", "n", START + 60, START + 120, START),
    }
    assert [each for name, call in calls.items() for each in uncounted_code(exported[name], *call)] == []


@pytest.mark.usefixtures("runtime")
def test_two_ranges_are_compared() -> None:
    """The second begins a day before the first, if it is not said; a range without numbers is named."""
    path = exported["compare/svg"]("count", "n", START + 60, START + 120, START)
    assert Path(path).read_bytes().startswith(b"<?xml")
    with pytest.raises(OperationError, match=r"count\.n from 2001-09-08 01:46:40 has no numbers"):
        exported["compare"]("count", "n", START, START + 60)
    with pytest.raises(OperationError, match=r"count\.n from -999999963600 \(Unix seconds\) has no numbers"):
        exported["compare"]("count", "n", end=-999999960000)  # long before the year 1


@pytest.mark.usefixtures("runtime")
def test_a_scatter_plot_needs_numbers_at_the_same_times() -> None:
    """Else it says what is missing."""
    path = exported["scatter/svg"]("count", "n", "count", "half", START, START + 60)
    assert Path(path).read_bytes().startswith(b"<?xml")
    with pytest.raises(OperationError, match=r"state\.is has no numbers"):
        exported["scatter"]("count", "n", "state", "is", START, START + 60)


def test_old_samples_are_thinned_out_and_older_ones_removed(store: Any) -> None:
    """The first of each minute stays, for each processor."""
    assert store.expire(1, START + 60) == 120
    store.thin(1, START + 60, START + 540, 60.0)
    left = [each.time - START for each in store.samples("count", 0, 1e12)][::-1]
    firsts = [time for time in left if time < 540]
    assert [(START + time) % 60 for time in firsts[1:]] == [0.0] * (len(firsts) - 1)
    assert firsts[0] == 60
    assert len(left) == len(firsts) + 60
    assert len(store.samples("state", 0, 1e12)) == len(left)


def test_a_monitor_removes_what_its_configuration_says(place: Any, start: Any, store: Any) -> None:
    """While it runs."""
    place.configure('keep = "1h"\n' + place.counting)
    start()
    place.append("1")
    place.counts(1)
    place.wait(lambda: not place.store.samples("state", 0, 1e12))


def test_a_service_runs_the_configured_monitor(place: Any) -> None:
    """As ``rave serve`` does: it starts, is asked to end, and ends."""
    settings = replace(place.settings, plugins={"monitor": {"configs": [str(place.config)]}})
    with Runtime(settings) as runtime, using(runtime):
        [service] = services_of(MonitorSettings.of(settings).configs)
        thread = threading.Thread(target=carry(service.start))
        thread.start()
        place.append("1", "2")
        place.counts(2)
        assert (service.name, service.check()) == ("monitor:monitor", None)
        service.stop()
        thread.join(20)
        assert not thread.is_alive()
