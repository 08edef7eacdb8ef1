"""Facts on disk, in the cache of the user: JSON files, named by the content of the source. They only save time."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec

from rave_core.system.ownership import who_may_change

_FACTS = msgspec.json.Decoder(dict[str, msgspec.Raw])

MAX_BYTES = 64 << 20
"""The maximum size of all facts, in bytes; the oldest are removed first."""


class FactsStore:
    """Facts in a directory, which is made when first needed. Safe for many threads and processes.

    Facts decide which version code has. If somebody else may change the directory, it is not used.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._is_checked = False

    def read(self, name: str) -> dict[str, msgspec.Raw]:
        """The facts under ``name``, each to be decoded when it is needed; none if there are none that can be read."""
        if not self._is_ours:
            return {}
        try:
            return _FACTS.decode((self.directory / name).read_bytes())
        except (OSError, msgspec.DecodeError, UnicodeDecodeError):
            return {}

    def write(self, name: str, facts: dict[str, Any]) -> None:
        """Keeps facts under ``name``. In trouble it does nothing."""
        if not self._is_ours:
            return
        with suppress(OSError, UnicodeEncodeError):
            data = msgspec.json.encode(facts)
            self.directory.mkdir(parents=True, exist_ok=True)
            if not self._is_checked:
                self._is_checked = True
                self._shrink()
            handle, path = tempfile.mkstemp(dir=self.directory, prefix=".")
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(data)
                os.replace(path, self.directory / name)
            except BaseException:
                os.unlink(path)
                raise

    @cached_property
    def _is_ours(self) -> bool:
        return who_may_change(self.directory) is None

    def _shrink(self) -> None:
        found = []
        for entry in os.scandir(self.directory):
            with suppress(FileNotFoundError):
                status = entry.stat()
                found.append((status.st_mtime, status.st_size, entry.path))
        total = sum(size for _, size, _ in found)
        for _, size, path in sorted(found):
            if total <= MAX_BYTES:
                break
            with suppress(FileNotFoundError):
                os.unlink(path)
            total -= size
