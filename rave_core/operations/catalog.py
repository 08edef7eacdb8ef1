"""Namespaces: collections of operations that are reachable from outside, found through entry points (R17, R19).

A namespace is an installed package, or a plain directory (R18) whose code can be reloaded while it serves.
"""

from __future__ import annotations

import importlib.util
import logging
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from importlib.metadata import EntryPoint
from types import ModuleType
from typing import Any, TypeAlias

from rave_core.errors import PluginError, RaveError, UnknownNameError, describe_error, nearest
from rave_core.operations.operation import AnyOperation, Operation
from rave_core.plugins.discovery import NAMESPACES, LoadProblem, found_entry_points, load
from rave_core.reloading.generations import DIRECTORIES, Generation, loading
from rave_core.reloading.source_snapshot import Snapshot
from rave_core.runtime.runtime import current_runtime

_log = logging.getLogger("rave")
_NAME = re.compile(r"\w[\w-]*")

Fetch: TypeAlias = Callable[[EntryPoint, str], tuple[Any, LoadProblem | None]]
"""Gives the module with a full name in a namespace (the package itself for an empty name), or its problem."""


@dataclass(frozen=True, slots=True)
class Namespace:
    """A collection of exported operations.

    Attributes:
        name: the prefix of its operations' names.
        origin: the package or the directory that it was loaded from.
        operations: export name (without the namespace) to operation, in the order of the names.
        problems: those of the parts that could not be loaded.
        sources: the files it was loaded from, if that is a directory; it can be loaded from them again.
    """

    name: str
    origin: str
    operations: Mapping[str, AnyOperation] = field(default_factory=dict)
    problems: tuple[LoadProblem, ...] = ()
    sources: Snapshot | None = None


