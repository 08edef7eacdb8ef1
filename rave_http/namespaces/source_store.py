"""Kept sources: the last accepted code of each directory, for workers that start while it is broken.

They are in the run directory, so they belong to one service, from its start to its end. They do not include data files:
code that reads files during its import reads the current ones.
"""

from __future__ import annotations

import logging
from hashlib import blake2b
from typing import Final

import msgspec

from rave_core.reloading.source_snapshot import Snapshot
from rave_http.workers.run_directory import RunDirectory

MAX_BYTES: Final = 64 * 1024 * 1024
"""Bytes of the sources of one namespace, at most."""

_log = logging.getLogger("rave.http")


class _StoredSource(msgspec.Struct, frozen=True):
    """The record of a namespace in the run directory.

    Attributes:
        directory: that of the settings.
        read_at: as in the snapshot.
        sources: ``None`` if they could not be kept: earlier ones would not match the current code.
    """

    directory: str
    read_at: float
    sources: Snapshot | None


class KeptSources:
    """The sources that the workers of a service accepted last. Safe for many threads and workers."""

    def __init__(self, run_directory: RunDirectory) -> None:
        self._run_directory = run_directory
        self._told: set[str] = set()

    def keep(self, name: str, directory: str, sources: Snapshot) -> None:
        """Keeps the sources of a namespace, unless the kept ones were read later. Logs errors."""
        fact, kept = _fact(name), _StoredSource(directory, sources.read_at, sources)
        try:
            with self._run_directory.locked(fact):
                other = self._read(fact)
                if other is None or other.read_at <= kept.read_at:
                    self._write(fact, kept)
        except (OSError, ValueError) as error:  # too large, the run directory is full or gone, a path is no text
            self._tell(name, error)

    def find(self, name: str, directory: str) -> Snapshot | None:
        """The kept sources of a namespace, if there are any, and if they come from the same directory."""
        try:
            kept = self._read(_fact(name))
        except OSError as error:
            self._tell(name, error)
            return None
        return kept.sources if kept is not None and kept.directory == directory else None

    def _read(self, fact: str) -> _StoredSource | None:
        try:
            return msgspec.convert(self._run_directory.read(fact), _StoredSource | None)
        except (msgspec.DecodeError, msgspec.ValidationError):
            _log.exception("what the run directory has under %s can't be used", fact)
            return None

    def _write(self, fact: str, kept: _StoredSource) -> None:
        try:
            if kept.sources is not None and kept.sources.size > MAX_BYTES:
                raise ValueError(f"it has {kept.sources.size} bytes, of which {MAX_BYTES} at most are kept")
            self._run_directory.write(fact, kept)
        except (OSError, ValueError):
            self._run_directory.write(fact, msgspec.structs.replace(kept, sources=None))
            raise

    def _tell(self, name: str, error: Exception) -> None:
        if name not in self._told:
            self._told.add(name)
            _log.warning(
                "namespace %s: its code can't be kept for workers that start while it is broken: %s", name, error
            )


def _fact(name: str) -> str:
    """Its name in the run directory: names of namespaces may have letters that names of facts may not."""
    return f"sources-{blake2b(name.encode(), digest_size=16).hexdigest()}"
