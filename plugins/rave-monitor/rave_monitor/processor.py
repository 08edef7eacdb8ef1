"""A processor: what looks at events, or polls something, and is sampled each period."""

from __future__ import annotations

from typing import Any, Self

from rave_core.errors import RaveError
from rave_monitor.reader import Event


class Abort(RaveError):
    """A processor raises it to say that something went wrong, but that it goes on: the event or the sample is left out.

    Any other exception disables the processor until the next reload.
    """


class Processor:
    """A chunk of analysis that sees each event and is sampled each period. Override what you need.

    The arguments of the constructor, all by keyword, are those of its table ``[[processors]]``; annotate them, since
    the annotations are what they are checked by. The constructor raises ``ValueError`` for a value that can't be right.

    ``event``, ``state`` and ``load`` are called by one thread; ``sample`` by another. While it takes less than
    0.05 s, no other method is called; a slower one has to protect what it shares with ``event``.

    Attributes:
        name: its name in the configuration.
        elapsed: seconds since the sample before, also over a restart; 0 for the first sample. Set before each sample.
    """

    name: str = ""
    elapsed: float = 0.0

    def event(self, ev: Event) -> None:
        """Looks at an event. It is shared with other processors: do not change it."""

    def sample(self) -> dict[str, Any]:
        """What there is to say at present, in values that JSON has."""
        return {}

    def load(self, old: Self) -> None:
        """Takes over from the instance before, when code is loaded again: its ``state``, unless you override this."""
        self.restore(old.state())

    def state(self) -> bytes:
        """All that a restart needs to go on as if nothing had happened; saved with each sample."""
        return b""

    def restore(self, state: bytes) -> None:
        """Goes on from a state. Called before any event; an exception means that it can't be used."""
