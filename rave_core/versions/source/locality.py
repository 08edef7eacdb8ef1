"""Locality: whose code a module is: the project's, a distribution's, Python's, or RAVE's own."""

from __future__ import annotations

import functools
import json
import os
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from rave_core.versions.loaded_files import loaded_files

if TYPE_CHECKING:
    from importlib.metadata import Distribution

_PYTHON = tuple({os.path.realpath(sysconfig.get_path(name)) + os.sep for name in ("stdlib", "platstdlib")})
_INSTALLED = ("site-packages", "dist-packages")
_RAVE = frozenset({"rave_core", "rave_backends", "rave_http"})
MAINS = frozenset({"__main__", "__mp_main__"})
"""What the main program is called, also in the processes that it spawns."""


class Place(StrEnum):
    """Whose code a module is."""

    PROJECT = "project"
    PACKAGE = "package"
    PYTHON = "python"
    RAVE = "rave"


@dataclass(frozen=True, slots=True)
class Locality:
    """What counts as the project's.

    Attributes:
        home: the top-level package of the operation, which belongs to the project wherever it is located.
        project: names of other packages that belong to the project.
        releases: whether the release of a distribution counts in addition to its name.
        python: whether Python's version counts, major and minor.
    """

    home: str = ""
    project: frozenset[str] = frozenset()
    releases: bool = True
    python: bool = False

    def of(self, module: str, file: str | None = None) -> Place:
        """Whose code the module of that name, or of that file, is."""
        top = module.partition(".")[0]
        if top in _RAVE:
            return Place.RAVE
        if top in MAINS or top in self.project or (top == self.home and top):
            return Place.PROJECT
        return _place(top, file)

    def of_space(self, space: Mapping[str, Any]) -> Place:
        """Whose code the module with these globals is."""
        name, file = space.get("__name__"), space.get("__file__")
        return self.of(name if isinstance(name, str) else "", file if isinstance(file, str) else None)

    def package(self, module: str) -> tuple[str, str]:
        """The distribution that a module comes from, and its release; an empty text for one that is not known."""
        return _release(module.partition(".")[0], loaded_files.surprises)


@functools.lru_cache(4096)
def _place(top: str, file: str | None) -> Place:
    if file is None or file.startswith("<") or not os.path.isabs(file):
        if top in sys.stdlib_module_names or top in sys.builtin_module_names or not top:
            return Place.PYTHON
        known = getattr(sys.modules.get(top), "__file__", None)
        if isinstance(known, str) and os.path.isabs(known):
            return _place(top, known)
        return Place.PROJECT
    if not set(_INSTALLED).isdisjoint(file.replace("\\", "/").split("/")):
        return Place.PROJECT if _is_from_directory(top) else Place.PACKAGE
    return Place.PYTHON if _real(file).startswith(_PYTHON) else Place.PROJECT


def _real(file: str) -> str:
    if os.path.islink(file):
        return os.path.realpath(file)
    directory, name = os.path.split(file)
    return os.path.join(_real_directory(directory), name)


@functools.lru_cache(1024)
def _real_directory(directory: str) -> str:
    return os.path.realpath(directory)


@functools.cache
def _distributions() -> Mapping[str, list[str]]:
    """Names of distributions by the packages that they install. To find them takes a tenth of a second."""
    from importlib.metadata import packages_distributions  # here and below: to import it takes longer than msgspec

    return packages_distributions()


@functools.lru_cache(512)
def _distribution(top: str, _surprises: int) -> Distribution | None:
    from importlib.metadata import distribution

    with_name = _distributions().get(top, ()) if not _exists(top) else (top,)
    for name in with_name:
        if _exists(name):
            return distribution(name)
    return None


def _exists(name: str) -> bool:
    from importlib.metadata import distribution

    try:
        distribution(name)
    except (ImportError, ValueError):
        return False
    return True


@functools.lru_cache(512)
def _is_from_directory(top: str) -> bool:
    """Whether it was installed from a directory or a repository; if so, its release does not identify its code."""
    found = _distribution(top, 0)
    try:
        origin = json.loads((found.read_text("direct_url.json") if found is not None else "") or "{}")
    except (OSError, ValueError):
        return False
    return isinstance(origin, dict) and ("dir_info" in origin or "vcs_info" in origin)


@functools.lru_cache(512)
def _release(top: str, surprises: int) -> tuple[str, str]:
    """As it is found at a number of surprises: with each, other releases may be there."""
    found = _distribution(top, surprises)
    if found is not None:
        name = str(found.metadata["Name"])
        metadata = str(getattr(found, "_path", ""))  # importlib has no public name for it
        return name, loaded_files.release(top, name, str(found.version), metadata)
    release = getattr(sys.modules.get(top), "__version__", "")
    return top, release if isinstance(release, str) else ""
