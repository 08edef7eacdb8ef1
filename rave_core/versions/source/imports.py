"""Imports inside functions: they are never executed here. The modules are found by name and count as a whole.

This also applies to modules imported since then: the version must not depend on what ran before.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from functools import partial
from importlib.machinery import ModuleSpec
from typing import Any

from rave_core.versions.guards import AwaitedModule
from rave_core.versions.loaded_files import loaded_files, packages_of, state_of
from rave_core.versions.source.facts import Facts
from rave_core.versions.source.locality import Place
from rave_core.versions.source.modules import COMPILED, put_compiled
from rave_core.versions.source.walk import Walk


def follow_import(walk: Walk, level: int, module: str, member: str, attributes: str, space: dict[str, Any]) -> None:
    """Adds what an import statement in a function leads to.

    Args:
        walk: the walk.
        level: how many dots there are before the module's name.
        module, member: as in ``from module import member``; ``member`` is empty for ``import module``.
        attributes: the attributes used, such as ``a.b``.
        space: the names of the module that the function belongs to.
    """
    walk.put("import", level, module, member)
    todo = [(level, module, member, space)]
    if attributes and not member:
        parts = attributes.split(".")
        todo += [(level, ".".join((module, *parts[: end + 1])), "?", space) for end in range(len(parts))]
    while todo:
        level, module, member, space = todo.pop(0)
        full = _full_name(walk, level, module, space)
        if full is not None:
            todo += _module(walk, full, member)


def _full_name(walk: Walk, level: int, module: str, space: dict[str, Any]) -> str | None:
    if not level:
        return module
    package = space.get("__package__") or str(space.get("__name__") or "").rpartition(".")[0]
    try:
        return importlib.util.resolve_name("." * level + module, package)
    except ImportError:
        walk.tell(f"import {'.' * level}{module}", "it leads to no package")
        return None


def _module(walk: Walk, name: str, member: str) -> list[tuple[int, str, str, dict[str, Any]]]:
    """Adds a module found by name, and gives what it imports. A member ``?`` says that it need not exist."""
    key = ("import", name, member)
    if key in walk.done:
        return []
    walk.done.add(key)
    found = None if _is_of_others(walk, name, member) else _local(walk, name, member)
    if found is None:
        return []
    is_package = found.submodule_search_locations is not None
    if member not in ("", "?", "*") and is_package and _found(walk, f"{name}.{member}"):
        return _module(walk, f"{name}.{member}", "")  # a module of the package, not a name in it
    return _whole(walk, name, found)


def _is_of_others(walk: Walk, name: str, member: str) -> bool:
    """Whether a module is RAVE's, Python's or a package's by its top-level name; it then counts by that."""
    first = name.partition(".")[0]
    place = walk.locality.of(name)
    if place in (Place.RAVE, Place.PYTHON):
        walk.put(place, first)
        return True
    top = _found(walk, first)
    if top is None or top.origin is None or walk.locality.of(name, top.origin) is not Place.PACKAGE:
        return False
    if member != "?":
        walk.put_library(name, top.origin)  # with its release, which says what else it has
        loaded_files.expect_release(name)
        if (packages := packages_of(top.origin)) is not None:
            _await(walk, name, partial(state_of, packages))
    return True


def _await(walk: Walk, name: str, look: Callable[[], object]) -> None:
    """Notes that a module may be another one before it is loaded, which ``look`` shows."""
    if name not in sys.modules:
        walk.awaited.setdefault(name, AwaitedModule(name, look, look(), loaded_files.surprises))


def _local(walk: Walk, name: str, member: str) -> ModuleSpec | None:
    """How a module of the project is found; ``None`` if it is not, which counts where the module must exist."""
    found = _found(walk, name)
    if found is None:
        if member != "?":
            walk.put("missing", name)
            loaded_files.expect(name, None)
            _await(walk, name, _Found(name))
            walk.tell(f"module {name}", "it is not installed")
        return None
    if walk.locality.of(name, found.origin) is Place.PROJECT:
        return found
    walk.put_library(name, found.origin)
    return None


class _Found:
    """Whether a module can be found by now; sought only when something changed where modules lie."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._is_found = False
        self._states: object = None

    def __call__(self) -> bool:
        states = [(place, state_of(place or ".")) for place in _places_of(self._name)]
        if states != self._states:
            self._is_found = find_spec(self._name) is not None
            self._states = states
        return self._is_found


def _places_of(name: str) -> list[str]:
    """The directories in which a module would be looked for."""
    parent = sys.modules.get(name.rpartition(".")[0])
    return list(getattr(parent, "__path__", None) or sys.path)


def _found(walk: Walk, name: str) -> ModuleSpec | None:
    """How a module would be found, looked up once in a walk."""
    if name not in walk.specs:
        walk.specs[name] = find_spec(name)
    return walk.specs[name]


def _whole(walk: Walk, name: str, found: ModuleSpec) -> list[tuple[int, str, str, dict[str, Any]]]:
    loaded_files.expect(name, found.origin)
    if found.origin is not None:
        _await(walk, name, partial(state_of, found.origin))
    if found.origin is not None and found.origin.endswith(COMPILED):
        put_compiled(walk, name, found.origin)
        return []
    facts = _facts(walk, name, found)
    definition = facts.module() if facts is not None else None
    if definition is None:
        walk.put("a package without code")
        return []
    walk.note_docs(definition.names.reads_docs)
    walk.put("whole", definition.code, definition.docs if walk.presumed.reads_docs else "")
    walk.nodes[f"module {name} (imported when it runs)"] = definition.code[-12:]
    _parents(walk, name)
    is_package = found.submodule_search_locations is not None
    space = {"__name__": name, "__package__": name if is_package else name.rpartition(".")[0]}
    return [(level, module, member, space) for level, module, member, _ in sorted(definition.names.imports)]


def _parents(walk: Walk, name: str) -> None:
    """Adds what the packages around a module do while they load, which may be to change it."""
    while name := name.rpartition(".")[0]:
        found = _found(walk, name)
        if found is None or found.origin is None or ("package", name) in walk.done:
            continue
        walk.done.add(("package", name))
        loaded_files.expect(name, found.origin)
        _await(walk, name, partial(state_of, found.origin))
        facts = _facts(walk, name, found)
        definition = facts.module() if facts is not None else None
        walk.put("in", definition.code if definition is not None else "")


def _facts(walk: Walk, name: str, found: ModuleSpec) -> Facts | None:
    return walk.facts_of({"__name__": name, "__file__": found.origin, "__loader__": found.loader})


def find_spec(name: str) -> ModuleSpec | None:
    """How a module would be found, without importing its parents; ``None`` if there is none."""
    loaded = getattr(sys.modules.get(name), "__spec__", None)
    if isinstance(loaded, ModuleSpec):
        return loaded
    parent, _, _ = name.rpartition(".")
    path = None
    if parent:
        package = find_spec(parent)
        if package is None or package.submodule_search_locations is None:
            return None
        path = list(package.submodule_search_locations)
    for finder in sys.meta_path:
        try:
            found = finder.find_spec(name, path)
        except Exception:  # noqa: BLE001  # a third-party finder
            found = None
        if found is not None:
            return found
    return None
