"""A dashboard, and the operations of its panels."""

from __future__ import annotations

from typing import Any

MORE = '''

@op(time_range=("start", "end", "bin"))
@mime_type("application/json")
def between(start: str = "", end: str = "", bin: str = "", who: str = "all"):
    """What it was asked, as a table."""
    import datetime
    first = datetime.datetime.fromisoformat(start)
    hours = [first + datetime.timedelta(hours=at) for at in range(3)]
    return [{"ts": ts, "bytes": at * 1000, "asked": f"{who} {start} {bin}"} for at, ts in enumerate(hours)]


@op(time_range=("start", "end"))
def moments(start: str = "", end: str = ""):
    """What happened, as a table."""
    import datetime
    at = datetime.datetime.fromisoformat(start) + datetime.timedelta(minutes=90)
    return [{"at": at, "what": "<b>release", "kind": "big"}, {"at": at, "what": "fix", "kind": "small"}]


@op
def people():
    """Who there is, as a table."""
    return [{"name": each} for each in ("ada", "bob", "ada", "<i>")]


@op(expires="0.1s")
def shaky():
    """Works until it is broken."""
    import pathlib
    if pathlib.Path("PLACE", "broken").exists():
        raise RuntimeError("it is broken")
    return "the last good one"


__export__ |= {"between": between, "moments": moments, "people": people, "shaky": shaky}
'''
BOARD: dict[str, Any] = {
    "format": "rave.dashboard/1",
    "title": "Border <b>",
    "shared": ["everyone", "user:bob"],
    "range": {"from": "2024-05-14", "to": "2024-05-15"},
    "variables": {"who": {"label": "Who", "default": "ada", "choices": ["ada", "bob"]}, "n": {"default": "3"}},
    "annotations": [{"operation": "lab/moments", "time": "at", "label": "what", "where": "kind=big"}],
    "panels": [
        {"id": "note", "text": "# Runbook\nask **ada** <script>", "at": [0, 0, 12, 1]},
        {
            "id": "chart",
            "title": "Bytes",
            "call": {"operation": "lab/between", "arguments": {"who": "$who"}},
            "range": True,
            "view": {"mark": "area", "x": "ts", "y": "bytes", "compare": "-1w"},
            "at": [0, 1, 6, 3],
        },
        {
            "id": "rows",
            "call": {"operation": "lab/between", "arguments": {"who": "$who"}},
            "range": True,
            "view": {"mark": "table", "sort": "-bytes", "rows": 2, "link": {"bytes": "lab/rows?n={value}"}},
            "at": [6, 1, 6, 3],
        },
        {"id": "picture", "call": {"operation": "lab/drawing", "arguments": {"n": "$n"}}, "at": [0, 4, 4, 3]},
        {"id": "gone", "call": {"operation": "lab/gone"}, "at": [4, 4, 4, 3]},
        {"id": "failing", "call": {"operation": "lab/fails"}, "at": [8, 4, 4, 3]},
        {"id": "tree", "call": {"operation": "lab/square", "arguments": {"n": "$n"}}, "at": [0, 7, 12, 3]},
    ],
}
DRAG = """(() => {
  const plot = PLOT, box = plot.getBoundingClientRect();
  for (const [kind, share] of [["down", 0.25], ["move", 0.5], ["up", 0.75]])
    plot.dispatchEvent(new plot.ownerDocument.defaultView.PointerEvent("pointer" + kind,
      {clientX: box.left + share * box.width, pointerId: 1, bubbles: true}));
})()"""
"""From a quarter to three quarters of a chart."""
TROUBLED: list[dict[str, Any]] = [
    {"operation": "lab/gone", "time": "at"},
    {"operation": "lab/fails", "range": False, "time": "at"},
    {"operation": "lab/people", "time": "name"},
    {"operation": "lab/people", "range": False, "time": "name"},
    {"operation": "lab/moments", "time": "at", "where": "kind"},
    {"operation": "lab/gated", "arguments": {"name": "beside"}, "range": False, "time": "at"},
]
"""Annotations, none of which marks anything."""
CHOOSING: dict[str, Any] = {
    "who": {"default": "eve", "choices": {"operation": "lab/people", "column": "name"}},
    "n": {"default": "3", "choices": {"operation": "lab/gone", "column": "name"}},
    "none": {"choices": {"operation": "lab/people", "column": "nobody"}},
}
"""Variables whose choices come from operations."""
KEYS = """(() => {
  const plot = PLOT;
  plot.focus();
  for (const [key, shiftKey] of [["ArrowLeft"], ["ArrowLeft"], ["ArrowRight", true], ["Enter"]])
    plot.dispatchEvent(new plot.ownerDocument.defaultView.KeyboardEvent("keydown", {key, shiftKey, bubbles: true}));
})()"""
"""Chooses the middle of a chart, a step earlier and a step longer."""