class Catalog:
    """The namespaces that could be loaded, and the problems of the namespaces and parts that could not.

    Never changed once it is made.

    Attributes:
        namespaces: by name, in order.
        problems: in the order found.
    """

    def __init__(self, namespaces: Mapping[str, Namespace], problems: list[LoadProblem]) -> None:
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
        problems: list[LoadProblem] = []
        found = [(entry, _installed) for entry in found_entry_points(NAMESPACES)]
        found += [(EntryPoint(*each, NAMESPACES), _from_directory) for each in (directories or {}).items()]
        for entry, load_one in found:
            other = namespaces.get(entry.name)
            if other is not None:
                clash = f"namespace {entry.name!r} is claimed by both {other.origin} and {entry.value}; keep one"
                problems.append(LoadProblem(entry.name, entry.value, clash))
                continue
            namespace = load_one(entry, problems)
            if namespace is not None:
                namespaces[entry.name] = namespace
        for problem in problems:
            _log.warning("namespace %s", problem)
        if problems and load_error_fatal:
            raise PluginError("; ".join(map(str, problems)))
        return cls(namespaces, problems)

    def with_namespace(self, name: str, directory: str, *, sources: Snapshot | None = None) -> Catalog:
        """A catalog in which the code that is in ``directory`` now takes the place of the namespace ``name``.

        With ``sources`` it is earlier code from that directory, as `Namespace.sources` gave it.

        The code must load completely. If there is any problem with it, the namespace stays the same object, and the
        new catalog lists the problems. If the present namespace has problems itself, or there is none, code that
        loads in part is accepted too, as at the start, provided that no operation is lost.

        The present namespace answers calls during the load, and calls under way finish with the code they began with.
        Other threads that load a directory wait. Problems are not logged.
        """
        before, problems = self.namespaces.get(name), list[LoadProblem]()
        namespace = _from_directory(EntryPoint(name, directory, NAMESPACES), problems, before, sources)
        namespaces = self.namespaces if namespace is None else {**self.namespaces, name: namespace}
        others = [each for each in self.problems if not _is_of(each, name, directory)]
        return Catalog(namespaces, others + problems)

    def __iter__(self) -> Iterator[tuple[str, AnyOperation]]:
        """The full names and operations of all namespaces, in order."""
        for namespace in self.namespaces.values():
            for name, operation in namespace.operations.items():
                yield f"{namespace.name}/{name}", operation

    def find(self, name: str) -> AnyOperation:
        """The operation exported as ``namespace/operation``.

        Raises:
            UnknownNameError: there is none; the message names the nearest one and any problem of its namespace.
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


def _is_of(problem: LoadProblem, name: str, directory: str) -> bool:
    """Whether a problem arose when ``directory`` was loaded as the namespace ``name``."""
    is_inside = f"{problem.origin}.".startswith(f"{DIRECTORIES}.{name}.")
    return problem.name.partition("/")[0] == name and (is_inside or problem.origin == directory)


def _installed(entry: EntryPoint, problems: list[LoadProblem]) -> Namespace | None:
    """The namespace of an entry point."""
    if not _is_well_named(entry, problems):
        return None

    def fetch(entry: EntryPoint, full: str) -> tuple[Any, LoadProblem | None]:
        return load(EntryPoint(entry.name, full, NAMESPACES) if full else entry)

    return _load_namespace(entry, fetch, problems)


def _from_directory(
    entry: EntryPoint, problems: list[LoadProblem], before: Namespace | None = None, sources: Snapshot | None = None
) -> Namespace | None:
    """The namespace in a directory, if it may take the place of what was there ``before``."""
    if not _is_well_named(entry, problems):
        return None
    taken = None
    with loading(entry.name, entry.value, sources) as generation:
        if generation.trouble:
            problems.append(LoadProblem(entry.name, entry.value, generation.trouble))
            return None
        namespace = _load_namespace(entry, partial(_fetch_from, generation), problems)
        if namespace is not None and _may_replace(before, namespace):
            generation.take_over()
            taken = replace(namespace, sources=generation.sources)
    if namespace is not None:
        current_runtime().container.release(entry.name)
    return taken


def _fetch_from(generation: Generation, entry: EntryPoint, full: str) -> tuple[Any, LoadProblem | None]:
    try:
        return generation.load(full), None
    except BaseException as error:  # a third-party module may raise anything
        if isinstance(error, KeyboardInterrupt) and threading.current_thread() is threading.main_thread():
            raise  # elsewhere Python gives none: the module has raised it
        _log.debug("%s could not be loaded", entry.value, exc_info=True)
        return None, LoadProblem(entry.name, entry.value, f"could not be loaded: {generation.describe_error(error)}")


def _may_replace(before: Namespace | None, after: Namespace) -> bool:
    if not after.problems or before is None:
        return True
    return bool(before.problems) and after.operations.keys() >= before.operations.keys()


def _is_well_named(entry: EntryPoint, problems: list[LoadProblem]) -> bool:
    if _NAME.fullmatch(entry.name):
        return True
    problems.append(LoadProblem(entry.name, entry.value, "a namespace is named by letters, digits, - and _"))
    return False


def _load_namespace(entry: EntryPoint, fetch: Fetch, problems: list[LoadProblem]) -> Namespace | None:
    own: list[LoadProblem] = []
    package, problem = fetch(entry, "")
    if problem is not None:
        problems.append(problem)
        return None
    exported = _exported(package, entry, fetch, own)
    for name, why in _wrong_behind(exported).items():
        own.append(LoadProblem(f"{entry.name}/{name}", entry.value, why))
        del exported[name]
    if not exported and not own:
        own.append(
            LoadProblem(entry.name, entry.value, "it exports nothing; expected __export__ = {'name': operation}")
        )
    problems += own
    return Namespace(entry.name, entry.value, dict(sorted(exported.items())), tuple(own))


def _exported(package: Any, entry: EntryPoint, fetch: Fetch, problems: list[LoadProblem]) -> dict[str, AnyOperation]:
    """The usable exports of a namespace, by name."""
    exported: dict[str, AnyOperation] = {}
    origins: dict[str, str] = {}
    try:
        for origin, name, operation in _exports(package, entry, fetch, problems):
            if name in exported:
                clash = f"{name!r} is exported by both {origins[name]} and {origin}"
                problems.append(LoadProblem(f"{entry.name}/{name}", entry.value, clash))
                continue
            exported[name], origins[name] = operation, origin
    except Exception as error:  # noqa: BLE001  # contents of a third-party module may raise anything on access
        problems.append(LoadProblem(entry.name, entry.value, f"its exports can't be read: {describe_error(error)}"))
    return exported


def _wrong_behind(exported: Mapping[str, AnyOperation]) -> dict[str, str]:
    """What is wrong with the operations that name another as the one behind them, by export name."""
    found = {}
    for name, operation in exported.items():
        behind = operation.spec.behind
        if behind is None:
            continue
        if behind not in exported or behind == name:
            found[name] = f"behind={behind!r} is no other export of the namespace; {nearest(behind, exported)}"
            continue
        there = exported[behind].spec.parameters
        names, takes_any = {each.name for each in there}, any(each.kind is each.VAR_KEYWORD for each in there)
        missing = [each.name for each in operation.spec.parameters if each.name not in names and not takes_any]
        if missing:
            found[name] = f"behind={behind!r} takes no parameter {missing[0]!r}; both take the same"
    return found


def _modules(package: Any, entry: EntryPoint, fetch: Fetch, problems: list[LoadProblem]) -> Iterator[ModuleType]:
    """The package, and the modules in it that its ``__all__`` names."""
    yield package
    if not hasattr(package, "__path__"):
        return
    for name in map(str, getattr(package, "__all__", ())):
        full = f"{package.__name__}.{name}"
        part = EntryPoint(f"{entry.name}/{name}", entry.value, NAMESPACES)
        if importlib.util.find_spec(full) is None:
            if not hasattr(package, name):
                lost = f"__all__ lists {name!r}, and there is no such module in {_called(package)}"
                problems.append(LoadProblem(entry.name, entry.value, lost))
            continue
        module, problem = fetch(part, full)
        if problem is not None:
            problems.append(problem)
        elif module is not package:
            yield module


def _called(module: ModuleType) -> str:
    """The name that a module has for itself: the same for every generation of a directory's code."""
    return str(vars(module).get("__name__"))


def _exports(
    package: Any, entry: EntryPoint, fetch: Fetch, problems: list[LoadProblem]
) -> Iterator[tuple[str, str, AnyOperation]]:
    """A usable export: the module that exports it, its name, and the operation."""
    for module in _modules(package, entry, fetch, problems):
        origin = _called(module)
        exported = vars(module).get("__export__", {})
        if not isinstance(exported, Mapping):
            problems.append(LoadProblem(entry.name, origin, "__export__ is not a dict from names to operations"))
            continue
        for name, operation in exported.items():
            wrong = _what_is_wrong(name, operation)
            if wrong:
                problems.append(LoadProblem(f"{entry.name}/{name}", origin, wrong))
            else:
                yield origin, name, operation


def _what_is_wrong(name: object, operation: object) -> str | None:
    if not isinstance(name, str) or not {"", ".", ".."}.isdisjoint(name.split("/")):
        return "an export name is a text without empty parts, '.' and '..' between its slashes"
    if isinstance(operation, RaveError):  # of a namespace that makes its operations: why it could not make this one
        return str(operation)
    if not isinstance(operation, Operation):
        return f"{operation!r} is not an operation; decorate it with @op or @op_file"
    try:
        current_runtime().container.check(operation.spec)
        if operation.spec.typemap is not None:
            operation.spec.typemap.schema()
    except RaveError as error:
        return str(error)
    return None
