"""Namespaces: collections of operations that are reachable from outside, found through entry points (R17, R19)."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import EntryPoint
from types import ModuleType
from typing import Any

from rave_core.errors import PluginError, RaveError, UnknownNameError, nearest
from rave_core.operation import Operation
from rave_core.plugins import NAMESPACES, Problem, found_entry_points, load, load_directory

_log = logging.getLogger("rave")


@dataclass(frozen=True, slots=True)
class Namespace:
    """A collection of exported operations.

    Attributes:
        name: as it stands in front of its operations.
        origin: the package that it was loaded from.
        operations: export name (without the namespace) to operation, in the order of the names.
    """

    name: str
    origin: str
    operations: Mapping[str, Operation[..., Any]] = field(default_factory=dict)


class Catalog:
    """The namespaces that could be loaded, and the problems of those, or parts of those, that could not.

    Attributes:
        namespaces: by name, in order.
        problems: in the order found.
    """

    def __init__(self, namespaces: Mapping[str, Namespace], problems: list[Problem]) -> None:
        self.namespaces = namespaces
        self.problems = problems

    @classmethod
    def installed(cls, directories: Mapping[str, str] | None = None, *, load_error_fatal: bool = False) -> Catalog:
        """The namespaces of the entry-point group ``rave.namespaces``, and those that are plain directories.

        Args:
            directories: by name; the setting ``namespaces``.
            load_error_fatal: whether a problem stops everything.

        Raises:
            PluginError: there is a problem, and ``load_error_fatal`` is set.
        """
        namespaces: dict[str, Namespace] = {}
        problems: list[Problem] = []
        for entry, fetch in _found(directories or {}):
            other = namespaces.get(entry.name)
            if other is not None:
                clash = f"namespace {entry.name!r} is claimed by both {other.origin} and {entry.value}; keep one"
                problems.append(Problem(entry.name, entry.value, clash))
                continue
            namespace = _load_namespace(entry, fetch(), problems)
            if namespace is not None:
                namespaces[entry.name] = namespace
        for problem in problems:
            _log.warning("namespace %s", problem)
        if problems and load_error_fatal:
            raise PluginError("; ".join(map(str, problems)))
        return cls(namespaces, problems)

    def __iter__(self) -> Iterator[tuple[str, Operation[..., Any]]]:
        """The full names and operations of all namespaces, in order."""
        for namespace in self.namespaces.values():
            for name, operation in namespace.operations.items():
                yield f"{namespace.name}/{name}", operation

    def find(self, name: str) -> Operation[..., Any]:
        """The operation exported as ``namespace/operation``.

        Raises:
            UnknownNameError: there is none; the message names the nearest, and says if its namespace has a problem.
        """
        space, _, rest = name.partition("/")
        namespace = self.namespaces.get(space)
        if namespace is not None and rest in namespace.operations:
            return namespace.operations[rest]
        raise UnknownNameError(f"no operation is called {name!r}; {self._hint(space, rest, name)}")

    def _hint(self, space: str, rest: str, name: str) -> str:
        failed = "; ".join(str(problem) for problem in self.problems if problem.name.partition("/")[0] == space)
        namespace, known = self.namespaces.get(space), [full for full, _ in self]
        if namespace is None and failed:
            return failed
        if namespace is not None and not rest:
            return f"{space!r} is a namespace, with {', '.join(f'{space}/{own}' for own in namespace.operations)}"
        same = [full for full in known if full.endswith(f"/{name}")]
        meant = f"did you mean {same[0]!r}?" if same else nearest(name, known)
        return f"{meant}; {failed}" if failed else meant


def _found(directories: Mapping[str, str]) -> Iterator[tuple[EntryPoint, Callable[[], tuple[Any, Problem | None]]]]:
    """The installed namespaces, then those in directories, each with what loads it."""
    for entry in found_entry_points(NAMESPACES):
        yield entry, partial(load, entry)
    for name, directory in directories.items():
        yield EntryPoint(name, directory, NAMESPACES), partial(load_directory, name, directory)


def _load_namespace(entry: EntryPoint, loaded: tuple[Any, Problem | None], problems: list[Problem]) -> Namespace | None:
    package, problem = loaded
    if problem is not None:
        problems.append(problem)
        return None
    if entry.name.startswith(("-", ".")) or "/" in entry.name:
        problems.append(Problem(entry.name, entry.value, "a namespace is named by letters, digits, - and _"))
        return None
    exported: dict[str, Operation[..., Any]] = {}
    origins: dict[str, str] = {}
    for module in _modules(package, entry, problems):
        for name, operation in _exports(module, entry, problems):
            if name in exported:
                clash = f"{name!r} is exported by both {origins[name]} and {module.__name__}"
                problems.append(Problem(f"{entry.name}/{name}", entry.value, clash))
                continue
            exported[name], origins[name] = operation, module.__name__
    if not exported:
        problems.append(
            Problem(entry.name, entry.value, "it exports nothing: __export__ = {'name': operation} expected")
        )
    return Namespace(entry.name, entry.value, dict(sorted(exported.items())))


def _modules(package: Any, entry: EntryPoint, problems: list[Problem]) -> Iterator[ModuleType]:
    """The package, and the modules in it that its ``__all__`` names."""
    yield package
    if not hasattr(package, "__path__"):
        return
    for name in getattr(package, "__all__", ()):
        full = f"{package.__name__}.{name}"
        if importlib.util.find_spec(full) is None:
            if not hasattr(package, name):
                lost = f"__all__ lists {name!r}, and there is no such module in {package.__name__}"
                problems.append(Problem(entry.name, entry.value, lost))
            continue
        module, problem = load(EntryPoint(f"{entry.name}/{name}", full, NAMESPACES))
        if problem is not None:
            problems.append(problem)
        elif module is not package:
            yield module


def _exports(module: Any, entry: EntryPoint, problems: list[Problem]) -> Iterator[tuple[str, Operation[..., Any]]]:
    """What one module exports, as far as it can be used."""
    exported = vars(module).get("__export__", {})
    if not isinstance(exported, Mapping):
        problems.append(Problem(entry.name, module.__name__, "__export__ is no dict from names to operations"))
        return
    for name, operation in exported.items():
        wrong = _what_is_wrong(name, operation)
        if wrong:
            problems.append(Problem(f"{entry.name}/{name}", module.__name__, wrong))
        else:
            yield name, operation


def _what_is_wrong(name: Any, operation: Any) -> str | None:
    if not isinstance(name, str) or not {"", ".", ".."}.isdisjoint(name.split("/")):
        return "an export name is a text without empty parts, '.' and '..' between its slashes"
    if not isinstance(operation, Operation):
        return f"{operation!r} is no operation; decorate it with @op or @op_file"
    try:
        operation.desk()
        if operation.spec.typemap is not None:
            operation.spec.typemap.schema()
    except RaveError as error:
        return str(error)
    return None
