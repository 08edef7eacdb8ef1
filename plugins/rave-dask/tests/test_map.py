"""`rave_core.map` over a real cluster."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import rave_core
from rave_core import Pool, Runtime, Settings, open_pool, using


@pytest.fixture(scope="module")
def pool(cluster: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pool]:
    """The pool ``dask``, within a runtime whose cache the workers see."""
    data = tmp_path_factory.mktemp("data")
    settings = Settings(
        cache=f"file://{data}",
        plugins={
            "dask": {
                "scheduler": cluster.address,
                "patience": 60,
                "slots": 8,
                "operations": {"dask_lab:[bo]*": {"retries": 2}},
            }
        },
    )
    with Runtime(settings) as runtime, using(runtime), open_pool("dask") as opened:
        yield opened


def test_results_come_from_the_workers_and_are_kept_there(pool: Pool, lab: Any, tmp_path: Path) -> None:
    """In order; a second map computes nothing, and asks no worker."""
    notes = str(tmp_path / "notes")
    first = list(rave_core.map(lab.noting, range(300), [notes] * 300, executor=pool))
    assert [n for n, _ in first] == list(range(300))
    assert os.getpid() not in {process for _, process in first}
    assert Path(notes).read_text().count("x") == 300
    assert lab.noting.resolve(7, notes).is_hit
    assert list(rave_core.map(lab.noting, range(300), [notes] * 300, executor=pool)) == first
    assert Path(notes).read_text().count("x") == 300


def test_an_exception_of_a_call_comes_with_its_traceback(pool: Pool, lab: Any) -> None:
    """In its place; others before it come first."""
    values = rave_core.map(lab.half, [2, 4, 5], executor=pool)
    assert [next(values), next(values)] == [1, 2]
    with pytest.raises(ValueError, match="5 is odd") as raised:
        next(values)
    assert "raise ValueError" in str(raised.value.__cause__)


def test_leaving_an_iteration_ends_its_bodies(pool: Pool, bench: Any, lab: Any, tmp_path: Path) -> None:
    """Within two seconds, as a cancelled run."""
    note = tmp_path / "note"
    values = rave_core.map(lab.waiting, [0, 1], [str(note)] * 2, executor=pool)
    assert next(values) == 0
    own, _ = bench.play(bench.noted(note))
    values.close()
    assert bench.play(bench.ended(own)) < 2


def test_one_call_can_be_submitted(pool: Pool, lab: Any) -> None:
    """What a worker keeps is there at once the next time."""
    assert lab.half.on(pool).submit(14).result(60) == 7
    assert lab.half.on(pool).submit(14).done()


def test_calls_that_raised_run_again_if_their_operation_has_retries(pool: Pool, lab: Any, tmp_path: Path) -> None:
    """Each by itself: what succeeded does not run again; after the last retry the exception is raised."""
    places = [tmp_path / name for name in ("never", "twice", "always")]
    values = rave_core.map(lab.brittle, [str(each) for each in places], [0, 2, 99], executor=pool)
    assert [next(values), next(values)] == [1, 3]
    with pytest.raises(OSError, match="not yet"):
        next(values)
    assert [place.read_text() for place in places] == ["x", "xxx", "xxx"]
    assert lab.once_deadly.on(pool).submit(str(tmp_path / "deadly")).result(60) == "again"


def test_an_operation_of_an_instance_travels_with_it(pool: Pool, lab: Any) -> None:
    """Mapped or submitted."""
    value, process = lab.Scale(3).scaled.on(pool).submit(5).result(60)
    assert value == 15
    assert process != os.getpid()
    assert [value for value, _ in rave_core.map(lab.Scale(3).scaled, [5, 6], executor=pool)] == [15, 18]
