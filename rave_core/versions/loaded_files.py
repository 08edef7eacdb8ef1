"""What the files of modules were like when they were loaded, and which packages were installed then.

A version is found with the first call of an operation. By then a file may have been edited, or a package upgraded, and
the code that runs knows nothing of it. What a function imports is loaded even later: it counts as it is on the disk
when the version is found. If something else is loaded in the end, that is a surprise.
"""

from __future__ import annotations

import os
import re
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, TypeAlias

State: TypeAlias = tuple[int, int]
"""When a file was modified, in nanoseconds, and its size."""

_INSTALLED = re.compile(r".*?[/\\](?:site|dist)-packages(?=[/\\])")
_METADATA = (".dist-info", ".egg-info")


_Counted: TypeAlias = tuple[str, str, str]
"""A distribution, its release as its metadata says, and the folder with that metadata."""


@dataclass(slots=True)
class _Installed:
    """The names of the folders with metadata in a directory of packages, and when it was modified."""

    directory: str
    mtime_ns: int
    names: frozenset[str] = field(default_factory=frozenset)

    def has(self, metadata: str) -> bool:
        """Whether a folder with metadata was there."""
        directory, name = os.path.split(metadata)
        return directory == self.directory and name in self.names

    def release(self, distribution: str, found: str, metadata: str) -> str:
        """The release of a distribution that was there, of which ``metadata`` says now that it is ``found``."""
        if os.path.dirname(metadata) != self.directory or self.has(metadata):
            return found
        return next(_releases(distribution, self.names), found)


class LoadedFiles:
    """What is known of the files of loaded modules. Safe for many threads.

    Attributes:
        surprises: how often something was loaded that is not what counted before. Versions that were found at a lower
            number may be wrong.
    """

    def __init__(self) -> None:
        self.surprises = 0
        self._specs: dict[str, object] = {}
        self._latest = ""
        self._states: dict[str, tuple[str, State]] = {}
        self._directories: dict[str, _Installed] = {}
        self._installed: dict[str, _Installed] = {}
        self._latest_installed: dict[str, _Installed] = {}
        self._expected: dict[str, tuple[str, State | None]] = {}
        self._counted: dict[str, tuple[_Counted, str]] = {}
        self._looked_at: set[str] = set()
        self._lock = threading.RLock()
        os.register_at_fork(after_in_child=self._after_fork)

    def note(self, module: str = "") -> None:
        """Notes the files of modules that were loaded since the last time, and of ``module`` if it was reloaded."""
        if not module and _last_loaded() == self._latest:
            return
        with self._lock:
            self._looked_at.clear()
            self._note(module)
            for name in reversed(list(sys.modules)):
                if name == self._latest and not self._note(name):
                    break  # modules are listed in the order in which they were loaded
                self._note(name)
            self._latest = next(reversed(list(sys.modules)), "")

    def look_again(self) -> None:
        """Says that a module was reloaded, so that the next look is at all of them."""
        self._latest = ""

    def expect(self, module: str, path: str | None) -> None:
        """Says that a module which is not loaded yet counts by the file that is there now; ``None`` for no file."""
        with self._lock:
            if module not in sys.modules:
                self._expected[module] = path or "", state_of(path) if path else None

    def expect_release(self, module: str) -> None:
        """Says that a module which is not loaded yet counts by the release of its package, whatever its file."""
        with self._lock:
            self._expected.pop(module, None)

    def surprise(self) -> None:
        """Says that something else than counted was loaded: here, or by a process that computes for this one."""
        with self._lock:
            self.surprises += 1

    def state(self, path: str, space: Mapping[str, Any]) -> State | None:
        """The state of a file when its module was loaded; ``None`` if that is not known.

        Args:
            path: of the file.
            space: the names of the module. Without a ``__spec__``, the module counts that would be imported now.
        """
        name, state = self._states.get(path, ("", None))
        if "__spec__" not in space:
            space = _names_of(sys.modules.get(name))
        return state if space and space.get("__spec__") is self._specs.get(name, self) else None

    def release(self, package: str, distribution: str, found: str, metadata: str) -> str:
        """The release of an installed package that was there when it was loaded; both, if parts of it are of another.

        Of a package that is not loaded yet, it is the release that is installed.

        Args:
            package: its top-level name.
            distribution: the name of the distribution that it belongs to.
            found: the release that is installed now.
            metadata: the folder that says so.
        """
        with self._lock:
            counted = distribution, found, metadata
            self._counted[package] = counted, self._release(package, counted)
            return self._counted[package][1]

    def _release(self, package: str, counted: _Counted) -> str:
        loaded = self._installed.get(package), self._latest_installed.get(package)
        return " and ".join(dict.fromkeys(each.release(*counted) for each in loaded if each is not None)) or counted[1]

    def _note(self, name: str) -> bool:
        """Notes one module; whether there is anything new about it."""
        names = _names_of(sys.modules.get(name))
        spec = names.get("__spec__")
        if not names or self._specs.get(name, self) is spec:
            return False
        self._specs[name] = spec
        path = names.get("__file__")
        state = None
        if isinstance(path, str):
            packages = packages_of(path)
            if packages is not None:
                self._note_package(name.partition(".")[0], packages)
            elif (state := state_of(path)) is not None:
                self._states[path] = name, state
        expected = self._expected.pop(name, None)
        if expected is not None and expected != (path, state):
            self.surprises += 1
        return True

    def _note_package(self, top: str, directory: str) -> None:
        now = self._packages_in(directory)
        if self._installed.setdefault(top, now) is not now:
            self._latest_installed[top] = now
        counted, release = self._counted.get(top, (None, ""))
        if counted is not None and self._release(top, counted) != release:
            self.surprises += 1
            del self._counted[top]

    def _packages_in(self, directory: str) -> _Installed:
        """What is installed in a directory, looked at once whenever modules are noted."""
        known = self._directories.get(directory)
        if known is not None and directory in self._looked_at:
            return known
        self._looked_at.add(directory)
        state = state_of(directory)
        mtime_ns = state[0] if state is not None else 0
        if known is None or known.mtime_ns != mtime_ns:
            names = _metadata_in(directory)
            if known is None or known.names != names:
                known = self._directories[directory] = _Installed(directory, mtime_ns, names)
            known.mtime_ns = mtime_ns
        return known

    def _after_fork(self) -> None:
        self._lock = threading.RLock()  # which another thread of the parent may have held


