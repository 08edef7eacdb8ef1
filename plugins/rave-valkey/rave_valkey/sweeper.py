"""Tidies the entries in a server: what expired, and what can't be read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rave_core.backend import HEAD_SIZE, Purged, Truncated, peek
from rave_core.errors import DamagedError, LaterFormatError
from rave_core.model import Entry
from rave_valkey.server import Server

# A frame that somebody replaced since has another head or length, and stays.
_REMOVE = """
if redis.call('strlen', KEYS[1]) == tonumber(ARGV[2])
    and redis.call('getrange', KEYS[1], 0, #ARGV[1] - 1) == ARGV[1] then
  return redis.call('unlink', KEYS[1])
end
return 0
"""


@dataclass(frozen=True, slots=True)
class _Seen:
    """A frame as the sweeper saw it: its name, its first bytes, and its full size."""

    name: bytes
    head: bytes
    size: int


class Purger:
    """Scans the names, reads the heads of some hundreds at once, and removes those that have not changed since."""

    def __init__(self, server: Server, entries: str, stamp: str) -> None:
        """Tidies frames whose names start with ``entries``; ``stamp`` keeps the time of the last purge."""
        self._server = server
        self._entries = entries
        self._stamp = stamp

    def purge(self, is_dead: Callable[[Entry], bool]) -> Purged:
        """Removes dead and damaged entries."""
        removed = Purged()
        for names in self._server.scan(self._entries):
            dead, damaged = self._judged(self._look(names, HEAD_SIZE), is_dead)
            removed += self._removed(dead, is_entry=True) + self._removed(damaged, is_entry=False)
        self._server.run("remember the purge", "SET", self._stamp, repr(self._server.now()))
        return removed

    def last_purge(self) -> float | None:
        """Unix time of the last purge by the server's clock; ``None`` if there was none."""
        stamp = self._server.run("look for the last purge", "GET", self._stamp)
        try:
            return None if stamp is None else float(stamp)
        except ValueError:
            return None  # written by somebody else

    def _look(self, names: Sequence[bytes], size: int) -> list[_Seen]:
        commands = [part for name in names for part in (("GETRANGE", name, 0, size - 1), ("STRLEN", name))]
        answers = self._server.run_all("read the entries", commands)
        looked = zip(names, answers[::2], answers[1::2], strict=True)
        # Only strings are ours.
        return [_Seen(name, head, size) for name, head, size in looked if head is not None and size is not None]

    def _judged(self, frames: Sequence[_Seen], is_dead: Callable[[Entry], bool]) -> tuple[list[_Seen], list[_Seen]]:
        dead, damaged = [], []
        for seen in frames:
            try:
                if is_dead(self._entry(seen)):
                    dead.append(seen)
            except LaterFormatError:
                continue
            except DamagedError:
                damaged.append(seen)
        return dead, damaged

    def _entry(self, seen: _Seen) -> Entry:
        try:
            return peek(seen.head)
        except Truncated as short:
            if short.needed > seen.size:
                raise
            longer = self._look([seen.name], short.needed)
            return peek(longer[0].head if longer else b"")

    def _removed(self, frames: Sequence[_Seen], *, is_entry: bool) -> Purged:
        if not frames:
            return Purged()
        commands = [("EVAL", _REMOVE, 1, seen.name, seen.head, seen.size) for seen in frames]
        answers = self._server.run_all("remove entries", commands)
        gone = [seen.size for seen, answer in zip(frames, answers, strict=True) if answer == 1]
        return Purged(entries=len(gone) if is_entry else 0, bytes=sum(gone), leftovers=0 if is_entry else len(gone))
