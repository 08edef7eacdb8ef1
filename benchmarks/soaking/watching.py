"""What the processes of the service take: memory, descriptors, and whether any is left over."""

from __future__ import annotations

import contextlib
import statistics
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import psutil
from running import Started, wait_until

MARK: Final = "RAVE_SOAK"
"""The variable that marks every process of the service, regardless of its parent."""

GROWTH: Final = 1.2
GROWTH_UNSETTLED: Final = 1.5
"""In runs that leave less than a minute to settle: workers still import what the acts need first."""
SPARE_DESCRIPTORS: Final = 8
_NEAR: Final = 5.0


@dataclass
class Life:
    """What one worker used, as ``(seconds, bytes, descriptors)`` at each look; seconds since the watch began."""

    pid: int
    looks: list[tuple[float, int, int]] = field(default_factory=list)

    def level(self, at: float) -> float:
        """Its memory around a moment, in bytes; 0 if it did not run then."""
        near = [rss for seconds, rss, _ in self.looks if abs(seconds - at) <= _NEAR]
        return statistics.median(near) if near else 0.0

    def peak(self, since: float) -> int:
        """The most memory that it used from a moment on."""
        return max((rss for seconds, rss, _ in self.looks if seconds >= since), default=0)

    def slope(self, since: float) -> float:
        """How many bytes per minute it grew from a moment on."""
        looks = [(seconds, rss) for seconds, rss, _ in self.looks if seconds >= since]
        if len(looks) < 10:
            return 0.0
        return 60 * statistics.linear_regression(*zip(*looks, strict=True)).slope


class Watch:
    """Looks at the workers once a second, until it is stopped."""

    def __init__(self, service: Started) -> None:
        self._service = service
        self.lives: dict[int, Life] = {}

    def run(self, stopped: threading.Event) -> None:
        """Goes on until ``stopped``."""
        started = time.monotonic()
        while not stopped.wait(1.0):
            for worker in self._service.workers():
                with contextlib.suppress(psutil.Error):
                    look = (time.monotonic() - started, worker.memory_info().rss, worker.num_fds())
                    self.lives.setdefault(worker.pid, Life(worker.pid)).looks.append(look)


@dataclass(frozen=True)
class Memory:
    """How much the workers of a calm time took.

    Attributes:
        levels: bytes of each after it had settled; ``peaks``: the most from then on.
        slopes: how many bytes per minute each grew from then on.
    """

    settled_after: float
    levels: tuple[float, ...]
    peaks: tuple[int, ...]
    slopes: tuple[float, ...]

    @classmethod
    def of(cls, lives: Iterable[Life], settled_after: float) -> Memory:
        """The calm of workers that lived through it."""
        found = [each for each in lives if each.level(settled_after)]
        return cls(
            settled_after,
            tuple(each.level(settled_after) for each in found),
            tuple(each.peak(settled_after) for each in found),
            tuple(each.slope(settled_after) for each in found),
        )

    def complaints(self, disturbed: int) -> list[str]:
        """Workers that grew by more than a fifth, or a half in short runs.

        ``disturbed`` is the most that any of their successors used.
        Successors do not live long enough to settle, so they must not use more than workers that did.
        """
        growth = GROWTH if self.settled_after >= 60 else GROWTH_UNSETTLED
        grown = [
            f"a worker grew from {level / 1e6:.1f} MB after {self.settled_after:g} s to {peak / 1e6:.1f} MB"
            for level, peak in zip(self.levels, self.peaks, strict=True)
            if peak > growth * level
        ]
        if disturbed > growth * max(self.levels, default=disturbed):
            grown.append(f"a worker took {disturbed / 1e6:.1f} MB, those that lived longer {self.document()}")
        return grown

    def document(self) -> dict[str, Any]:
        """As JSON."""
        megabytes = {"settled": self.levels, "peak": self.peaks, "growth_per_minute": self.slopes}
        return {
            "settled_after_s": self.settled_after,
            **{f"{name}_MB": [round(each / 1e6, 2) for each in values] for name, values in megabytes.items()},
        }


def descriptors(service: Started) -> dict[int, int]:
    """The open descriptors of each worker."""
    found = {}
    for worker in service.workers():
        with contextlib.suppress(psutil.Error):
            found[worker.pid] = worker.num_fds()
    return found


def descriptors_left(service: Started, before: int, *, seconds: float = 15.0) -> list[str]:
    """Workers that have more open descriptors after the last client left than one had before the load."""
    with contextlib.suppress(TimeoutError):
        wait_until(
            lambda: all(each <= before + SPARE_DESCRIPTORS for each in descriptors(service).values()),
            seconds=seconds,
            what="closed descriptors",
        )
    return [
        f"worker {pid} has {count} descriptors open with nobody connected, {before} before the load"
        for pid, count in descriptors(service).items()
        if count > before + SPARE_DESCRIPTORS
    ]


def orphans(service: Started, mark: str) -> list[str]:
    """Processes of the service that left its process tree, or outlived it."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.status() == psutil.STATUS_ZOMBIE or process.pid == service.process.pid:
                continue
            is_ours = process.environ().get(MARK) == mark
            if is_ours and service.process.pid not in (parent.pid for parent in process.parents()):
                found.append(f"process {process.pid} is left over: {' '.join(process.cmdline())[:200]}")
    return found