def _last_loaded() -> str | None:
    """The name of the module that was loaded last; ``None`` if another thread loads one now."""
    try:
        return next(reversed(sys.modules), "")
    except RuntimeError:  # the table of modules changed at this moment
        return None


def packages_of(path: str) -> str | None:
    """The directory of installed packages that a file is in; ``None`` if it is in none."""
    found = _INSTALLED.match(path)
    return found[0] if found is not None else None


def state_of(path: str) -> State | None:
    """The state of a file now; ``None`` if there is none."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):  # a module may call anything its file
        return None
    return status.st_mtime_ns, status.st_size


def _names_of(module: object) -> dict[str, Any]:
    """The names of a module, without running code of it; none for what only looks like a module."""
    # isinstance() believes what says that it is a module, such as a library that cffi has loaded.
    if not issubclass(type(module), ModuleType) or type(module).__module__.startswith("rave_core."):
        return {}
    names: dict[str, Any] = object.__getattribute__(module, "__dict__")
    return names


def _metadata_in(directory: str) -> frozenset[str]:
    try:
        return frozenset(name for name in os.listdir(directory) if name.endswith(_METADATA))
    except OSError:
        return frozenset()


def _releases(distribution: str, names: frozenset[str]) -> Iterator[str]:
    """The releases of a distribution, as the names of its metadata tell them."""
    wanted = _normal(distribution)
    for name in sorted(names):
        called, _, rest = name.rpartition(".")[0].partition("-")
        if _normal(called) == wanted and rest:
            yield rest.partition("-")[0]


def _normal(distribution: str) -> str:
    return re.sub(r"[-_.]+", "-", distribution).lower()


loaded_files = LoadedFiles()
"""Those of this process."""
