"""Watches the directories of namespaces, so that the service notices changes by itself (R18).

A scan of a directory decides whether it changed: the times, sizes and inodes of its files, and its real path. The
system's watcher only says when a scan is worthwhile. Scans also run now and then without it, because it misses changed
links, new directories, and the writes of other hosts to a shared file system. If the system has no watcher, changes are
noticed some tenths of a second later.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from watchfiles import awatch

from rave_core.clock import Clock
from rave_core.errors import describe_error

_log = logging.getLogger("rave.http")

PULSE: Final = 0.4
"""Seconds between quick checks, and between scans if the system has no watcher."""
_SWEEP: Final = 1.0
_SHARE: Final = 10
"""Slow scans run less often: scanning a directory may take one such part of a processor."""
_QUIET: Final = 0.12
_LONGEST_UNREST: Final = 1.0
_DEAF_FOR: Final = 60.0
_RESTLESS: Final = 3
_LONGEST_PAUSE: Final = 60.0

_IGNORED_DIRECTORIES: Final = frozenset(
    {
        *("__pycache__", ".git", ".hg", ".svn", ".venv", ".tox", ".nox", ".idea", ".vscode", "node_modules"),
        *(".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis", ".ipynb_checkpoints"),
    }
)
_IGNORED_FILES: Final = re.compile(
    r".*\.py[co] | .*~ | \.?\#.* | .*\.sw[a-z] | 4913 | .*\.tmp | .*___jb_(tmp|old)___ | \.nfs.* | \.DS_Store",
    re.VERBOSE,
)

Place: TypeAlias = tuple[str, int, int]
"""The real location of a directory: its path without links, its device and inode, which are 0 if it does not exist."""
_NOWHERE: Final = (0, 0)
_NO_DESCRIPTORS: Final = (errno.EMFILE, errno.ENFILE)


@dataclass(frozen=True, slots=True)
class Look:
    """The state of a directory: enough to see that it changed.

    Attributes:
        place: its real location.
        files: by path: time of change, size, inode, time of change of the inode.
    """

    place: Place
    files: Mapping[str, tuple[int, int, int, int]]


def look(directory: str) -> Look:
    """Scans every file of a directory except those that tools leave behind. Does not read them.

    Raises:
        OSError: no descriptor is left, so nothing can be seen. What can't be read for other reasons counts as absent.
    """
    place = glance(directory)
    files: dict[str, tuple[int, int, int, int]] = {}
    seen: set[tuple[int, int]] = set()
    for path, inner, names in os.walk(place[0], onerror=_refuse_blindness, followlinks=True):
        with contextlib.suppress(OSError):
            inner[:] = [each for each in inner if each not in _IGNORED_DIRECTORIES]
            status = os.stat(path)
            if (status.st_dev, status.st_ino) in seen:  # links can go round in circles
                inner.clear()
                continue
            seen.add((status.st_dev, status.st_ino))
        for name in names:
            if not _IGNORED_FILES.fullmatch(name):
                with contextlib.suppress(OSError):
                    status = os.stat(file := os.path.join(path, name))
                    files[file] = (status.st_mtime_ns, status.st_size, status.st_ino, status.st_ctime_ns)
    return Look(place, files)


def _refuse_blindness(error: OSError) -> None:
    if error.errno in _NO_DESCRIPTORS:
        raise error


def glance(directory: str) -> Place:
    """The real location of a directory."""
    real = os.path.realpath(directory)
    try:
        status = os.stat(real)
    except OSError:
        return real, *_NOWHERE
    return real, status.st_dev, status.st_ino


class Watcher:
    """Watches directories from one event loop, and loads the namespace of a directory that changed.

    A change counts when the directory has been quiet for a moment, so that a checkout of many files counts once. After
    a second of changes it counts anyway.
    """

    def __init__(
        self, directories: Mapping[str, str], load: Callable[[str], object], *, clock: Clock, polling: bool = False
    ) -> None:
        """Scans the directories now; later scans are compared with this one.

        Args:
            directories: by name.
            load: called with a name, in a thread, when its directory changed. It has to call `looked` before it reads
                anything.
            clock: measures how long scans take.
            polling: whether to work without the system's watcher.
        """
        self._directories = dict(directories)
        self._load = load
        self._clock = clock
        self._polling = polling
        self._seen = {name: look(directory) for name, directory in directories.items()}
        self._due = dict.fromkeys(directories, 0.0)
        self._held = dict.fromkeys(directories, 0.0)
        self._restless = dict.fromkeys(directories, 0)
        self._deaf_until = 0.0
        self._told = ""
        self._touched: set[str] = set()

    def forget(self, name: str) -> None:
        """Excludes a directory from the next look on."""
        self._directories.pop(name, None)  # what was seen last stays for a look under way

    def place(self, name: str, directory: str) -> None:
        """Includes a directory, or another one in its place, from the next look on."""
        self._seen[name] = look(directory)
        self._due[name], self._held[name], self._restless[name] = 0.0, 0.0, 0
        self._directories[name] = directory

    def looked(self, name: str) -> None:
        """Records the current state of the directory as the one about to be loaded."""
        self._seen[name] = self._look(name)

    async def run(self) -> None:
        """Watches until it is cancelled.

        Raises:
            Exception: any that ``load`` raises. You can call `run` again afterwards.
        """
        # Its own line for each change would say less than ours.
        logging.getLogger("watchfiles").setLevel(logging.WARNING)
        woken = asyncio.Event()
        heard: frozenset[Place] = frozenset()
        listener: asyncio.Task[None] | None = None
        try:
            while True:
                wanted = self._worth_hearing()
                if wanted != heard:
                    await _end(listener)
                    listener, heard = asyncio.create_task(self._listen({place[0] for place in wanted}, woken)), wanted
                    self._due = dict.fromkeys(self._due, self._clock.monotonic())  # changes before the watcher started
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(woken.wait(), PULSE)
                woken.clear()
                for name in await asyncio.to_thread(self._look_around):
                    await self._changed(name)
        finally:
            await _end(listener)

    def _worth_hearing(self) -> frozenset[Place]:
        """The directories that the system's watcher can watch."""
        if self._polling or self._clock.monotonic() < self._deaf_until:
            return frozenset()
        return frozenset(each.place for each in list(self._seen.values()) if each.place[1:] != _NOWHERE)

    async def _listen(self, roots: Collection[str], woken: asyncio.Event) -> None:
        """Marks the directories that the system's watcher reports."""
        if not roots:
            return
        try:
            async for changes in awatch(
                *roots, watch_filter=None, step=20, debounce=100, ignore_permission_denied=True
            ):
                paths = [path for _, path in changes]
                touched = {
                    name for name, each in list(self._seen.items()) if any(_counts(path, each.place) for path in paths)
                }
                if touched:
                    self._touched |= touched
                    woken.set()
        except Exception as error:  # noqa: BLE001  # no watches left, a directory that is gone: looks will do
            self._deaf_until = self._clock.monotonic() + _DEAF_FOR
            if describe_error(error) != self._told:
                self._told = describe_error(error)
                _log.warning(
                    "the system's file watcher does not respond, so namespaces are polled more often: %s", self._told
                )

    def _look_around(self) -> list[str]:
        """The names whose directories changed, among those due for a scan."""
        touched, self._touched = self._touched, set()
        now, interval = self._clock.monotonic(), _SWEEP if self._worth_hearing() else PULSE
        found = []
        for name, directory in list(self._directories.items()):
            is_due = name in touched or now >= self._due[name] or glance(directory) != self._seen[name].place
            if now < self._held[name] or not is_due:
                continue
            started = self._clock.monotonic()
            if self._look(name) != self._seen[name]:
                found.append(name)
            ended = self._clock.monotonic()
            self._due[name] = ended + max(interval, _SHARE * (ended - started))
        return found

    async def _changed(self, name: str) -> None:
        """Waits until a directory is quiet, then loads it."""
        if await self._settled(name) == self._seen[name]:
            return
        await asyncio.to_thread(self._load, name)
        if await asyncio.to_thread(self._look, name) == self._seen[name]:
            self._restless[name] = 0
            return
        # It changed during the load. If that repeats, the code changes its own directory.
        self._restless[name] += 1
        if self._restless[name] >= _RESTLESS:
            pause = min(_LONGEST_PAUSE, 2.0 ** (self._restless[name] - _RESTLESS))
            self._held[name] = self._clock.monotonic() + pause
        if self._restless[name] == _RESTLESS:
            _log.warning(
                "namespace %s: its directory changes each time that it is loaded, so it is loaded ever less often, "
                "down to once in %g s; its code must not write to %s",
                name,
                _LONGEST_PAUSE,
                self._directories[name],
            )

    def _look(self, name: str) -> Look:
        """What a scan finds now; what was seen last if no descriptor is left for a scan."""
        try:
            return look(self._directories[name])
        except (OSError, KeyError):  # no descriptor is left, or it was excluded
            return self._seen[name]

    async def _settled(self, name: str) -> Look:
        until = self._clock.monotonic() + _LONGEST_UNREST
        before = await asyncio.to_thread(self._look, name)
        while True:
            await asyncio.sleep(_QUIET)
            after = await asyncio.to_thread(self._look, name)
            if after == before or self._clock.monotonic() >= until:
                return after
            before = after


async def _end(listener: asyncio.Task[None] | None) -> None:
    if listener is not None:
        listener.cancel()
        await asyncio.gather(listener, return_exceptions=True)


def _counts(path: str, place: Place) -> bool:
    """Whether a path is one of the files that a scan includes."""
    root = place[0] + os.sep
    *inner, name = path.removeprefix(root).split(os.sep)
    return path.startswith(root) and _IGNORED_DIRECTORIES.isdisjoint(inner) and not _IGNORED_FILES.fullmatch(name)
