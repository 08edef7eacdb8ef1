"""What the commands write: results to standard output, everything else to standard error."""

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

from rave_core.humanize import printable

_BEYOND_JSON = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")

MAX_ROWS = 200
"""As many rows of a table are shown on a terminal."""


def is_terminal(stream: Any) -> bool:
    """Whether a person looks at ``stream`` through a terminal that can move its cursor."""
    try:
        return bool(stream.isatty()) and os.environ.get("TERM") != "dumb"
    except (AttributeError, ValueError):
        return False


def note(message: str) -> None:
    """One line to standard error, which says that it is ours; a store or reader that is gone is no reason to fail."""
    message = printable(message)
    word, colon, rest = message.partition(": ")
    colour = {"error": "red", "warning": "yellow"}.get(word) if colon else None
    shown = f"{click.style(word, fg=colour)}: {rest}" if colour else message
    click.echo(f"rave: {shown}", err=True)


def say(text: str = "", *, err: bool = False, keep: str = "", **style: Any) -> None:
    """One line to standard output or standard error, with everything escaped that a terminal would act upon.

    Args:
        text: what to write; it may come from anywhere.
        err: whether it goes to standard error.
        keep: control characters that stay, such as the ends of lines.
        style: as `click.style` takes it.
    """
    click.echo(click.style(printable(text, keep=keep), **style) if style else printable(text, keep=keep), err=err)


def binary_output() -> BinaryIO:
    """Standard output for bytes, in step with what was written there as text."""
    sys.stdout.flush()
    return cast("BinaryIO", sys.stdout.buffer)


def one_line(text: str, most: int = 1000) -> str:
    """``text`` in one line, without what a terminal would act upon."""
    line = printable(" ".join(text.split()))
    return line if len(line) <= most else f"{line[: most - 4]} ..."


def print_json(document: Any) -> None:
    """One JSON document, readable; what JSON has no form for becomes text, infinite numbers ``null``."""
    encoded = msgspec.json.encode(document, enc_hook=_plain)
    text = msgspec.json.format(encoded, indent=2).decode()
    # JSON's own escapes cover the rest; what is left stands within strings, where these are JSON's as well.
    click.echo(_BEYOND_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", text))


def _plain(value: Any) -> Any:
    """A form that JSON has: of arrays and scalars their values, of the rest their text."""
    for method in ("tolist", "isoformat"):
        convert = getattr(value, method, None)
        if callable(convert):
            return convert()
    return str(value)


def heading(text: str) -> None:
    """A line above what belongs together."""
    say(text, bold=True)


def print_facts(facts: Iterable[tuple[str, object]], *, indent: int = 2) -> None:
    """Names and values, one below the other; long values go on under themselves."""
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
    """A table: on a terminal as wide as that, elsewhere aligned by blanks, whole.

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
    """A value as it stands in a table, without what a terminal would act upon."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.6g}" if math.isfinite(value) else str(value)
    return printable(str(value))
