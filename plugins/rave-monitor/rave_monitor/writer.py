"""A writer: hands samples and alarms on, to elsewhere than the database."""

from __future__ import annotations

from typing import Any

from rave_monitor.checkpoint import Sample


class Writer:
    """Hands samples on, or tells of alarms. Override what you need.

    The arguments of the constructor, all by keyword, are those of its table ``[[writers]]``; annotate them, since the
    annotations are what they are checked by. The constructor checks, and opens nothing: it raises ``ValueError`` for
    a value that can't be right.

    What raises an exception is called again with the same, after 0.5 s at first and then up to a minute. ``write`` and
    ``tell`` are called by a thread each, so they may run at the same time; they may wait, and hold up nobody else.

    Attributes:
        name: its name in the configuration.
    """

    name: str = ""

    def write(self, samples: list[Sample]) -> None:
        """Hands samples on: all of the monitor, oldest first, about a thousand at most.

        They are in the database by then. After a kill, the next leader's writer gets the last ones again.
        """

    def tell(self, notice: dict[str, Any]) -> None:
        """Tells people of an alarm that names this writer in ``notify``: the body of a webhook."""

    def close(self) -> None:
        """Lets go of what is open."""
