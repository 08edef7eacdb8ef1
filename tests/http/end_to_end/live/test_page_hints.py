"""What authors say for pages: roles and units of columns, what operations take, charts, groups of fields."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.http.browser import Browser
from tests.http.end_to_end.live.page_lab import MORE

Service = Any  # RunningService of the conftest
TALKERS = "/lab/talkers?start=2024-05-14T00%3A00%3A00Z"


@pytest.fixture(scope="module")
def service(launch_service: Callable[..., Service], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service in which the table is stored."""
    place = tmp_path_factory.mktemp("hints")
    running = launch_service(place, more=MORE, environ={"HOME": str(place)}, service={})
    running.get(TALKERS)
    yield running
    running.end()


def test_a_cell_leads_to_the_operation_that_takes_its_value(service: Service, browser: Browser) -> None:
    """The only one that does, with the time of the question; its form shows the group of the field with the value."""
    browser.mode("light")
    browser.open(f"{service.url}{TALKERS}")
    assert browser.barriers() == []
    assert browser.value("document.querySelectorAll('.rows td a').length") == 2
    assert browser.value("[...document.querySelectorAll('.rows tbody tr:first-child td')].map(e => e.innerText)") == [
        *("10.0.0.1/&?", "4.1 kB", "50%", "290.0"),
    ]
    assert browser.value("document.querySelector('.rows th:nth-child(4)').innerText") == "heat (K)"
    browser.click(".rows td a")
    assert browser.value("location.pathname") == "/-/ui/lab/flows_of"
    assert browser.value("document.querySelector('[name=who]').value") == "10.0.0.1/&?"
    assert browser.value("document.querySelector('[name=since]').value") == "2024-05-14T00:00:00Z"
    assert browser.value(
        "[...document.querySelectorAll('.group')].map(e => [e.innerText.trim().split('\\n')[0], e.open])"
    ) == [
        ["Hosts", True],
        ["More", False],
    ]
    assert (browser.barriers(), browser.said) == ([], [])


def test_cells_of_panels_lead_on_too(service: Service) -> None:
    """The rows of the page that explores an operation, in the whole window."""
    asked = "view.from=2024-05-14&view.to=2024-05-15&view.frame=rows"
    rows = service.page(f"/-/ui/explore/lab/talkers?{asked}").text
    lead = re.search(r'<a href="(/-/ui/leads\?role=labhost[^"]*)" target="_top">10\.0\.0\.1/&amp;\?</a>', rows)
    assert lead is not None
    form = service.page(lead[1].replace("&amp;", "&"))
    assert form.headers["Location"].startswith("/-/ui/lab/flows_of?who=10.0.0.1%2F%26%3F")


def test_a_table_has_the_charts_of_its_author(service: Service) -> None:
    """The first one open; what can't be drawn says why. They show the rows that fulfil the conditions."""
    page = service.page(TALKERS).text
    assert re.search(
        r'<details class="card drawn" open><summary>Bytes by &lt;host&gt;</summary>\s*<figure class="bars"', page
    )
    assert "there is no column &#39;none&#39;" in page.partition("It can't be drawn: ")[2].partition("</p>")[0]
    key = service.key_of(TALKERS)
    few = service.page(f"/-/ui/r/{key}?where=volume%3E1").text
    assert (page.count('<span class="name">'), few.count('<span class="name">')) == (3, 1)


def test_an_operation_is_explored_by_the_charts_of_its_author(service: Service, browser: Browser) -> None:
    """The first one unless another is asked for, and the others by links; each is SVG, with its numbers in words."""
    asked = "view.from=2024-05-14&view.to=2024-05-15&view.compare=none"
    browser.mode("phone")
    browser.open(f"{service.url}/-/ui/explore/lab/traffic?{asked}")
    assert (browser.said, browser.overflow(), browser.barriers()) == ([], 0, [])
    views = "[...document.querySelectorAll('.views a')]"
    assert browser.value(f"{views}.map(each => [each.innerText, each.ariaCurrent])") == [
        ["Both <ways>", "true"],
        *([title, None] for title in ("Each", "When", "Who with whom")),
    ]
    shown = []
    for mode, url in zip(("phone", "dark", "light", "dark"), browser.value(f"{views}.map(e => e.href)"), strict=True):
        browser.mode(mode)
        browser.open(f"{url}&view.frame=now")
        shown.append(
            browser.value("[document.querySelector('figure').className, document.querySelector('details').textContent]")
        )
        assert (browser.said, browser.overflow(), browser.barriers()) == ([], 0, [])
    assert [name for name, _ in shown] == ["chart", "chart grid", "chart heat", "chart flows"]
    assert "<b>2, got_bytes" in shown[0][1]
    assert "<b>2 → x" in shown[3][1]
    plain = service.page(f"/-/ui/explore/lab/traffic?{asked}&view.mark=area").text
    assert "<option selected>area</option>" in plain
    assert 'aria-current="true"' not in plain


def test_values_lead_only_where_an_operation_takes_them(service: Service) -> None:
    """What takes nothing says so; a misspelt parameter is named; programs learn of roles and units from the rows."""
    nowhere = service.page("/-/ui/leads?role=nothing&value=%3Cb%3E")
    assert (nowhere.status_code, "No operation that you may see" in nowhere.text) == (200, True)
    assert "<b>" not in nowhere.text
    assert service.get("/-/ui/leads?role=port").status_code == 400
    assert "rolle" in service.get("/-/ui/leads?rolle=port").json()["detail"]
    key = service.key_of(TALKERS)
    columns = service.get(f"/-/products/{key}/rows").json()["columns"]
    assert columns[0] == {"name": "host", "type": "string", "role": "labhost"}
    assert columns[3] == {"name": "heat", "type": "double", "unit": "K"}
