"""What a worker says of the services that run beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from rave_core.testing import FakeClock
from rave_http.workers.run_directory import RunDirectory
from rave_http.workers.services_report import FACT, ServicesReport


@pytest.mark.parametrize(("is_over", "problems"), [(False, {"services"}), (True, set())])
def test_only_a_process_with_nothing_to_run_may_be_silent(tmp_path: Path, is_over: bool, problems: set[str]) -> None:
    """One that started and never reported is a problem after a while."""
    clock, run_directory = FakeClock(), RunDirectory(tmp_path)
    report = ServicesReport(run_directory, clock, has_services=True)
    run_directory.write(FACT, {"at": clock.now(), "services": [], "is_over": is_over})
    assert report.problems() == {}
    clock.advance(60)
    assert set(report.problems()) == problems
    assert report.services() == []
