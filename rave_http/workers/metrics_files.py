"""The Prometheus files of the workers of one service, one for each worker, and their sum.

The counts of a worker stay after it dies: its files are added to one file for all dead workers. So counters only grow,
and the number of files stays small however many workers come and go.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from prometheus_client import multiprocess, values
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.registry import Collector

from rave_core.errors import describe_error
from rave_core.system.host import is_alive
from rave_http.workers.run_directory import RunDirectory

LOCK: Final = "metrics"
"""The run directory's lock: shared by readers of the files, exclusive for a process that moves counts."""

_GONE: Final = "gone"
_log = logging.getLogger("rave.http")


def share(run_directory: RunDirectory) -> None:
    """Makes this process, and those that it forks from now on, count in ``run_directory``.

    Called before the process makes its first metric.
    """
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(run_directory.metrics)
    # The library chose at its import, which a plugin may have done long before there was a run directory.
    values.ValueClass = values.MultiProcessValue()  # type: ignore[no-untyped-call]  # prometheus_client has no types here


def is_shared(run_directory: RunDirectory) -> bool:
    """Whether this process counts in ``run_directory``."""
    return os.environ.get("PROMETHEUS_MULTIPROC_DIR") == str(run_directory.metrics)


def worker_died(run_directory: RunDirectory, pid: int) -> None:
    """Removes the files of a dead worker from the run directory; its counts stay. For the process that reaped it.

    It never waits for a worker: files that one is reading are removed when the next one dies.
    """
    try:
        run_directory.forget(f"worker-{pid}")
        multiprocess.mark_process_dead(pid, str(run_directory.metrics))  # type: ignore[no-untyped-call]  # as above
        with run_directory.locked(LOCK, wait=False):
            for kind in ("counter", "histogram"):
                _bury(run_directory.metrics, kind)
    except BlockingIOError:
        pass
    except Exception as error:  # noqa: BLE001  # whatever it left behind, the service lives on
        _log.warning(
            "what worker %d left in the run directory could not be cleared away: %s", pid, describe_error(error)
        )


class Files(Collector):
    """The counts of all workers as one. Reads files, so not for an event loop."""

    def __init__(self, run_directory: RunDirectory) -> None:
        self._run_directory = run_directory

    def collect(self) -> Iterable[Any]:
        """The metrics.

        Raises:
            OSError: the run directory is gone.
        """
        with self._run_directory.locked(LOCK, shared=True):
            files = [str(path) for path in self._run_directory.metrics.glob("*.db") if _is_filled(path)]
            return multiprocess.MultiProcessCollector.merge(files)  # type: ignore[no-any-return, no-untyped-call]  # as above


def _bury(directory: Path, kind: str) -> None:
    """Adds the files of dead processes to the common file of the dead."""
    grave = directory / f"{kind}_{_GONE}.db"
    dead = [path for path in directory.glob(f"{kind}_*.db") if path != grave and not _has_owner(path)]
    if not dead:
        return
    totals: dict[str, float] = {}
    for path in filter(_is_filled, [grave, *dead]):
        for key, value, _, _ in MmapedDict.read_all_values_from_file(str(path)):  # type: ignore[no-untyped-call]  # as above
            totals[key] = totals.get(key, 0.0) + value
    _write(grave, totals)
    for path in dead:
        path.unlink()


def _write(path: Path, totals: dict[str, float]) -> None:
    new = path.with_suffix(".new")
    new.unlink(missing_ok=True)
    file: Any = MmapedDict(str(new))  # type: ignore[no-untyped-call]  # as above
    try:
        for key, value in totals.items():
            file.write_value(key, value, 0.0)
    finally:
        file.close()
    new.replace(path)


def _has_owner(path: Path) -> bool:
    """Whether the process that counts in a file is still alive."""
    return is_alive(int(path.stem.rpartition("_")[2]), "")


def _is_filled(path: Path) -> bool:
    """Whether a file has content: a new file is empty for a moment, and a file may disappear at any time."""
    try:
        return path.stat().st_size > 0
    except FileNotFoundError:
        return False
