"""What notebooks show of an outcome: how it came about, and the value as it shows itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rave_core import Outcome, Runtime, op, op_file, using
from rave_core.model import Status

SVG = '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


class Shown:
    """Has a display of its own, or one that fails."""

    def __init__(self, html: Any) -> None:
        self.html = html

    def _repr_html_(self) -> Any:
        if isinstance(self.html, Exception):
            raise self.html
        return self.html


def html_of(outcome: Outcome[Any]) -> str:
    """What a notebook shows."""
    return outcome._repr_mimebundle_()["text/html"]


@op(expires=100)
def people(count: int) -> list[dict[str, object]]:
    """A table."""
    return [{"name": f"<b>{n}</b>", "age": n} for n in range(count)]


@op(mime_type="image/svg+xml")
def picture() -> str:
    """A picture."""
    return SVG


@op_file(mime_type="image/png")
def drawn(out: str, size: int = 10) -> None:
    """A file."""
    Path(out).write_bytes(b"\x89PNG" + bytes(size))


def test_an_outcome_says_how_it_came_about(runtime: Runtime) -> None:
    """Above the value: status, age, expiry and cost."""
    first, second = people.resolve(2), people.resolve(2)
    assert "miss · made " in html_of(first)
    assert "hit · made " in html_of(second)
    assert "ago · good for " in html_of(second)
    assert "· took " in html_of(second)
    assert second._repr_mimebundle_()["text/plain"].splitlines()[1] == repr(second.value)
    assert "good for ever" in html_of(picture.resolve())
    assert html_of(Outcome(5, Status.UNCACHED)).startswith("<div")
    assert "nothing is stored" in html_of(Outcome(5, Status.UNCACHED))


def test_a_table_is_a_table_of_text(runtime: Runtime) -> None:
    """The first rows, and how many there are; nothing of the cells is markup."""
    found = html_of(people.resolve(25))
    assert found.count("<tr>") == 21
    assert "20 of 25 rows" in found
    assert "&lt;b&gt;0&lt;/b&gt;" in found
    assert "<b>" not in found


def test_pictures_are_shown_and_run_nothing(make_runtime: Callable[..., Runtime]) -> None:
    """Texts, bytes and files; one that is too large is named instead."""
    with using(make_runtime()):
        assert 'src="data:image/svg+xml;base64,' in html_of(picture.resolve())
        assert "<script" not in html_of(picture.resolve())
        assert 'src="data:image/png;base64,iVBORw' not in html_of(drawn.resolve(5 << 20))
        assert 'src="data:image/png;base64,' in html_of(drawn.resolve())
        Path(drawn.resolve().value).unlink()


@pytest.mark.parametrize("html", [ValueError("no"), 7, None])
def test_a_display_that_fails_is_left_out(html: object) -> None:
    """The value's repr is shown in its place."""
    assert "Shown object" in html_of(Outcome(Shown(html), Status.MISS))


def test_a_value_shows_itself() -> None:
    """As it does without an outcome around it; a long text is cut."""
    assert html_of(Outcome(Shown("<i>mine</i>"), Status.MISS)).endswith("<i>mine</i>")
    assert html_of(Outcome("x < y", Status.MISS)).endswith("<pre>x &lt; y</pre>")
    assert len(html_of(Outcome("x" * 50_000, Status.MISS))) < 11_000
