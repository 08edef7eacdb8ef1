"""Where the code of a plugin comes from: code that somebody else may change must not run unasked.

Python finds what is installed in every directory of `sys.path`. In a notebook, at a prompt and under a careless
``PYTHONPATH`` that includes the working directory. So whoever puts metadata of a plugin there would have it loaded by
everybody who uses RAVE in that directory, without any import of it.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import site
import sysconfig
from collections.abc import Iterator
from importlib.metadata import Distribution, EntryPoint

from rave_core.settings.trust import doubt

_OURS = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
"""Where RAVE is."""


def doubt_of(entry: EntryPoint) -> str | None:
    """Why an installed entry point must not be loaded, and how to allow it; ``None`` if it may.

    Its metadata and the package or module that it names must belong to this user, root or the owner of RAVE's own
    code, and nobody else may write to them or to the directories above them. What lies where Python installs packages,
    or beside RAVE itself, is as safe as the code that runs already. Nothing is imported.
    """
    if entry.dist is None:
        return None
    for place, above in (*_metadata(entry.dist), *_code(entry.module)):
        if not _is_beside_us(place):
            reason = doubt(place, above=above, owners=_owner_of_rave())
            if reason is not None:
                return reason
    return None


def _metadata(distribution: Distribution) -> Iterator[tuple[str, bool]]:
    yield os.path.abspath(str(distribution.locate_file(""))), True
    directory = getattr(distribution, "_path", None)  # which has no public name
    if directory is not None:
        yield os.fspath(str(directory)), False
        yield os.path.join(str(directory), "entry_points.txt"), False


def _code(module: str) -> Iterator[tuple[str, bool]]:
    """The files and directories of a module's outermost package, and whether those above them count too."""
    try:
        spec = importlib.util.find_spec(module.partition(".")[0])
    except (ImportError, ValueError):  # loading it will say why
        return
    if spec is None:
        return
    if spec.origin is not None and spec.has_location:
        yield spec.origin, True
    for package in spec.submodule_search_locations or ():
        yield package, True
        if not _is_beside_us(package):
            yield from ((inner, False) for inner in _inside(package))


def _inside(package: str) -> Iterator[str]:
    seen = {os.path.realpath(package)}
    for place, directories, files in os.walk(package, followlinks=True):
        inner = {each: os.path.realpath(os.path.join(place, each)) for each in directories}
        directories[:] = [each for each, real in inner.items() if real not in seen]  # links can form cycles
        seen.update(inner.values())
        yield from (os.path.join(place, each) for each in (*directories, *files) if _is_code(each, directories))


def _is_code(name: str, directories: list[str]) -> bool:
    return name in directories or name.endswith((".py", ".pyc", ".so"))


def _is_beside_us(path: str) -> bool:
    real = os.path.realpath(path)
    return any(real == each or real.startswith(f"{each}{os.sep}") for each in _installation())


@functools.cache
def _installation() -> frozenset[str]:
    """Where Python installs packages, and where RAVE is."""
    places = {sysconfig.get_path(kind) for kind in ("stdlib", "purelib", "platlib")}
    return frozenset(os.path.realpath(each) for each in {*places, *site.getsitepackages(), _OURS} if each)


@functools.cache
def _owner_of_rave() -> frozenset[int]:
    return frozenset({os.stat(__file__).st_uid})
