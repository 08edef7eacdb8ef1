"""Records of tickets, as several processes read and write them."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from rave_core import Runtime, Settings
from rave_core.clock import SystemClock
from rave_core.model import Key
from rave_http.description.request_arguments import Asked
from rave_http.jobs.tickets import Failed, Tickets

KEY = Key("lab/fails", "1", "2")
FAILED = Failed(slug="operation-failed", detail="RuntimeError: no", at=1.0)


@pytest.fixture(name="runtimes")
def _runtimes(tmp_path: Path) -> Iterator[list[Runtime]]:
    """Two that share a store, as workers do."""
    settings = Settings(cache=["memory://", f"file://{tmp_path}/data"], products=f"file://{tmp_path}/products")
    made = [Runtime(settings) for _ in range(2)]
    yield made
    for each in made:
        each.close()


def test_an_outcome_is_waited_for_while_the_process_that_ran_the_body_lives(runtimes: list[Runtime]) -> None:
    """That one releases the lease first; whoever gets the lease then must not run the body once more."""
    ours, theirs = (Tickets(each.cache, SystemClock(), keep=60.0) for each in runtimes)
    assert ours.recorded(KEY.text) is None
    theirs.give(KEY, Asked(operation="lab/fails"))
    assert theirs.begin(KEY.text)
    ending = threading.Timer(0.1, theirs.end, (KEY.text, FAILED))
    ending.start()
    found = ours.recorded(KEY.text)
    ending.join()
    assert found is not None
    assert (found.failed, found.is_run) == (FAILED, False)


def test_nobody_waits_for_a_process_that_is_gone(runtimes: list[Runtime]) -> None:
    """Its run counts, and the body may run again."""
    ours, theirs = (Tickets(each.cache, SystemClock(), keep=60.0) for each in runtimes)
    theirs.give(KEY, Asked(operation="lab/fails"))
    child = os.fork()
    if not child:
        theirs.begin(KEY.text)
        os._exit(0)
    os.waitpid(child, 0)
    found = ours.recorded(KEY.text)
    assert found is not None
    assert (found.failed, found.runs, found.lost) == (None, 1, None)


def test_a_ticket_says_when_and_where_its_body_ran(runtimes: list[Runtime]) -> None:
    """Also once it has ended: from when the job got its place, though the ticket may have come later."""
    ours, theirs = (Tickets(each.cache, SystemClock(), keep=60.0) for each in runtimes)
    theirs.give(KEY, Asked(operation="lab/square"))
    theirs.begin(KEY.text, 30.0)
    theirs.end(KEY.text)
    found = ours.find(KEY.text)
    assert found is not None
    assert found.runner is None
    assert found.ran_by is not None
    assert found.ran_by.pid == os.getpid()
    assert found.began_at is not None
    assert 29.0 < found.created_at - found.began_at < 31.0
