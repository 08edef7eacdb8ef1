"""Purges that start by themselves."""

from __future__ import annotations

import threading

from rave_core import op, using
from rave_core.backend import Purged


@op(name="maintenance:number", version=1)
def number(value):
    """Its argument."""
    return value


def test_a_purge_that_was_not_through_goes_on_after_a_rest(make_runtime, clock, monkeypatch):
    """By whoever puts the next entry; then it waits for its interval again."""
    runtime = make_runtime(clock=clock)
    slices = []
    done = threading.Event()

    def purge(is_dead, *, grace, seconds=None):
        slices.append(seconds)
        done.set()
        return Purged(is_complete=len(slices) > 1)

    with using(runtime):
        number(0)
        backend = runtime.cache.backend
        monkeypatch.setattr(backend, "purge", purge)
        starts = []
        for value, wait in enumerate((7201.0, 1.0, 61.0, 61.0), 1):
            done.clear()
            clock.advance(wait)
            number(value)
            starts.append(done.wait(5.0 if value in (1, 3) else 0.2))
            for thread in threading.enumerate():
                if thread.name == "rave-purge":
                    thread.join()
    assert starts == [True, False, True, False]
    assert slices == [60.0, 60.0]
