"""Dashboards: documents that name operations and arguments, ``rave.dashboard/1``.

Unknown members are refused everywhere: a later format may mean something by them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Final, Literal, TypeAlias, get_args

import msgspec

from rave_core.errors import nearest
from rave_core.functions.page_hints import ChartMark
from rave_http.description.saved_calls import AskedCall, OperationName, Shared, Texts, Title
from rave_http.description.time_spans import TimeSpan, time_before, written

FORMAT: Final = "rave.dashboard/1"
COLUMNS: Final = 12
"""Of the grid of a dashboard."""
STEP: Final = "step"
"""The variable that stands for the width of a bin of time."""
MOST_CHOICES: Final = 200
LINES: Final = ("line", "area", "stacked", "grid")
"""The marks of charts that go along an axis, such as one of time."""
CHARTS: Final = get_args(ChartMark)
"""The marks that draw a table."""
_VARIABLE: Final = re.compile(r"\$(?:\$|(\w+)|\{(\w+)\})")
_Name: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z_]\w{0,39}$")]
_Short: TypeAlias = Annotated[str, msgspec.Meta(max_length=200)]
_Column: TypeAlias = Annotated[int, msgspec.Meta(ge=0, lt=COLUMNS)]
_Row: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=1000)]
_Width: TypeAlias = Annotated[int, msgspec.Meta(ge=1, le=COLUMNS)]
_Height: TypeAlias = Annotated[int, msgspec.Meta(ge=1, le=20)]
Mark: TypeAlias = Literal["auto", "table", ChartMark]
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


class Choices(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The values of a column of a result, which a variable is offered.

    Attributes:
        operation: ``namespace/operation``.
        arguments: its texts by parameter, which can contain ``$step``.
        range: whether the call gets the time of the dashboard.
        column: whose values they are, each once, in the order of the rows.
    """

    operation: OperationName
    arguments: Texts = msgspec.field(default_factory=dict)
    range: bool = False
    column: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]

    @property
    def call(self) -> AskedCall:
        """The call that gives them."""
        return AskedCall(operation=self.operation, arguments=self.arguments)


class Variable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A text that arguments contain as ``$name``.

    Attributes:
        label: in words; the name by default.
        default: its text unless the page is asked for another.
        choices: the only texts that it can have; any, if there are none. Those of an operation are offered, and the
            address of the page can have others.
    """

    label: _Short = ""
    default: _Short = ""
    choices: Annotated[list[_Short], msgspec.Meta(max_length=MOST_CHOICES)] | Choices = msgspec.field(
        default_factory=list
    )

    @property
    def texts(self) -> list[str]:
        """The only texts that it can have; empty for any."""
        return [] if isinstance(self.choices, Choices) else self.choices


class Annotation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Rows of a result, each a moment that charts of time mark.

    Attributes:
        operation: ``namespace/operation``.
        arguments: its texts by parameter, which can contain variables.
        range: whether the call gets the time of the dashboard.
        time: the column that says when.
        label: the column that says what; empty for the time alone.
        where: a condition that rows have to fulfil, such as ``verdict=scanner``; empty for all rows.
    """

    operation: OperationName
    arguments: Texts = msgspec.field(default_factory=dict)
    range: bool = True
    time: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    label: _Short = ""
    where: _Short = ""

    @property
    def call(self) -> AskedCall:
        """The call that gives the rows."""
        return AskedCall(operation=self.operation, arguments=self.arguments)


