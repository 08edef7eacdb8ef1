"""The pages in a real browser: the catalog, a form that leads to its result, and a ticket that becomes its product."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

Service = Any  # RunningService of the conftest
BROWSER = shutil.which("chromium")
SWITCHES = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    "--virtual-time-budget=8000",
]


@pytest.fixture
def seen(tmp_path: Path) -> Any:
    """Gives the page as the browser has it after it settled: redirections followed, refreshed, laid out."""
    if BROWSER is None:
        assert not os.environ.get("CI"), "CI looks at the pages in a browser: .ci/servers installs the package chromium"
        pytest.skip("there is no chromium here: apt-get install chromium")

    def look(url: str) -> str:
        command = [str(BROWSER), *SWITCHES, f"--user-data-dir={tmp_path}/profile", "--dump-dom", url]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
        return done.stdout

    return look


def test_the_catalog_lists_operations_with_links_to_their_forms(shared_service: Service, seen: Any) -> None:
    """A browser that opens the service's address sees what there is to ask."""
    page = seen(f"{shared_service.url}/")
    assert "The square of a number." in page
    assert 'href="/-/ui/lab/square"' in page


def test_a_form_that_was_sent_shows_its_result(shared_service: Service, seen: Any) -> None:
    """What the form sends leads to the operation's own address, and the browser shows the table."""
    form = seen(f"{shared_service.url}/-/ui/lab/rows")
    assert 'name="n"' in form
    page = seen(f"{shared_service.url}/-/ui/lab/rows?{urlencode({'rave.go': '1', 'n': '4', 'rave.f': 'html'})}")
    assert "row 3" in page


def test_a_ticket_becomes_its_product_by_itself(shared_service: Service, seen: Any) -> None:
    """The page looks again until the result is there."""
    query = urlencode({"name": "browser", "seconds": "1.5", "rave.prefer": "respond-async"})
    assert "browser slept" in seen(f"{shared_service.url}/lab/slow?{query}")


def test_a_wrong_argument_is_explained_to_people(shared_service: Service, seen: Any) -> None:
    """A problem is a page that says what is wrong, with a way back to the form."""
    page = seen(f"{shared_service.url}/lab/square?n=many")
    assert "many" in page
    assert "/-/ui/lab/square" in page
