"""When jobs ran, by worker, as bars."""

from __future__ import annotations

from rave_http.pages.job_timeline import LANE, JobRun, timeline_of

NOON = 1_715_688_000.0


def run(worker: str, began: float, ended: float | None) -> JobRun:
    """A job that ran so many seconds before noon."""
    state = "making" if ended is None else "made"
    until = None if ended is None else NOON - ended
    return JobRun(worker=worker, operation="lab/a", url="", state=state, began=NOON - began, ended=until)


def test_jobs_of_a_worker_that_ran_at_once_are_below_each_other() -> None:
    """From the first to now; one that runs goes up to now, and one that was short can be seen."""
    found = timeline_of([run("b", 100, 50), run("a", 80, None), run("b", 75, 25), run("b", 20, 20)], NOON)
    assert found is not None
    assert [(row.worker, row.height) for row in found.rows] == [("a", LANE), ("b", 2 * LANE)]
    assert [(bar.across, bar.width, bar.down) for bar in found.rows[1].bars] == [
        (0.0, 50.0, 0),
        (25.0, 50.0, LANE),
        (80.0, 0.4, 0),
    ]
    [bar] = found.rows[0].bars
    assert (bar.across, bar.width, bar.text) == (20.0, 80.0, "lab/a, making, since 11:58:40 UTC")
    assert found.rows[1].bars[0].text == "lab/a, made, 11:58:20 UTC to 11:59:10 UTC"
    assert (found.first, found.last) == ("11:58:20 UTC", "12:00:00 UTC")


def test_only_the_last_hour_is_shown() -> None:
    """What began earlier and runs is cut; a minute is shown at least, and nothing if nothing ran."""
    found = timeline_of([run("a", 7200, None), run("a", 7200, 3601)], NOON)
    assert found is not None
    assert [(bar.across, bar.width) for bar in found.rows[0].bars] == [(0.0, 100.0)]
    assert found.first == "11:00:00 UTC"
    short = timeline_of([run("a", 1, None)], NOON)
    assert short is not None
    assert short.first == "11:59:00 UTC"
    assert timeline_of([run("a", 7200, 3601)], NOON) is None
