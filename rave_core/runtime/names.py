"""The names of operations in one runtime, and the operations that own them."""

from __future__ import annotations

import gc
import inspect
import sys
import weakref
from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module
from types import ModuleType
from typing import Any

from rave_core.errors import DuplicateError
from rave_core.model import OperationSpec
from rave_core.plugins.discovery import namespace_packages
from rave_core.reloading.generations import DIRECTORIES, generation_of


class NameRegistry:
    """Maps names to their operations, without keeping an operation alive."""

    def __init__(self) -> None:
        self._specs: dict[str, weakref.ref[OperationSpec]] = {}

    def claim(self, name: str, spec: OperationSpec) -> None:
        """Gives ``name`` to an operation.

        An operation that is defined again in the same place, for example by running a cell or reloading a module again,
        replaces the previous one. So does any operation whose predecessor is no longer referenced.

        Raises:
            DuplicateError: another operation, which is alive, has the name.
        """
        other = self._holder(name)
        if other is not None and other is not spec and is_another(other, spec):
            del other
            gc.collect()  # what a memo holds goes only with a cycle
            other = self._holder(name)
            if other is not None:
                raise DuplicateError(
                    f"two operations are called {name!r}: {_place(other)} and {_place(spec)}; rename one"
                )
        self._specs[name] = weakref.ref(spec)

    def release(self, namespace: str) -> None:
        """Frees the names of operations of a namespace's code that no longer serves, or never did."""
        for name in list(self._specs):
            spec = self._holder(name)
            generation = generation_of(spec.function) if spec is not None else None
            if spec is None or (generation is not None and generation.name == namespace and generation.is_retired):
                self._specs.pop(name, None)

    def _holder(self, name: str) -> OperationSpec | None:
        known = self._specs.get(name)
        return known() if known is not None else None


def operation_name(spec: OperationSpec) -> tuple[str, str]:
    """An operation's full name, and the namespace it belongs to, if any.

    An operation in a namespace's package is named by the namespace and its export name, or by its place in the
    package if it is not exported. So it is the same operation whether it is imported or requested by name.
    """
    module = spec.function.__module__ or ""
    packages = namespace_packages()
    if module.startswith(f"{DIRECTORIES}."):
        namespace = module.split(".")[1]
        packages = {f"{DIRECTORIES}.{namespace}": namespace}
    for package, namespace in packages.items():
        if module == package or module.startswith(package + "."):
            return spec.name if spec.fixed_name else _name_in(namespace, package, module, spec), namespace
    return spec.name, ""


def _name_in(namespace: str, package: str, module: str, spec: OperationSpec) -> str:
    for exports in _exports(package, spec):
        if not isinstance(exports, dict):
            continue
        for name in sorted(exports):
            if getattr(exports[name], "spec", None) is spec:
                return f"{namespace}/{name}"
    inner = module[len(package) + 1 :]
    return f"{namespace}/{inner}:{spec.function.__qualname__}" if inner else f"{namespace}/{spec.function.__qualname__}"


def _exports(package: str, spec: OperationSpec) -> Iterator[object]:
    """What the modules of a namespace's package export: an operation's own module first, then as the catalog asks them.

    Modules that are not loaded yet are imported: the name must not depend on what else a process has done.
    """
    yield spec.function.__globals__.get("__export__")
    generation = generation_of(spec.function)
    root = sys.modules.get(package) if generation is None else generation.package
    yield getattr(root, "__export__", None)
    for name in map(str, getattr(root, "__all__", ())):
        part = getattr(root, name, None)
        if part is None and generation is None:
            with suppress(Exception, SystemExit):  # the catalog reports why
                part = import_module(f"{package}.{name}")
        if isinstance(part, ModuleType):
            yield getattr(part, "__export__", None)


def is_another(one: OperationSpec, two: OperationSpec) -> bool:
    """Whether two operations come from different places, rather than from one that was run or loaded again."""
    first, second = one.function, two.function
    before, after = generation_of(first), generation_of(second)
    if before is not None and after is not None and before is not after and before.name == after.name:
        return False  # it was moved within its namespace
    if (first.__module__, first.__qualname__) != (second.__module__, second.__qualname__):
        return True
    # In a file that did not change, two functions under one qualname, such as lambdas, differ in their code.
    same_file = one.code.path is not None and one.code.digest == two.code.digest
    return bool(same_file and _code(one) != _code(two))


def _code(spec: OperationSpec) -> Any:
    return getattr(inspect.unwrap(spec.function), "__code__", None)


def _place(spec: OperationSpec) -> str:
    line = getattr(_code(spec), "co_firstlineno", 0)
    return f"{spec.function.__module__}:{spec.function.__qualname__} (line {line})"
