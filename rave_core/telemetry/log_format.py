"""How log records are written: text that came from outside can neither start a line nor act on a terminal."""

from __future__ import annotations

import copy
import io
import logging
import traceback
from typing import Any

from rave_core.humanize import printable

_INDENT = "    "


class PlainFormatter(logging.Formatter):
    """Escapes what a record says, then has another formatter lay it out.

    A message takes one line. A traceback takes several, all indented, so that none can pass for another record.
    """

    def __init__(self, layout: logging.Formatter | None = None) -> None:
        """Formats as ``layout`` does; as the standard library does without one."""
        super().__init__()
        self.layout = layout or logging.Formatter()

    def format(self, record: logging.LogRecord) -> str:
        """The text of ``record``, which is not changed."""
        plain = copy.copy(record)
        plain.msg, plain.args = printable(record.getMessage().rstrip("\n")), None
        plain.exc_text = _indented(self._traceback(record)) or None
        plain.stack_info = _indented(record.stack_info or "") or None
        return self.layout.format(plain)

    def _traceback(self, record: logging.LogRecord) -> str:
        if record.exc_text or not record.exc_info or record.exc_info[0] is None:
            return record.exc_text or ""
        sink = io.StringIO()
        traceback.print_exception(*record.exc_info, file=sink)
        return sink.getvalue()


def protect(handler: logging.Handler) -> None:
    """Has ``handler`` escape what it writes, in the form that it has; twice is no error."""
    layout: Any = handler.formatter
    if not isinstance(layout, PlainFormatter):
        handler.setFormatter(PlainFormatter(layout))


def _indented(text: str) -> str:
    """The lines of ``text``, escaped and indented."""
    lines = (printable(line, keep="\t") for line in text.rstrip("\n").split("\n"))
    return "\n".join(f"{_INDENT}{line}" for line in lines) if text else ""
