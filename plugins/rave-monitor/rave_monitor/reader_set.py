"""The readers that run: each by itself, so that one whose source is away holds up no other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from rave_core import Runtime
from rave_core.errors import describe_error
from rave_monitor.configuration import Part
from rave_monitor.reader import Event, Reader


class RunningReader:
    """A reader at work.

    Attributes:
        part: how it is configured.
        error: why it is disabled; empty while it works.
        events: how many it has read in this term.
    """

    def __init__(self, part: Part, tell: Callable[[str, str], None], runtime: Runtime) -> None:
        self.part = part
        self.error = ""
        self.events = 0
        self._tell = tell
        self._reader: Reader = part.make()
        self._reader.runtime = runtime
        self._reader.tell = lambda message: tell(part.name, message)
        self._position: dict[str, Any] | None = None

    def open(self, position: Mapping[str, Any] | None) -> None:
        """Begins after a position."""
        self._position = None if position is None else dict(position)
        try:
            self._reader.open(position)
        except (Exception, SystemExit) as error:  # noqa: BLE001  # a stranger's code may raise anything
            self._fail("open", error)

    def read(self, limit: int) -> list[Event]:
        """The next events; none if it is disabled."""
        if self.error:
            return []
        try:
            events = self._reader.read(limit)
        except (Exception, SystemExit) as error:  # noqa: BLE001  # as above
            self._fail("read", error)
            return []
        self.events += len(events)
        return events

    def position(self) -> dict[str, Any] | None:
        """Where it is; the last good position if it is disabled."""
        if not self.error:
            try:
                self._position = dict(self._reader.position())
            except (Exception, SystemExit) as error:  # noqa: BLE001  # as above
                self._fail("position", error)
        return self._position

    @property
    def trouble(self) -> str | None:
        """Why it reads nothing."""
        return self.error or self._reader.trouble

    def close(self) -> None:
        """Lets go of its source."""
        try:
            self._reader.close()
        except (Exception, SystemExit) as error:  # noqa: BLE001  # as above
            self._fail("close", error)

    def _fail(self, method: str, error: BaseException) -> None:
        self.error = f"{method}() failed: {describe_error(error)}"
        self._tell(self.part.name, self.error)


class ReaderSet:
    """All readers of a monitor. One thread uses it."""

    def __init__(self, parts: Iterable[Part], tell: Callable[[str, str], None], runtime: Runtime) -> None:
        """Makes them for a runtime, and opens nothing; ``tell`` hears the name of a reader, and what it has to say.

        Raises:
            Exception: what a constructor raises.
        """
        self.running = [RunningReader(part, tell, runtime) for part in parts]

    def open(self, positions: Mapping[str, Mapping[str, Any]]) -> None:
        """Begins after positions, by name; at the beginning where there is none."""
        for each in self.running:
            each.open(positions.get(each.part.name))

    def take_over(self, old: ReaderSet) -> None:
        """Closes the set before a reload and goes on from there. One that is configured differently begins anew."""
        before = {each.part.name: each for each in old.running}
        positions = {}
        for each in self.running:
            match = before.get(each.part.name)
            if match is not None and (match.part.kind, match.part.arguments) == (each.part.kind, each.part.arguments):
                position, each.events = match.position(), match.events
                if position is not None:
                    positions[each.part.name] = position
        old.close()
        self.open(positions)

    def positions(self) -> dict[str, dict[str, Any]]:
        """Where they are, by name."""
        found = ((each.part.name, each.position()) for each in self.running)
        return {name: position for name, position in found if position is not None}

    def close(self) -> None:
        """Lets go of all sources."""
        for each in self.running:
            each.close()
