"""What changed between two commits, as a unified diff."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

_COLOURS = {"---": "white", "+++": "white", "-": "red", "+": "green"}


def difference(old: bytes | None, new: bytes | None, old_name: str, new_name: str) -> Iterator[str]:
    """The lines of a unified diff, without their ends; none if nothing changed.

    Payloads that are not UTF-8 are shown with their other bytes escaped, so that no difference is lost.
    """
    yield from difflib.unified_diff(_lines(old), _lines(new), old_name, new_name, lineterm="")


def colour_of(line: str) -> str | None:
    """The colour in which a line of a diff is shown on a terminal; ``None`` for none."""
    return next((colour for sign, colour in _COLOURS.items() if line.startswith(sign)), None)


def _lines(payload: bytes | None) -> list[str]:
    """Lines; one without an end says so, and a carriage return is shown."""
    text = (payload or b"").decode(errors="backslashreplace")
    if not text:
        return []
    *whole, last = text.split("\n")
    shown = [line.replace("\r", "\\r") for line in whole]
    return [*shown, f"{last}\\ (no line end)"] if last else shown
