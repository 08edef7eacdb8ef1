"""What a notebook shows of tickets, products and progress."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import IPython.display
import pytest

from rave_http.client import Client, NotebookProgress, Phase, Product, Progress, Ticket, displays

if TYPE_CHECKING:
    from tests.http.stub_service import StubService

pytest_plugins = ("tests.http.stub_service",)


class Cell:
    """The output of a cell: the texts that each display had, in order."""

    def __init__(self) -> None:
        self.displays: list[list[dict[str, str]]] = []

    def display(self, bundle: dict[str, str], *, raw: bool, display_id: bool) -> Any:
        """As IPython's, which gives what updates the display."""
        assert raw
        assert display_id
        shown = [bundle]
        self.displays.append(shown)

        class Handle:
            def update(self, bundle: dict[str, str], *, raw: bool) -> None:
                assert raw
                shown.append(bundle)

        return Handle()


@pytest.fixture
def cell(monkeypatch: pytest.MonkeyPatch) -> Cell:
    """A cell in which everything is shown."""
    made = Cell()
    monkeypatch.setattr(IPython.display, "display", made.display)
    return made


def test_a_ticket_that_is_shown_turns_into_its_product(stub: StubService, client: Client, cell: Cell) -> None:
    """In one display: how far it is, each report, and the product when it is waited for."""
    work = stub.make("top")
    work.report(1, 4, "<b>")
    ticket = client.request("lab/top")
    assert isinstance(ticket, Ticket)
    ticket.poll()
    ticket._ipython_display_()
    work.finish(b"made <1>")
    ticket.wait()
    [shown] = cell.displays
    assert shown[0]["text/plain"].startswith("ticket for ")
    assert "&lt;b&gt;" in shown[0]["text/html"]
    assert shown[-1]["text/html"].endswith("<pre>made &lt;1&gt;</pre>")
    assert "ready" in ticket._repr_mimebundle_()["text/plain"]


def test_progress_of_each_product_has_one_display_once_it_takes_long(
    cell: Cell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is drawn before 0.3 seconds, and not more often than ten times a second; the last state is."""
    moment = 0.0
    monkeypatch.setattr(displays, "now", lambda: moment)
    draw = NotebookProgress()
    for href in ("/a", "/b"):
        for step in range(11):
            draw(Progress(step, 20, href=href))
            moment += 0.0625
        draw(Progress(20, 20, phase=Phase.DOWNLOADING, href=href))
    assert [[bundle["text/plain"] for bundle in shown] for shown in cell.displays] == [
        ["computing · 25%", "computing · 35%", "computing · 45%", "downloading · 100%"]
    ] * 2


def test_a_client_tells_the_progress_of_everything(stub: StubService) -> None:
    """What is asked with a function of its own has that one."""
    stub.make("top").finish(b"made")
    every: list[Progress] = []
    own: list[Progress] = []
    with Client(stub.url, on_progress=every.append) as client:
        client.get("lab/top", rave_on_progress=own.append)
        assert own[-1].done == 4
        assert not every
        client.get("lab/top")
    assert every[-1].done == 4


def test_a_picture_is_shown_and_what_is_neither_that_nor_a_text_is_named() -> None:
    """A page of HTML is shown as its source, since it may have scripts; a file is not read."""
    picture = Product(url="/", size=3, media_type="image/png", body=b"PNG", cache_status="rave; hit")
    assert 'src="data:image/png;base64,UE5H"' in picture._repr_mimebundle_()["text/html"]
    assert picture._repr_mimebundle_()["text/plain"] == "hit · image/png · 3 bytes"
    page = Product(url="/", size=9, media_type="text/html", body=b"<script>a", expires_in=60)
    assert page._repr_mimebundle_()["text/html"].endswith("<pre>&lt;script&gt;a</pre>")
    file = Product(url="/", size=9, media_type="text/csv", path=Path("none.csv"))
    assert file._repr_mimebundle_()["text/plain"] == "made · text/csv · 9 bytes · none.csv"
    blob = Product(url="/", size=2, media_type="application/pdf", body=b"%P")
    assert "<pre>" not in blob._repr_mimebundle_()["text/html"]
