"""The forms that a value can take over HTTP, and the choice among them.

The forms of plugins come first, then the operation's own MIME type, then all others that fit the value.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

import msgspec
from falcon import mediatypes
from falcon.errors import InvalidMediaRange

from rave_core.errors import describe_error
from rave_core.rendering import (
    arrow_file_of,
    arrow_stream_of,
    csv_of,
    is_table,
    json_of,
    looks_plain,
    parquet_of,
    text_of,
)
from rave_http.protocol.media_types import kind_of, short_name
from rave_http.protocol.problems import Problem
from rave_http.representation.figures import (
    figure_library,
    is_installed,
    pdf_of,
    plotly_json,
    plotly_page,
    plotly_picture,
    png_of,
    svg_of,
)
from rave_http.representation.table_page import table_page

_log = logging.getLogger("rave.http")
_BINARY: Final = (bytes, bytearray, memoryview)
_UNTOLD: Final = "application/octet-stream"
"""The MIME type of an operation that declares none."""


@dataclass(frozen=True, slots=True)
class Rendering:
    """A form that a value can take.

    Attributes:
        media_type: with its charset, for a text.
        name: its short name, for the parameter ``rave.f``.
        render: from the value to its bytes. It may raise `rave_core.errors.UnrenderableError`.
    """

    media_type: str
    name: str
    render: Callable[[Any], bytes]


_TEXT: Final = Rendering("text/plain; charset=utf-8", "text", text_of)
_JSON: Final = Rendering("application/json", "json", json_of)
_CSV: Final = Rendering("text/csv; charset=utf-8", "csv", csv_of)
_ARROW: Final = Rendering("application/vnd.apache.arrow.stream", "arrow", arrow_stream_of)
_ARROW_FILE: Final = Rendering("application/vnd.apache.arrow.file", "arrow-file", arrow_file_of)
_PARQUET: Final = Rendering("application/vnd.apache.parquet", "parquet", parquet_of)
_HTML: Final = "text/html; charset=utf-8"
_DRAWN: Final = (
    Rendering("image/png", "png", png_of),
    Rendering("image/svg+xml", "svg", svg_of),
    Rendering("application/pdf", "pdf", pdf_of),
)
_PLOTLY: Final = (
    Rendering("application/json", "json", plotly_json),
    Rendering(_HTML, "html", plotly_page),
)
_PLOTLY_DRAWN: Final = (
    Rendering("image/png", "png", partial(plotly_picture, form="png")),
    Rendering("image/svg+xml", "svg", partial(plotly_picture, form="svg")),
)


def renderings(value: Any, mime_type: str, *, operation: str, hooks: Any, base: str = "") -> tuple[Rendering, ...]:
    """The forms that a value can take, the best first; never empty.

    It inspects the value only as far as necessary, and keeps no part of it: the answer holds for every equal value.

    Args:
        value: the value, which is not changed.
        mime_type: the one that the operation declares.
        operation: its name, as the title of a page.
        hooks: pluggy's relay of the service's plugins.
        base: the prefix of every link on a page.
    """
    built_in = _built_in(value, mime_type, partial(table_page, operation=operation, base=base))
    found: dict[str, Rendering] = {}
    for each in (*_plugged(value, mime_type, hooks), *built_in):
        found.setdefault(_bare(each.media_type), each)
    return tuple(found.values())


def _plugged(value: Any, mime_type: str, hooks: Any) -> Iterator[Rendering]:
    """The forms of plugins. Each plugin is called separately, so that a failing one does not affect the others."""
    asked = {"value": value, "mime_type": mime_type}
    for implementation in reversed(hooks.rave_http_render.get_hookimpls()):
        try:
            offered = implementation.function(*(asked[name] for name in implementation.argnames))
            forms = [] if offered is None else list(offered)
            if strange := [each for each in forms if not isinstance(each, Rendering) or "/" not in each.media_type]:
                raise TypeError(f"it gave {strange[0]!r}, which is not a Rendering with a media type")
        except Exception as error:  # noqa: BLE001  # a stranger's hook may raise anything
            _log.warning("rave_http_render of plugin %s failed: %s", implementation.plugin_name, describe_error(error))
            _log.debug("the failure", exc_info=True)
        else:
            yield from forms


def _built_in(value: Any, mime_type: str, page: Callable[[Any], bytes]) -> Iterable[Rendering]:
    if isinstance(value, _BINARY):
        return (Rendering(mime_type, short_name(mime_type), bytes),)
    own = _own_text(mime_type) if isinstance(value, str) else None
    usual = _usual(value, page, is_json=_is_json(mime_type))
    own = own or _own(mime_type, usual)
    if own is None:
        return usual
    return (own, *(each for each in usual if kind_of(each.media_type) != kind_of(own.media_type)))


def _own_text(mime_type: str) -> Rendering | None:
    """A text under the operation's type, unchanged."""
    if kind_of(mime_type) == _UNTOLD:
        return None
    if _is_json(mime_type):
        return Rendering(_in_utf8(mime_type), "json", _json_text_of)
    return Rendering(_in_utf8(mime_type), short_name(mime_type), text_of)


