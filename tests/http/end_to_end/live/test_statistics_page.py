"""``logging.statistics`` as a page: every namespace, with buttons for those who may switch collection off."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rave_http.pages.statistics_view import FigureSpace, figure_spaces

HTML = {"Accept": "text/html"}
FOREIGN = """
import logging, sys
if not hasattr(logging, "statistics"):
    logging.statistics = {}
logging.statistics["My <b>Stuff</b>"] = {
    "Enabled": True,
    "Important Events": 12345,
    "Broken": lambda scope: 1 / 0,
    "Slow Queries": [{"Query": "select <i>", "Seconds": 2.5}],
}
"""


def test_the_page_shows_every_namespace_and_switches_it(start_service: Callable[..., Any], wait_until: Any) -> None:
    """What others put there too, escaped; a figure that fails costs one cell."""
    service = start_service(workers=1, anonymous=["view", "run", "metrics", "debug"], more=FOREIGN)
    service.get("/lab/square?n=3")
    page = service.get("/-/statistics", headers=HTML)
    assert page.headers["Content-Type"].startswith("text/html")
    assert "<h3>Slow Operations</h3>" in page.text
    for text in ('id="RAVE-Hits"', "12,345", "My &lt;b&gt;Stuff&lt;/b&gt;", "select &lt;i&gt;", "error: "):
        assert text in page.text, text
    paused = service.ask("POST", "/-/statistics", data={"pause": "RAVE"}, headers=HTML)
    assert (paused.status_code, paused.headers["Location"]) == (303, "/-/statistics")
    assert 'name="resume" value="RAVE"' in service.get("/-/statistics", headers=HTML).text
    assert service.get("/-/statistics").headers["Content-Type"] == "application/json"


def test_figures_are_written_for_people() -> None:
    """Sizes, times and counts, going by their names; what is no object is shown as it is."""
    document = {
        "RAVE": {"Enabled": True, "Start Time": 1.7e9, "Stored Bytes": 2048, "Hits": 1234567, "Operations": {}},
        "workers": {"worker-1": {"RAVE": {}, "Odd": 7}},
    }
    ours, odd = figure_spaces(document)
    assert [text for _, _, text in ours.facts] == ["True", "2023-11-14T22:13:20.000+00:00", "2.0 kB", "1,234,567"]
    assert odd == FigureSpace("Odd in worker-1", "Odd", None, [("", "Odd-in-worker-1-", "7")])
