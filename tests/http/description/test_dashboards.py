"""Dashboards as documents and as texts of a form, and the times that people write."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from rave_http.description.dashboard_texts import DashboardTexts
from rave_http.description.dashboards import Dashboard, asked_by
from rave_http.description.saved_calls import AskedCall
from rave_http.description.time_spans import span_of, written

NOON = 1795608000.0  # 2026-11-25 12:00 UTC
DOCUMENT: dict[str, Any] = {
    "format": "rave.dashboard/1",
    "title": "Border",
    "shared": ["everyone", "user:bob"],
    "range": {"from": "-6h", "to": "now", "zone": "Europe/Berlin", "align": "5m"},
    "refresh": "never",
    "variables": {
        "net": {"label": "Network", "default": "a", "choices": ["a", "b c"]},
        "n": {"default": "5"},
        "host": {
            "choices": {"operation": "flow/top", "arguments": {"q": "a b|c"}, "range": True, "column": "an address"}
        },
    },
    "annotations": [
        {"operation": "flow/scans", "arguments": {"n": "$n"}, "time": "at", "label": "src", "where": "verdict=a b"},
        {"operation": "lab/releases", "range": False, "time": "day"},
    ],
    "panels": [
        {
            "id": "t",
            "title": "Traffic",
            "call": {"operation": "flow/count", "arguments": {"net": "$net", "l": ["1", "${n}0"], "q": "50 % & more"}},
            "range": True,
            "view": {
                "mark": "area",
                "x": "ts",
                "y": "bytes",
                "compare": "-1w",
                "link": {"src": "flow/top?over={value}&n=3"},
            },
            "at": [0, 0, 12, 4],
        },
        {"id": "n", "text": "Two\nlines", "at": [0, 4, 12, 1]},
    ],
}


def board(**changes: Any) -> Dashboard:
    """The dashboard with some members changed."""
    return msgspec.convert(DOCUMENT | changes, Dashboard)


def panel(**changes: Any) -> list[dict[str, Any]]:
    """The first panel alone, changed."""
    return [DOCUMENT["panels"][0] | changes]


def test_a_form_and_its_dashboard_say_the_same() -> None:
    """Nothing of a document is lost on the way through a form, and a form keeps what was typed."""
    texts = DashboardTexts.of(board())
    choices = "column an address of flow/top?q=a%20b%7Cc in the time"
    assert texts.fields["variables"] == f"net (Network) = a | b c\nn = 5\nhost =  | {choices}"
    assert texts.fields["annotations"].splitlines() == [
        "'flow/scans?n=$n' time=at label=src 'where=verdict=a b'",
        "lab/releases time=day range=no",
    ]
    assert texts.panels[0]["call"] == "flow/count?net=$net&l=1&l=${n}0&q=50 %25 %26 more"
    assert texts.panels[0]["view"] == "area x=ts y=bytes compare=-1w 'link.src=flow/top?over={value}&n=3'"
    assert texts.dashboard() == board()
    sent = {f"{name}_{at}": text for at, each in enumerate(texts.panels) for name, text in each.items()}
    assert DashboardTexts.sent({**texts.fields, **sent, "call_7": " "}) == texts


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"more": 1}, "unknown field `more`"),
        ({"panels": panel(more=1)}, r"unknown field `more` - at `\$.panels\[0\]`"),
        ({"panels": panel(id="t") * 2}, "two panels have the id 't'"),
        ({"panels": panel(call=None)}, "needs either a call or a text"),
        ({"panels": panel(at=[6, 0, 7, 1])}, "wider than the 12 columns"),
        ({"range": None}, "has no 'range'"),
        ({"panels": panel(range=False)}, "compares with an earlier time, but has no 'range'"),
        (
            {"panels": panel(view={"mark": "bars", "compare": "-1w"})},
            "compare: only line, area, stacked and grid show an earlier time, not bars",
        ),
        (
            {"panels": panel(view={"mark": "heat", "down": "n"})},
            "down: only line, area, stacked and grid draw in two directions, not heat",
        ),
        ({"panels": panel(view={"mark": "line", "compare": "-0s"})}, "'-0s' is no earlier time; write 'previous'"),
        ({"annotations": [{"operation": "a/b", "time": ""}]}, "annotations"),
        ({"variables": {"n": {"choices": {"operation": "a/b", "column": "c", "more": 1}}}}, "unknown field `more`"),
        (
            {
                "panels": [],
                "variables": {"n": {"choices": {"operation": "a/b", "column": "c", "arguments": {"q": "$n"}}}},
            },
            r"the choices of \$n uses \$n, which is no variable here",
        ),
        ({"variables": {"nett": {}, "n": {}}}, r"uses \$net, which is no variable here; did you mean 'nett'\?"),
    ],
)
def test_a_dashboard_that_makes_no_sense_is_refused(changes: dict[str, Any], told: str) -> None:
    """By a message that says where."""
    with pytest.raises(msgspec.ValidationError, match=told):
        board(**changes)


def test_what_can_be_typed_wrong_is_told() -> None:
    """By the number of the panel or the text of the line."""
    texts = DashboardTexts.of(board())
    first = dict(texts.panels[0])
    for changed, told in (
        ({"at": "0 0 6"}, "panel 1: the place '0 0 6' is not column, row, width and height"),
        ({"call": "count"}, "panel 1: 'count' is no call"),
        ({"view": "area 'x"}, "panel 1: No closing quotation"),
        ({"view": "pie"}, "pie"),
        ({"view": "table rows=many"}, "rows"),
    ):
        with pytest.raises(ValueError, match=told):
            DashboardTexts(texts.fields, [first | changed]).dashboard()
    with pytest.raises(ValueError, match="the variable 'net: a': write 'name = text'"):
        DashboardTexts({**texts.fields, "variables": "net: a"}, []).dashboard()
    for line, told in (("flow/scans", "missing required field `time`"), ("flow/scans at=x", "'at=x' is none of time=")):
        with pytest.raises(ValueError, match=f"the annotation '{line}': .*{told}"):
            DashboardTexts({**texts.fields, "annotations": line}, []).dashboard()


def test_a_panel_asks_with_variables_and_the_time() -> None:
    """What becomes empty is left out; an argument of its own stays; ``$$`` is a dollar."""
    span = span_of("-6h", "now", "UTC", now=NOON)
    first = board().panels[0]
    names = ("start", "end", "bin")
    assert first.call is not None
    asked = asked_by(first.call, {"net": "", "n": "7"}, span, names, is_timed=True)
    assert asked.arguments == {
        "l": ["1", "70"],
        "q": "50 % & more",
        "start": "2026-11-25T06:00:00Z",
        "end": "2026-11-25T12:00:00Z",
        "bin": "300s",
    }
    own = board(panels=panel(call={"operation": "flow/count", "arguments": {"bin": "$step", "q": "$$net"}})).panels[0]
    assert own.call is not None
    assert asked_by(own.call, {}, span, names, is_timed=True).arguments["bin"] == "300"
    assert asked_by(own.call, {}, span, names, is_timed=False).arguments == {"bin": "300", "q": "$net"}
    with pytest.raises(ValueError, match="flow/count declares no time range"):
        asked_by(first.call, {"net": "a", "n": "1"}, span, None, is_timed=True)


@pytest.mark.parametrize(
    ("start", "end", "zone", "found"),
    [
        ("-6h", "now", "UTC", ("2026-11-25T06:00:00Z", "2026-11-25T12:00:00Z")),
        ("now-1d", "-30m", "UTC", ("2026-11-24T12:00:00Z", "2026-11-25T11:30:00Z")),
        ("2 weeks ago", "-1w", "UTC", ("2026-11-11T12:00:00Z", "2026-11-18T12:00:00Z")),
        ("6 hours ago", "NOW", "UTC", ("2026-11-25T06:00:00Z", "2026-11-25T12:00:00Z")),
        ("2024-05-14", "2024-05-14 12:00", "Europe/Berlin", ("2024-05-13T22:00:00Z", "2024-05-14T10:00:00Z")),
        (
            "2024-05-14T00:00Z",
            "2024-05-15T00:00+02:00",
            "Europe/Berlin",
            ("2024-05-14T00:00:00Z", "2024-05-14T22:00:00Z"),
        ),
    ],
)
def test_times_are_read_as_people_write_them(start: str, end: str, zone: str, found: tuple[str, str]) -> None:
    """In their zone; ``now`` is rounded down, so that all who look within five minutes ask the same."""
    span = span_of(start, end, zone, now=NOON + 200, align="5m")
    assert (written(span.start), written(span.end)) == found


def test_times_that_make_no_sense_are_refused() -> None:
    """By a message with what would be right."""
    for start, end, zone, told in (
        ("soon", "now", "UTC", "'soon' is no time; write 'now', '-6h'"),
        ("now", "-1h", "UTC", "is no time: the first has to be before the second"),
        ("-1h", "now", "Mars", "zone 'Mars' is not known"),
        ("-9999999999d", "now", "UTC", "is no time"),
        ("0001-01-01", "0001-01-02", "UTC", "there are no dates before it"),
    ):
        with pytest.raises(ValueError, match=told):
            span_of(start, end, zone, now=NOON)


def test_bins_are_as_wide_as_people_like_them() -> None:
    """At most 120 of them; a span moves by its own length."""
    hour = span_of("-1h", "now", "UTC", now=NOON)
    assert (hour.step, span_of("-1d", "now", "UTC", now=NOON).step) == (30, 900)
    assert hour.moved(-1.0).end == hour.before("previous").end == hour.start
    assert written(hour.before("-1w").start) == "2026-11-18T11:00:00Z"
    with pytest.raises(ValueError, match="there are no dates"):
        hour.before("-9999999d")


def test_a_call_is_read_as_it_is_written() -> None:
    """Also with characters that mean something in a query."""
    call = AskedCall.of("lab/rows", [("a b", "x&y=z+%"), ("l", "1"), ("l", "2")])
    assert AskedCall.read(call.plain) == AskedCall.read(f"/{call.operation}{call.query}") == call
