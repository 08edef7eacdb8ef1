"""§13: what kind of output an operation gives."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from rave_core import duration_strategy, expires, mime_type, op, op_file, typemap
from rave_core.typemap import iso_date

pytestmark = pytest.mark.usefixtures("runtime")


@op_file
@typemap(int, iso_date, iso_date)
@mime_type("image/png")
@expires(duration_strategy("2h"))
def visualize_protocols(out_file, proto, sdate, edate):
    """The listing with all four decorators."""
    print(out_file)
    Path(out_file).write_text(f"{proto} {sdate} {edate}")


@op
def plain():
    """Without a MIME type."""
    return b""


def test_all_decorators_of_the_listing_work_together(ran: Callable[[], list[str]]) -> None:
    """Converted arguments reach the body, whose path ends in the suffix of the MIME type."""
    product = visualize_protocols("6", "2007-04-01", "2007-04-27")
    assert Path(product).read_text() == "6 2007-04-01 2007-04-27"
    given = ran()[0]
    assert given.endswith(".png")
    assert visualize_protocols.spec.mime_type == "image/png"
    outcome = visualize_protocols.resolve(6, "2007-04-01", edate="2007-04-27")
    assert outcome.status == "hit"
    assert outcome.entry is not None
    assert (outcome.entry.mime_type, outcome.entry.expires_at - outcome.entry.created_at) == ("image/png", 7200)


def test_the_default_is_octets() -> None:
    """Without ``@mime_type`` it is ``application/octet-stream``."""
    assert plain.spec.mime_type == "application/octet-stream"
    entry = plain.resolve().entry
    assert entry is not None
    assert entry.mime_type == "application/octet-stream"
