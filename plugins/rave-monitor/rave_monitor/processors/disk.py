"""``disk``: how full a file system is."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from rave_monitor.processor import Abort, Processor


class Disk(Processor):
    """Looks how full the file system of a path is. Its sample: ``total``, ``used`` and ``free`` bytes, and ``share``,
    the part that is not free, from 0 to 1.
    """

    def __init__(self, *, path: Path) -> None:
        """Looks at ``path``, which may be any file or directory in it."""
        self._path = path

    def sample(self) -> dict[str, Any]:
        """The numbers of this moment.

        Raises:
            Abort: the path is away.
        """
        try:
            found = shutil.disk_usage(self._path)
        except OSError as error:
            raise Abort(f"{self._path}: {error.strerror}") from error
        share = 1 - found.free / found.total if found.total else 0.0
        return {"total": found.total, "used": found.used, "free": found.free, "share": share}
