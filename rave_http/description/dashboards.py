"""Dashboards: documents that name operations and arguments, ``rave.dashboard/1``.

Unknown members are refused everywhere: a later format may mean something by them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Final, Literal, TypeAlias

import msgspec

from rave_core.errors import nearest
from rave_http.description.saved_calls import AskedCall, Shared, Title
from rave_http.description.time_spans import TimeSpan, written

FORMAT: Final = "rave.dashboard/1"
COLUMNS: Final = 12
"""Of the grid of a dashboard."""
STEP: Final = "step"
"""The variable that stands for the width of a bin of time."""
_VARIABLE: Final = re.compile(r"\$(?:\$|(\w+)|\{(\w+)\})")
_Name: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z_]\w{0,39}$")]
_Short: TypeAlias = Annotated[str, msgspec.Meta(max_length=200)]
_Column: TypeAlias = Annotated[int, msgspec.Meta(ge=0, lt=COLUMNS)]
_Row: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=1000)]
_Width: TypeAlias = Annotated[int, msgspec.Meta(ge=1, le=COLUMNS)]
_Height: TypeAlias = Annotated[int, msgspec.Meta(ge=1, le=20)]
Mark: TypeAlias = Literal["auto", "table", "line", "area", "bars"]
Place: TypeAlias = tuple[_Column, _Row, _Width, _Height]
"""Column, row, width and height in the grid."""


class TimeRange(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    rename={"start": "from", "end": "to"},
):
    """The time that panels show unless the page is asked for another; see `span_of` for the texts."""

    start: _Short = "-6h"
    end: _Short = "now"
    zone: _Short = "UTC"
    align: _Short = ""


class Variable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A text that arguments contain as ``$name``.

    Attributes:
        label: in words; the name by default.
        default: its text unless the page is asked for another.
        choices: the only texts that it can have; any, if there are none.
    """

    label: _Short = ""
    default: _Short = ""
    choices: Annotated[list[_Short], msgspec.Meta(max_length=200)] = msgspec.field(default_factory=list)


class View(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """How a panel shows its result.

    Attributes:
        mark: ``auto`` shows it as its page does.
        x, y, series: columns of a chart; by default the first column, the first with numbers, and none.
        sort: the column by which a table is sorted, with a minus for the largest first.
        rows: how many rows of a table, or marks of a bar chart.
        link: by column, the call to which its values lead, such as ``flow/top?over={value}``.
    """

    mark: Mark = "auto"
    x: _Short = ""
    y: _Short = ""
    series: _Short = ""
    sort: _Short = ""
    rows: Annotated[int, msgspec.Meta(ge=1, le=100)] = 10
    link: dict[str, _Short] = msgspec.field(default_factory=dict)


class Panel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A part of a dashboard: the result of a call, or a text.

    Attributes:
        id: its name in the document.
        title: in words.
        call: whose arguments may contain variables.
        range: whether the call gets the time of the dashboard.
        view: how the result is shown.
        text: what is written instead of a result.
        at: where it is.
    """

    id: _Name
    title: _Short = ""
    call: AskedCall | None = None
    range: bool = False
    view: View = View()
    text: Annotated[str, msgspec.Meta(max_length=10_000)] = ""
    at: Place


class Dashboard(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A dashboard.

    Attributes:
        format: of the document.
        title: in words.
        range: the time that it shows; ``None`` if no panel has one.
        refresh: whether a panel asks again once its own result has expired.
        variables: by name.
        panels: in the order in which they are read.
        shared: with whom.
    """

    format: Literal["rave.dashboard/1"]
    title: Title
    range: TimeRange | None = None
    refresh: Literal["at-expiry", "never"] = "at-expiry"
    variables: Annotated[dict[_Name, Variable], msgspec.Meta(max_length=50)] = msgspec.field(default_factory=dict)
    panels: Annotated[list[Panel], msgspec.Meta(max_length=60)] = msgspec.field(default_factory=list)
    shared: Shared = msgspec.field(default_factory=list)

    def __post_init__(self) -> None:
        """Checks what types can't say.

        Raises:
            ValueError: the message says which panel is wrong, and what would be right.
        """
        seen: set[str] = set()
        for panel in self.panels:
            if panel.id in seen:
                raise ValueError(f"two panels have the id {panel.id!r}")
            seen.add(panel.id)
            self._check(panel)

    def _check(self, panel: Panel) -> None:
        if (panel.call is None) == (not panel.text):
            raise ValueError(f"the panel {panel.id!r} needs either a call or a text")
        if panel.at[0] + panel.at[2] > COLUMNS:
            raise ValueError(f"the panel {panel.id!r} is wider than the {COLUMNS} columns that there are")
        if panel.range and self.range is None:
            raise ValueError(f"the panel {panel.id!r} takes the time of the dashboard, which has no 'range'")
        known = {*self.variables, *([STEP] if self.range is not None else [])}
        for name in _used(panel):
            if name not in known:
                raise ValueError(f"the panel {panel.id!r} uses ${name}, which is no variable; {nearest(name, known)}")

    def values(self, given: Mapping[str, str]) -> dict[str, str]:
        """The texts of the variables: those that are given, else the defaults.

        Raises:
            ValueError: one is no choice.
        """
        found = {}
        for name, variable in self.variables.items():
            text = given.get(name, variable.default)
            if variable.choices and text and text not in variable.choices:
                raise ValueError(f"{variable.label or name}: {text[:80]!r} is none of {', '.join(variable.choices)}")
            found[name] = text
        return found


def asked_by(
    panel: Panel, values: Mapping[str, str], span: TimeSpan | None, names: tuple[str, ...] | None
) -> AskedCall:
    """The call of a panel, with texts in the place of variables. An argument that becomes empty is left out.

    Args:
        panel: one with a call.
        values: texts of the variables.
        span: the time that the dashboard shows.
        names: the parameters of the operation for start, end and, if it has one, the width of a bin.

    Raises:
        ValueError: the panel takes the time of the dashboard, and the operation declares none.
    """
    assert panel.call is not None  # the caller looked
    texts = {**values, **({STEP: str(span.step)} if span is not None else {})}
    pairs = [(name, _filled(text, texts)) for name, text in panel.call.pairs]
    found = [(name, text) for name, text in pairs if text]
    if panel.range and span is not None:
        if names is None:
            raise ValueError(
                f"{panel.call.operation} declares no time range; its author adds time_range=('start', 'end') to its "
                "decorator, or the panel leaves the time of the dashboard out"
            )
        found += _in_time(names, span, {name for name, _ in found})
    return AskedCall.of(panel.call.operation, found)


def _in_time(names: tuple[str, ...], span: TimeSpan, given: set[str]) -> Iterable[tuple[str, str]]:
    """The arguments for a span; those that the panel gives itself stay."""
    texts = (written(span.start), written(span.end), f"{span.step}s")
    return [(name, text) for name, text in zip(names, texts, strict=False) if name not in given]


def _used(panel: Panel) -> list[str]:
    if panel.call is None:
        return []
    found = [each for _, text in panel.call.pairs for each in _VARIABLE.finditer(text) if each[0] != "$$"]
    return [each[1] or each[2] for each in found]


def _filled(text: str, texts: Mapping[str, str]) -> str:
    return _VARIABLE.sub(lambda found: "$" if found[0] == "$$" else texts[found[1] or found[2]], text)