def _json_text_of(value: str) -> bytes:
    """A text that is already a JSON object or array unchanged, any other as a JSON string."""
    if value.lstrip().startswith(("{", "[")):
        with contextlib.suppress(msgspec.DecodeError, RecursionError, UnicodeError):
            msgspec.json.decode(value)
            return value.encode()
    return json_of(value)


def _own(mime_type: str, usual: Sequence[Rendering]) -> Rendering | None:
    """The operation's type, if it is one that a value with these usual forms can take."""
    fitting = {kind_of(each.media_type): each for each in usual}
    if _CSV in usual:
        fitting["text/plain"] = _TEXT
    if _ARROW in usual:
        fitting[_ARROW_FILE.media_type] = _ARROW_FILE
    found = fitting.get("application/json" if _is_json(mime_type) else kind_of(mime_type))
    return None if found is None else replace(found, media_type=_in_utf8(mime_type))


def _usual(value: Any, page: Callable[[Any], bytes], *, is_json: bool) -> tuple[Rendering, ...]:
    """The forms that values of this kind have, whatever the operation says; ``is_json`` if it says JSON."""
    if isinstance(value, str):
        return (_TEXT, _JSON)
    library = figure_library(value)
    if library == "matplotlib":
        return _DRAWN
    if library == "plotly":
        return (*_PLOTLY, *(_PLOTLY_DRAWN if is_installed("kaleido") else ()))
    columnar = (_ARROW, _PARQUET) if is_installed("pyarrow") else ()
    if is_table(value):
        return (_JSON, _CSV, *columnar, Rendering(_HTML, "html", page))
    if isinstance(value, list) and not value:  # a table that found nothing today, maybe
        return (_JSON, _TEXT, _CSV, *columnar, Rendering(_HTML, "html", page))
    return (_JSON, _TEXT) if is_json or looks_plain(value) else (_TEXT,)


def choose(offered: Sequence[Rendering], *, accept: str | None, form: str | None) -> Rendering:
    """The form of the answer: the one requested by name, else the one that the client prefers, else the first.

    Args:
        offered: the forms, the best first; among equally preferred forms, the first wins.
        accept: the header ``Accept``.
        form: a short name or a media type, which overrides ``accept``; empty counts as ``None``.

    Raises:
        Problem: ``not-acceptable``, with the media types that are there as ``available``; ``bad-request`` if the
            header can't be understood.
    """
    if form:
        return _named(offered, form)
    ranges = ",".join(each for each in (accept or "").lower().split(",") if each.strip())
    if ranges.strip() in ("", "*/*"):
        return offered[0]
    bare = {_bare(each.media_type): each for each in offered}
    try:
        best = mediatypes.best_match(bare, ranges)
    except InvalidMediaRange as error:
        raise Problem("bad-request", f"The header 'Accept' can't be understood: {error}") from error
    if not best:
        raise _unacceptable(offered, "The result can take none of the forms in 'Accept'")
    return bare[best]


def negotiate_file(mime_type: str, accept: str | None, form: str | None) -> None:
    """Returns if the client accepts a file, which has only the form that it was made in.

    Raises:
        Problem: as `choose`.
    """
    choose((file_form(mime_type),), accept=accept, form=form)


def file_form(mime_type: str) -> Rendering:
    """The form of a file."""
    return Rendering(mime_type, short_name(mime_type), bytes)


def _named(offered: Sequence[Rendering], form: str) -> Rendering:
    wanted = form.strip().lower()
    if ";" not in wanted:
        wanted = wanted.replace(" ", "+")  # one that was not encoded in a query has become a blank
    for each in offered:
        if wanted in (each.name, kind_of(each.media_type)) or _bare(wanted) == _bare(each.media_type):
            return each
    names = ", ".join(each.name for each in offered)
    raise _unacceptable(offered, f"The result has no form {form!r}; it can be: {names}")


def _unacceptable(offered: Sequence[Rendering], reason: str) -> Problem:
    return Problem("not-acceptable", reason, available=[each.media_type for each in offered])


def _bare(media_type: str) -> str:
    """A media type without its charset, for distinguishing and matching forms."""
    kind, *parameters = (part.strip() for part in media_type.lower().split(";"))
    return "; ".join([kind, *(each for each in parameters if each and not each.startswith("charset="))])


def _in_utf8(mime_type: str) -> str:
    """A media type with the charset that our texts have, where it is one of a text."""
    kind, *parameters = (part.strip() for part in mime_type.split(";"))
    parameters = [each for each in parameters if each and not each.lower().startswith("charset=")]
    if kind.lower().startswith("text/"):
        parameters.append("charset=utf-8")
    return "; ".join([kind, *parameters])


def _is_json(mime_type: str) -> bool:
    kind = kind_of(mime_type)
    return kind == "application/json" or kind.endswith("+json")