class View(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """How a panel shows its result.

    Attributes:
        mark: ``auto`` shows it as its page does.
        x, y, series: columns of a chart; by default the first column, the first with numbers, and none.
        down: the column whose values a line, an area, a stack or a grid draws downwards; empty for none.
        sort: the column by which a table is sorted, with a minus for the largest first.
        rows: how many rows of a table, or marks of a bar chart.
        link: by column, the call to which its values lead, such as ``flow/top?over={value}``.
        compare: which earlier time such a chart also shows, dashed: ``previous`` for the one just before, or how
            much earlier it is, such as ``-1d`` or ``-1w``; empty for none.
    """

    mark: Mark = "auto"
    x: _Short = ""
    y: _Short = ""
    series: _Short = ""
    down: _Short = ""
    sort: _Short = ""
    rows: Annotated[int, msgspec.Meta(ge=1, le=100)] = 10
    link: dict[str, _Short] = msgspec.field(default_factory=dict)
    compare: _Short = ""

    def __post_init__(self) -> None:
        """Checks what types can't say.

        Raises:
            ValueError: ``compare`` is no earlier time, or the mark has no such thing.
        """
        if self.compare:
            time_before(self.compare)
            self._require_lines("compare", "show an earlier time")
        if self.down:
            self._require_lines("down", "draw in two directions")

    def _require_lines(self, member: str, done: str) -> None:
        if self.mark not in LINES:
            raise ValueError(f"{member}: only {', '.join(LINES[:-1])} and {LINES[-1]} {done}, not {self.mark}")


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
        annotations: what the charts of time mark.
        shared: with whom.
    """

    format: Literal["rave.dashboard/1"]
    title: Title
    range: TimeRange | None = None
    refresh: Literal["at-expiry", "never"] = "at-expiry"
    variables: Annotated[dict[_Name, Variable], msgspec.Meta(max_length=50)] = msgspec.field(default_factory=dict)
    panels: Annotated[list[Panel], msgspec.Meta(max_length=60)] = msgspec.field(default_factory=list)
    annotations: Annotated[list[Annotation], msgspec.Meta(max_length=10)] = msgspec.field(default_factory=list)
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
        for name, variable in self.variables.items():
            if isinstance(variable.choices, Choices):
                step = {STEP} if self.range is not None else set()
                self._check_call(f"the choices of ${name}", variable.choices.call, variable.choices.range, step)
        for annotation in self.annotations:
            self._check_call(f"the annotation by {annotation.operation}", annotation.call, annotation.range)

    def _check(self, panel: Panel) -> None:
        if (panel.call is None) == (not panel.text):
            raise ValueError(f"the panel {panel.id!r} needs either a call or a text")
        if panel.at[0] + panel.at[2] > COLUMNS:
            raise ValueError(f"the panel {panel.id!r} is wider than the {COLUMNS} columns that there are")
        if panel.view.compare and not panel.range:
            raise ValueError(f"the panel {panel.id!r} compares with an earlier time, but has no 'range'")
        if panel.call is not None:
            self._check_call(f"the panel {panel.id!r}", panel.call, panel.range)

    def _check_call(self, what: str, call: AskedCall, is_timed: bool, known: Iterable[str] | None = None) -> None:
        if is_timed and self.range is None:
            raise ValueError(f"{what} takes the time of the dashboard, which has no 'range'")
        if known is None:
            known = {*self.variables, *([STEP] if self.range is not None else [])}
        for name in _used(call):
            if name not in known:
                raise ValueError(f"{what} uses ${name}, which is no variable here; {nearest(name, known)}")

    def values(self, given: Mapping[str, str]) -> dict[str, str]:
        """The texts of the variables: those that are given, else the defaults.

        Raises:
            ValueError: one is no choice.
        """
        found = {}
        for name, variable in self.variables.items():
            text = given.get(name, variable.default)
            if variable.texts and text and text not in variable.texts:
                raise ValueError(f"{variable.label or name}: {text[:80]!r} is none of {', '.join(variable.texts)}")
            found[name] = text
        return found


def asked_by(
    call: AskedCall,
    values: Mapping[str, str],
    span: TimeSpan | None,
    names: tuple[str, ...] | None,
    *,
    is_timed: bool,
) -> AskedCall:
    """A call with texts in the place of variables. An argument that becomes empty is left out.

    Args:
        call: as a dashboard has it.
        values: texts of the variables.
        span: the time that the dashboard shows.
        names: the parameters of the operation for start, end and, if it has one, the width of a bin.
        is_timed: whether the call gets that time.

    Raises:
        ValueError: the call gets the time of the dashboard, and the operation declares none.
    """
    texts = {**values, **({STEP: str(span.step)} if span is not None else {})}
    pairs = [(name, _filled(text, texts)) for name, text in call.pairs]
    found = [(name, text) for name, text in pairs if text]
    if is_timed and span is not None:
        if names is None:
            raise ValueError(
                f"{call.operation} declares no time range; its author adds time_range=('start', 'end') to its "
                "decorator, or the panel leaves the time of the dashboard out"
            )
        found += _in_time(names, span, {name for name, _ in found})
    return AskedCall.of(call.operation, found)


def _in_time(names: tuple[str, ...], span: TimeSpan, given: set[str]) -> Iterable[tuple[str, str]]:
    """The arguments for a span; those that the panel gives itself stay."""
    texts = (written(span.start), written(span.end), f"{span.step}s")
    return [(name, text) for name, text in zip(names, texts, strict=False) if name not in given]


def _used(call: AskedCall) -> list[str]:
    found = [each for _, text in call.pairs for each in _VARIABLE.finditer(text) if each[0] != "$$"]
    return [each[1] or each[2] for each in found]


def _filled(text: str, texts: Mapping[str, str]) -> str:
    return _VARIABLE.sub(lambda found: "$" if found[0] == "$$" else texts[found[1] or found[2]], text)
