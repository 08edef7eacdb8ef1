"""Formats log records so that text from outside can't start a line or act on a terminal."""

from __future__ import annotations

import copy
import io
import logging
import traceback
from typing import Any

from rave_core.text.humanize import printable

_INDENT = "    "


class PlainFormatter(logging.Formatter):
    """Escapes the content of a record, then passes it to another formatter for layout.

    A message takes one line. A traceback takes several, all indented, so that none can pass for another record.
    """

    def __init__(self, layout: logging.Formatter | None = None) -> None:
        """Formats as ``layout`` does; without a layout, as the standard library does."""
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
    """Makes ``handler`` escape what it writes, with its present layout; calling it twice is no error."""
    layout: Any = handler.formatter
    if not isinstance(layout, PlainFormatter):
        handler.setFormatter(PlainFormatter(layout))


def _indented(text: str) -> str:
    """The lines of ``text``, escaped and indented."""
    lines = (printable(line, keep="\t") for line in text.rstrip("\n").split("\n"))
    return "\n".join(f"{_INDENT}{line}" for line in lines) if text else ""
