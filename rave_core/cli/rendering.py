"""Writes results to a screen, a pipe or a file, and chooses their format."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

from rave_core.cli.output import binary_output, print_table
from rave_core.errors import OptionError, UnrenderableError
from rave_core.rendering import arrow_file_of, csv_of, is_table, json_of, parquet_of, rows_of, text_of
from rave_core.text.humanize import printable

FORMATS: Final = ("text", "json", "csv", "arrow", "parquet", "table")
SUFFIXES: Final = {
    ".txt": "text",
    ".json": "json",
    ".csv": "csv",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
    ".parquet": "parquet",
}


def format_for(value: Any, chosen: str | None, *, path: str | None = None, is_terminal: bool = False) -> str:
    """The format to use: the chosen one, else that of the file's suffix, else one that suits value and output."""
    if chosen is not None:
        return chosen
    if path is not None and os.path.splitext(path)[1].lower() in SUFFIXES:
        return SUFFIXES[os.path.splitext(path)[1].lower()]
    if is_table(value):
        return "table" if is_terminal else "csv"
    return "text"


def rendered(value: Any, form: str, name: str) -> bytes:
    """``value`` in a format other than ``table``; ``name`` is the operation's, for messages.

    Raises:
        OptionError: the value can't be written like that.
    """
    with _explained(name):
        content = _RENDERERS[form](value)
    is_whole = form not in _LINES or (form == "text" and isinstance(value, (bytes, bytearray, memoryview)))
    return content if is_whole or content.endswith(b"\n") else content + b"\n"


def show_table(value: Any, name: str) -> None:
    """Prints a table to standard output.

    Raises:
        OptionError: the value is not a table.
    """
    with _explained(name):
        found = rows_of(value, "table")
    rows = [list(row) for row in found.rows]
    right = [index for index in range(len(found.columns)) if _is_number_column(rows, index)]
    print_table(found.columns, rows, right=right)


@contextlib.contextmanager
def _explained(name: str) -> Iterator[None]:
    """What can't be written, in the words of this command's options."""
    try:
        yield
    except UnrenderableError as error:
        instead = f"; use {error.instead}" if error.instead else ""
        instead += ", or -o FILE" if error.form in _LINES and error.instead else ""
        raise OptionError(f"{name}: --format {error.form} needs {error.needs}{instead}") from error


_LINES: Final = ("text", "json")
_RENDERERS: Final[dict[str, Callable[[Any], bytes]]] = {
    "text": text_of,
    "json": partial(json_of, indent=2),
    "csv": csv_of,
    "arrow": arrow_file_of,
    "parquet": parquet_of,
}


def show(value: Any, form: str, name: str, *, is_terminal: bool) -> None:
    """Writes a result to standard output.

    Raises:
        OptionError: it can't be written like that; bytes that are not text are not written to a terminal.
    """
    if form == "table":
        show_table(value, name)
        return
    content = rendered(value, form, name)
    if is_terminal and (form in ("arrow", "parquet") or not _is_readable(content)):
        raise OptionError(f"{name}: the result is binary ({len(content)} bytes); write it with -o FILE, or pipe it")
    binary_output().write(printable(content.decode(), keep="\t\n\r").encode() if is_terminal else content)


def _is_readable(content: bytes) -> bool:
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return False
    return "\0" not in text


def _is_number_column(rows: list[list[Any]], index: int) -> bool:
    values = [row[index] for row in rows if row[index] is not None]
    return bool(values) and all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values)
