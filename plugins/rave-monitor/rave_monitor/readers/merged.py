"""Several readers as one."""

from __future__ import annotations

from typing import Any

from rave_monitor.reader import Event, Position, Reader


class Merged(Reader):
    """Joins readers: their events as they come, each reader's in its order, with no order across them.

    A monitor joins its ``[[readers]]`` by itself. This is for a reader of your own that consists of others::

        class Both(Merged):
            def __init__(self, *, directory: Path) -> None:
                super().__init__(a=LinesReader(path=directory / "a.log"), b=LinesReader(path=directory / "b.log"))
    """

    def __init__(self, **readers: Reader) -> None:
        """Joins readers; positions are kept under their names."""
        if not readers:
            raise ValueError("there is nothing to join: expected readers")
        self._readers = readers
        self._next = 0

    def open(self, position: Position | None) -> None:
        """Begins each after its own position; one that is new at the beginning."""
        for name, each in self._readers.items():
            each.tell = lambda message, name=name: self.tell(f"{name}: {message}")  # type: ignore[misc]  # a function
            each.runtime = self.runtime
            each.open((position or {}).get(name))

    def read(self, limit: int) -> list[Event]:
        """The next events of one reader that has some; each has its turn."""
        readers = list(self._readers.values())
        for _ in readers:
            chosen = readers[self._next % len(readers)]
            self._next += 1
            events = chosen.read(limit)
            if events:
                return events
        return []

    def position(self) -> dict[str, Any]:
        """The positions, by name."""
        return {name: dict(each.position()) for name, each in self._readers.items()}

    @property
    def trouble(self) -> str | None:  # type: ignore[override]  # it is that of the readers
        """The troubles of all that have one."""
        return "; ".join(f"{name}: {each.trouble}" for name, each in self._readers.items() if each.trouble) or None

    def close(self) -> None:
        """Closes all."""
        for each in self._readers.values():
            each.close()
