"""§9: options of a call, which are no arguments of the function."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from rave_core import op, op_file

pytestmark = pytest.mark.usefixtures("runtime")
Ran = Callable[[], list[str]]


@op_file(mime_type="image/png")
def thumbnail(out_file, input_file, width, height):
    """A thumbnail of sorts."""
    print("thumbnail")
    Path(out_file).write_text(f"{input_file} {width}x{height}")


@op
def hourly(hour):
    """Called by `daily`."""
    print("hourly")
    return hour


@op
def daily(day):
    """Calls `hourly`."""
    print("daily")
    return [hourly(f"{day}T{hour:02}") for hour in range(3)]


def test_tofile_writes_exactly_there_and_keeps_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ran: Ran
) -> None:
    """``rave_tofile="mythumb.png"`` writes that file in the working directory and gives the name back as it was."""
    monkeypatch.chdir(tmp_path)
    new_file = thumbnail("file.png", 100, 100, rave_tofile="mythumb.png")
    assert new_file == "mythumb.png"
    assert (tmp_path / "mythumb.png").read_text() == "file.png 100x100"
    assert thumbnail("file.png", 100, 100, rave_dry_run=True) is None
    assert ran() == ["thumbnail"]
    assert [name for name in os.listdir(tmp_path) if "thumb" in name or name.startswith(".")] == ["mythumb.png"]


def test_refresh_takes_what_is_kept_for_expired(ran: Ran) -> None:
    """``rave_refresh=True`` runs this operation; what it calls is still answered from the cache."""
    daily("2007-04-27")
    ran()
    daily("2007-04-27", rave_refresh=True)
    assert ran() == ["daily"]
    daily("2007-04-27", rave_refresh=False)
    assert ran() == []


def test_deep_refresh_also_refreshes_what_is_called(ran: Ran) -> None:
    """``rave_deep_refresh=True`` runs the operation and all that it calls."""
    daily("2007-04-27")
    ran()
    daily("2007-04-27", rave_deep_refresh=True)
    assert ran() == ["daily", "hourly", "hourly", "hourly"]


def test_a_dry_run_gives_what_is_kept_or_none(ran: Ran) -> None:
    """``rave_dry_run=True`` never runs a body."""
    assert daily("2007-04-27", rave_dry_run=True) is None
    assert ran() == []
    made = daily("2007-04-27")
    ran()
    assert daily("2007-04-27", rave_dry_run=True) == made
    assert ran() == []
