"""Kept sources: the code that each directory held when it was taken last, for workers that start while it is broken.

They stand in the run directory, so they are of one service, from its start to its end. Data files are none of them:
what code reads when it is imported, it reads as it is then.
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
    """What stands in the run directory for a namespace.

    Attributes:
        directory: that of the settings.
        read_at: as in the snapshot.
        sources: ``None`` where they could not be kept, since those before them are not what serves.
    """

    directory: str
    read_at: float
    sources: Snapshot | None


class KeptSources:
    """The sources of namespaces that the workers of a service took last. Safe for many threads and workers."""

    def __init__(self, run_directory: RunDirectory) -> None:
        self._run_directory = run_directory
        self._told: set[str] = set()

    def keep(self, name: str, directory: str, sources: Snapshot) -> None:
        """Keeps what a namespace was loaded from, unless what is kept was read later. What goes wrong is logged."""
        fact, kept = _fact(name), _StoredSource(directory, sources.read_at, sources)
        try:
            with self._run_directory.locked(fact):
                other = self._read(fact)
                if other is None or other.read_at <= kept.read_at:
                    self._write(fact, kept)
        except (OSError, ValueError) as error:  # too large, the run directory is full or gone, a path is no text
            self._tell(name, error)

    def find(self, name: str, directory: str) -> Snapshot | None:
        """What is kept of a namespace, if anything is, and if that was in the same directory."""
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
    """Where the run directory has it: names of namespaces have letters that those of facts have not."""
    return f"sources-{blake2b(name.encode(), digest_size=16).hexdigest()}"
