"""The output of commands: results to standard output, everything else to standard error."""

from __future__ import annotations

import math
import os
import re
import shutil
import sys
from collections.abc import Iterable, Sequence
from typing import Any, BinaryIO, cast

import click
import msgspec

from rave_core.text.humanize import printable

_BEYOND_JSON = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")

MAX_ROWS = 200
"""The maximum number of table rows shown on a terminal."""


def is_terminal(stream: Any) -> bool:
    """Whether ``stream`` is a terminal that can move its cursor."""
    try:
        return bool(stream.isatty()) and os.environ.get("TERM") != "dumb"
    except (AttributeError, ValueError):
        return False


def note(message: str) -> None:
    """Writes one line to standard error, marked as RAVE's; a missing stream or reader is no error."""
    message = printable(message)
    word, colon, rest = message.partition(": ")
    colour = {"error": "red", "warning": "yellow"}.get(word) if colon else None
    shown = f"{click.style(word, fg=colour)}: {rest}" if colour else message
    click.echo(f"rave: {shown}", err=True)


def say(text: str = "", *, err: bool = False, keep: str = "", **style: Any) -> None:
    """Writes one line to standard output or standard error; escapes everything that a terminal would act on.

    Args:
        text: what to write; it may come from any source.
        err: whether it goes to standard error.
        keep: control characters that stay, such as line ends.
        style: as `click.style` takes it.
    """
    click.echo(click.style(printable(text, keep=keep), **style) if style else printable(text, keep=keep), err=err)


def binary_output() -> BinaryIO:
    """Standard output for bytes, in order with text written there before."""
    sys.stdout.flush()
    return cast("BinaryIO", sys.stdout.buffer)


def one_line(text: str, most: int = 1000) -> str:
    """``text`` in one line, without what a terminal would act on."""
    line = printable(" ".join(text.split()))
    return line if len(line) <= most else f"{line[: most - 4]} ..."


def print_json(document: Any) -> None:
    """Writes one readable JSON document; values that JSON can't represent become text, infinite numbers ``null``."""
    encoded = msgspec.json.encode(document, enc_hook=_plain)
    text = msgspec.json.format(encoded, indent=2).decode()
    # JSON's own escapes cover the rest. What is left is within strings, where these escapes are valid JSON too.
    click.echo(_BEYOND_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", text))


def _plain(value: Any) -> Any:
    """A form that JSON has: the values of arrays and scalars, the text of the rest."""
    for method in ("tolist", "isoformat"):
        convert = getattr(value, method, None)
        if callable(convert):
            return convert()
    return str(value)


def heading(text: str) -> None:
    """A heading above lines that belong together."""
    say(text, bold=True)


def print_facts(facts: Iterable[tuple[str, object]], *, indent: int = 2) -> None:
    """Names and values, one per line; long values wrap within their column."""
    rows = [(printable(name), printable(str(value), keep="\n")) for name, value in facts]
    width = max((len(name) for name, _ in rows), default=0)
    room = max(shutil.get_terminal_size().columns - indent - width - 2, 30)
    for name, value in rows:
        lines = value.split("\n")
        if is_terminal(sys.stdout):
            lines = [part for line in lines for part in _wrapped(line, room)]
        for number, line in enumerate(lines):
            label = click.style((name if not number else "").ljust(width), dim=True)
            click.echo(f"{' ' * indent}{label}  {line}".rstrip())


def _wrapped(line: str, room: int) -> list[str]:
    import textwrap

    return textwrap.wrap(line, room, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False) or [""]


def print_table(
    columns: Sequence[str], rows: Iterable[Sequence[object]], *, right: Iterable[int] = (), cut: Iterable[int] = ()
) -> None:
    """A table: fitted to the width of a terminal; elsewhere complete, aligned by blanks.

    Args:
        columns: their names.
        rows: of cells, shown as `cell` writes them.
        right: indices of columns whose cells are numbers.
        cut: indices of columns that are cut on a terminal that is too narrow; others go on in the next line.
    """
    columns, cells = [cell(name) for name in columns], [[cell(value) for value in row] for row in rows]
    if is_terminal(sys.stdout):
        _print_rich(columns, cells, set(right), set(cut))
        return
    widths = [max(map(len, column)) for column in zip(columns, *cells, strict=True)]
    for row in (columns, *cells):
        padded = [
            text.rjust(width) if index in set(right) else text.ljust(width)
            for index, (text, width) in enumerate(zip(row, widths, strict=True))
        ]
        click.echo("  ".join(padded).rstrip())


def _print_rich(columns: Sequence[str], cells: list[list[str]], right: set[int], cut: set[int]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bold", border_style="dim")
    for index, name in enumerate(columns):
        table.add_column(name, justify="right" if index in right else "left", no_wrap=index in right, overflow="fold")
    for row in cells[:MAX_ROWS]:
        # Cut by cell, since rich does not narrow a column that must not wrap.
        table.add_row(
            *(
                Text(text, no_wrap=True, overflow="ellipsis") if index in cut else Text(text)
                for index, text in enumerate(row)
            )
        )
    Console(file=sys.stdout, highlight=False).print(table)
    if len(cells) > MAX_ROWS:
        note(f"{len(cells) - MAX_ROWS} more rows are not shown; a pipe gets all of them")


def cell(value: object) -> str:
    """A value as a table cell, without what a terminal would act on."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.6g}" if math.isfinite(value) else str(value)
    return printable(str(value))
