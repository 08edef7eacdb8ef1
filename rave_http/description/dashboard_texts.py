"""A dashboard as the texts of a form, and back. What was typed stays as it is, also if it makes no dashboard yet."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from rave_http.description.dashboards import COLUMNS, FORMAT, Annotation, Choices, Dashboard, Panel, Variable, View
from rave_http.description.saved_calls import AskedCall

FIELDS: Final = ("title", "shared", "from", "to", "zone", "align", "refresh", "variables", "annotations")
_LISTED: Final = {"variables": "variable", "annotations": "annotation"}
"""Fields with a line for each thing, and what such a thing is called."""
PANEL_FIELDS: Final = ("id", "title", "call", "range", "view", "text", "at")
MOST_PANELS: Final = 60
_VARIABLE: Final = re.compile(r"\s*([A-Za-z_]\w*)\s*(?:\(([^)]*)\))?\s*=(.*)")
_COLUMN: Final = re.compile(r"column (.+) of (\S+?/\S+)( in the time)?")
_IN_TIME: Final = " in the time"
_USUAL: Final = (6, 4)
_TEXT: Final = (COLUMNS, 1)


@dataclass(frozen=True, slots=True)
class DashboardTexts:
    """What a form about a dashboard holds.

    Attributes:
        fields: by `FIELDS`.
        panels: for each panel its texts by `PANEL_FIELDS`.
    """

    fields: Mapping[str, str]
    panels: Sequence[Mapping[str, str]] = field(default_factory=list)

    @classmethod
    def of(cls, board: Dashboard) -> DashboardTexts:
        """The texts of a dashboard."""
        span = board.range
        times = ("", "", "", "") if span is None else (span.start, span.end, span.zone, span.align)
        fields = {
            "title": board.title,
            "shared": ", ".join(board.shared),
            **dict(zip(("from", "to", "zone", "align"), times, strict=True)),
            "refresh": board.refresh,
            "variables": "\n".join(_variable_text(*each) for each in board.variables.items()),
            "annotations": "\n".join(map(_annotation_text, board.annotations)),
        }
        return cls(fields, [_panel_texts(panel) for panel in board.panels])

    @classmethod
    def sent(cls, form: Mapping[str, str]) -> DashboardTexts:
        """The texts of a submitted form; panels of which nothing is said are left out."""
        panels = []
        for number in range(MOST_PANELS + 1):
            texts = {name: form.get(f"{name}_{number}", "").replace("\r\n", "\n") for name in PANEL_FIELDS}
            if texts["call"].strip() or texts["text"].strip():
                panels.append(texts)
        return cls({name: form.get(name, "").replace("\r\n", "\n") for name in FIELDS}, panels)

    @property
    def lines(self) -> list[str]:
        """All of it line by line, for comparing two versions."""
        found = [f"{name}: {text}" for name, text in self.fields.items() if name not in _LISTED and text]
        for name, word in _LISTED.items():
            found += [f"{word} {line}" for line in self.fields[name].splitlines() if line.strip()]
        for texts in self.panels:
            found += [f"panel {texts['id']}: {name}: {text}" for name, text in texts.items() if text and name != "id"]
        return found

    def dashboard(self) -> Dashboard:
        """The dashboard that the texts describe.

        Raises:
            ValueError: they describe none; the message says which field is wrong.
        """
        fields = self.fields
        times = {name: fields[name].strip() for name in ("from", "to", "zone", "align") if fields[name].strip()}
        document: dict[str, Any] = {
            "format": FORMAT,
            "title": fields["title"].strip(),
            "refresh": fields["refresh"] or "at-expiry",
            "variables": dict(_variable(line) for line in fields["variables"].splitlines() if line.strip()),
            "panels": self._panels(),
            "annotations": [_annotation(line) for line in fields["annotations"].splitlines() if line.strip()],
            "shared": [each.strip() for each in fields["shared"].split(",") if each.strip()],
        }
        if times:
            document["range"] = times
        return msgspec.convert(document, Dashboard)

    def _panels(self) -> list[dict[str, Any]]:
        taken = {texts["id"] for texts in self.panels}
        found: list[dict[str, Any]] = []
        bottom = 0
        for number, texts in enumerate(self.panels, 1):
            place = _place(texts["at"], number) or (0, bottom, *(_TEXT if texts["text"].strip() else _USUAL))
            bottom = max(bottom, place[1] + place[3])
            name = texts["id"] or _free(taken)
            taken.add(name)
            found.append(_panel(texts, name, place, number))
        return found


def _panel(texts: Mapping[str, str], name: str, place: Sequence[int], number: int) -> dict[str, Any]:
    panel: dict[str, Any] = {"id": name, "title": texts["title"].strip(), "at": list(place)}
    if texts["call"].strip():
        try:
            panel["call"] = msgspec.to_builtins(AskedCall.read(texts["call"]))
            panel["view"] = _view(texts["view"])
        except ValueError as error:
            raise ValueError(f"panel {number}: {error}") from None
        panel["range"] = bool(texts["range"])
    if texts["text"].strip():
        panel["text"] = texts["text"]
    return panel


def _panel_texts(panel: Panel) -> dict[str, str]:
    return {
        "id": panel.id,
        "title": panel.title,
        "call": "" if panel.call is None else panel.call.plain,
        "range": "yes" if panel.range else "",
        "view": _view_text(panel.view),
        "text": panel.text,
        "at": " ".join(map(str, panel.at)),
    }


def _view_text(view: View) -> str:
    texts = [view.mark] + [
        f"{name}={text}" for name in ("x", "y", "series", "sort", "compare") if (text := getattr(view, name))
    ]
    texts += [f"rows={view.rows}"] if view.rows != View().rows else []
    texts += [f"link.{column}={call}" for column, call in view.link.items()]
    return "" if texts == ["auto"] else shlex.join(texts)


def _view(text: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for word in shlex.split(text):
        name, is_set, value = word.partition("=")
        if not is_set:
            found["mark"] = word
        elif name.startswith("link."):
            found.setdefault("link", {})[name.removeprefix("link.")] = value
        elif name == "rows":
            found[name] = int(value) if value.isascii() and value.isdigit() else value
        else:
            found[name] = value
    msgspec.convert(found, View)
    return found


def _variable(line: str) -> tuple[str, dict[str, Any]]:
    found = _VARIABLE.fullmatch(line)
    if found is None:
        right = "'name = text' or 'name (Label) = one | two | three'"
        raise ValueError(f"the variable {line.strip()[:80]!r}: write {right}")
    default, is_more, rest = (each.strip() for each in found[3].partition("|"))
    variable: dict[str, Any] = {"label": (found[2] or "").strip(), "default": default}
    column = _COLUMN.fullmatch(rest)
    if column:
        called = msgspec.to_builtins(AskedCall.read(column[2]))
        variable["choices"] = {**called, "column": column[1], "range": bool(column[3])}
    elif is_more:
        variable["choices"] = [default, *(each.strip() for each in rest.split("|"))]
    return found[1], variable


def _variable_text(name: str, variable: Variable) -> str:
    if isinstance(variable.choices, Choices):
        source = variable.choices
        others = [f"column {source.column} of {_in_one_word(source.call)}{_IN_TIME if source.range else ''}"]
    else:
        others = [each for each in variable.choices if each != variable.default]
    label = f" ({variable.label})" if variable.label else ""
    return f"{name}{label} = {' | '.join([variable.default, *others])}"


def _in_one_word(call: AskedCall) -> str:
    return call.plain.replace(" ", "%20").replace("|", "%7C")


def _annotation(line: str) -> dict[str, Any]:
    right = "'flow/scans time=decided_at label=src where=verdict=scanner'"
    try:
        call, *others = shlex.split(line)
        found: dict[str, Any] = msgspec.to_builtins(AskedCall.read(call))
        for word in others:
            name, _, value = word.partition("=")
            if (name, value) not in (("range", "yes"), ("range", "no")) and name not in ("time", "label", "where"):
                raise ValueError(f"{word[:40]!r} is none of time=, label=, where= and range=no")
            found[name] = value != "no" if name == "range" else value
        msgspec.convert(found, Annotation)
    except ValueError as error:
        raise ValueError(f"the annotation {line.strip()[:80]!r}: {error}; write one such as {right}") from None
    return found


def _annotation_text(annotation: Annotation) -> str:
    texts = [annotation.call.plain, f"time={annotation.time}"]
    texts += [f"{name}={text}" for name in ("label", "where") if (text := getattr(annotation, name))]
    return shlex.join([*texts, *([] if annotation.range else ["range=no"])])


def _place(text: str, number: int) -> tuple[int, ...] | None:
    if not text.strip():
        return None
    try:
        place = tuple(map(int, text.replace(",", " ").split()))
    except ValueError:
        place = ()
    if len(place) != 4:
        right = "column, row, width and height, such as '0 0 6 4'"
        raise ValueError(f"panel {number}: the place {text[:40]!r} is not {right}")
    return place


def _free(taken: set[str]) -> str:
    return next(name for number in range(1, 1000) if (name := f"p{number}") not in taken)
