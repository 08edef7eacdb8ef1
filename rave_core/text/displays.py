"""Values as notebooks show them: a line about a value, and below it the value's own display."""

from __future__ import annotations

import math
import os
from base64 import b64encode
from collections.abc import Mapping, Sequence
from html import escape
from itertools import islice
from typing import Any, Final

from rave_core.text.humanize import span

_LONGEST: Final = 10_000
_MOST_ROWS: Final = 20
_LARGEST_PICTURE: Final = 4 << 20
_LINE_STYLE: Final = "opacity: .7; font-size: 90%; margin-bottom: .4em"


def told(status: str, *, age: float, left: float, seconds: float) -> str:
    """How a kept result answers, in words: ``hit · made 2 h ago · good for 3 h · took 41 s``.

    Args:
        status: how it came about.
        age: seconds since it was made.
        left: seconds until it expires; infinite for never.
        seconds: how long it took.
    """
    good = "good for ever" if math.isinf(left) else f"good for {span(left)}" if left > 0 else "expired"
    return f"{status} · made {span(max(0.0, age))} ago · {good} · took {span(seconds)}"


def bundle(
    line: str, value: object, *, mime_type: str = "", is_file: bool = False, text: str | None = None
) -> dict[str, str]:
    """What a notebook shows of a value, by media type: ``text/plain`` and ``text/html``.

    The HTML has no scripts, and no colours of its own. It runs the value's ``repr``, or its ``_repr_html_``.

    Args:
        line: what is said above the value.
        value: the value; for a file, its path.
        mime_type: of the value. A picture is shown as one, up to 4 MiB.
        is_file: whether the value is the path of a file.
        text: the value as plain text; its ``repr`` if left out, or itself if it is a text.
    """
    if text is None:
        text = value if isinstance(value, str) else repr(value)
    head = f'<div style="{_LINE_STYLE}">{escape(line)}</div>'
    body = _picture(value, mime_type, is_file=is_file) or _own(value) or _table(value) or _text(value)
    return {"text/plain": f"{line}\n{_cut(text)}", "text/html": head + body}


def lines(text: str) -> dict[str, str]:
    """What a notebook shows of a text: its lines as they are, by media type."""
    return {"text/plain": text, "text/html": _text(text)}


def _picture(value: object, mime_type: str, *, is_file: bool) -> str:
    kind = mime_type.partition(";")[0].strip()
    if not kind.startswith("image/"):
        return ""
    content = _content(value, is_file=is_file)
    if content is None:
        return ""
    source = f"data:{escape(kind)};base64,{b64encode(content).decode()}"
    # Within an image, nothing of an SVG runs.
    return f'<img alt="the result, as a picture" style="max-width: 100%; background: #fff" src="{source}">'


def _content(value: object, *, is_file: bool) -> bytes | None:
    """The bytes of a picture; ``None`` if there are none, or too many."""
    if is_file:
        try:
            path = os.fspath(value)  # type: ignore[call-overload]  # what is no path raises a TypeError
            if os.path.getsize(path) > _LARGEST_PICTURE:
                return None
            with open(path, "rb") as file:
                return bytes(file.read())
        except (OSError, TypeError):
            return None
    content = value.encode() if isinstance(value, str) else value
    if not isinstance(content, (bytes, bytearray, memoryview)) or len(content) > _LARGEST_PICTURE:
        return None
    return bytes(content)


def _own(value: object) -> str:
    """The HTML that a value makes of itself; empty if it makes none, or fails."""
    make = getattr(value, "_repr_html_", None)
    try:
        made = make() if callable(make) and not isinstance(value, type) else None
    except Exception:  # noqa: BLE001  # a value's code may raise anything; its repr is shown then
        return ""
    return made if isinstance(made, str) else ""


def _table(value: object) -> str:
    if not isinstance(value, list) or not value or not all(isinstance(row, Mapping) for row in value):
        return ""
    columns = list(dict.fromkeys(name for row in islice(value, _MOST_ROWS) for name in row))
    head = "".join(f'<th scope="col">{escape(str(name))}</th>' for name in columns)
    rows = "".join(_row(row, columns) for row in islice(value, _MOST_ROWS))
    more = f"<p>{_MOST_ROWS} of {len(value):,} rows</p>" if len(value) > _MOST_ROWS else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>{more}"


def _row(row: Mapping[Any, Any], columns: Sequence[Any]) -> str:
    cells = "".join(f"<td>{escape(_cut(str(row[name]))) if name in row else ''}</td>" for name in columns)
    return f"<tr>{cells}</tr>"


def _text(value: object) -> str:
    return f"<pre>{escape(_cut(value if isinstance(value, str) else repr(value)))}</pre>"


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
