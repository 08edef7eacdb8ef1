"""The progress of a product, as reported to the caller that waits for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeAlias


class Phase(StrEnum):
    """What is going on."""

    COMPUTING = "computing"
    RETRYING = "retrying"
    DOWNLOADING = "downloading"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far it is.

    Attributes:
        done, total: in the units of the operation; in bytes while downloading; ``None`` if unknown.
        text: the current step, in the operation's words; while retrying, the reason.
        phase: what is going on.
        href: the ticket's URL; empty while there is none.
    """

    done: float | None = None
    total: float | None = None
    text: str = ""
    phase: Phase = Phase.COMPUTING
    href: str = ""

    @classmethod
    def of(cls, document: Any, href: str) -> Progress:
        """The progress in a ticket or an event: ``{"done", "total", "text"}``; what is missing or odd is left out."""
        found: Mapping[str, Any] = document if isinstance(document, dict) else {}
        text = found.get("text")
        return cls(_number(found, "done"), _number(found, "total"), text if isinstance(text, str) else "", href=href)


NO_PROGRESS = Progress()
"""The progress of a ticket when nothing is known."""

Listener: TypeAlias = Callable[[Progress], object]
"""Called with progress. Its return value is ignored; an exception ends the waiting."""


def _number(found: Mapping[str, Any], name: str) -> float | None:
    value = found.get(name)
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None
