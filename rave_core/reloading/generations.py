"""Namespaces that are plain directories (R18): their code, loaded as often as it changes.

A load is a generation: a snapshot of the sources, and the modules that are made of it. What an operation imports only
when it runs comes from the snapshot too, so that an edit can't mix two states of the code. No bytecode is read or
written: its time stamps are too coarse for edits, and the directory may not be ours to write to.

One generation serves while the next one loads, and calls of one that was replaced run on. Since all of them share one
`sys.modules`, there are four rules:

1. A module is imported under a name of its generation's own, ``NAME@7.sub``. Relative imports go by it, so code imports
   what is as old as itself, and modules of two namespaces never meet.
2. The module believes that it is called ``rave_namespaces.NAME.sub`` (`Disguised`). By this name its classes and
   functions are known: to keys and pickles, for which every generation, worker and run has to call them alike.
3. Under this name `sys.modules` has a `ModuleProxy`, for those who look a class up by its name, such as pickle,
   dataclasses and typing. It leads to the generation that serves, and in the context that loads one to that.
4. The modules of a generation that does not serve any more, or is not taken, are replaced in `sys.modules` by doors
   that keep nothing alive. So calls under way can import to their end, and what nobody calls is let go.

What the code of a namespace has to know:

- Modules import each other relatively, as in ``from .words import greeting``. ``import words`` does not find them.
- A value of a class of the namespace that old code returns after new code took over can't be pickled any more, since
  its class is not the one that its name stands for: such a call is answered, and not kept.
- Threads started while the code loads see, by the doors, the generation that serves; nothing, if it is the first one.
"""

from __future__ import annotations

import importlib
import importlib.util
import itertools
import linecache
import os
import sys
import threading
import traceback
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from functools import partial
from hashlib import blake2b
from importlib.abc import Loader
from importlib.machinery import ModuleSpec, SourceFileLoader
from inspect import unwrap
from types import CodeType, ModuleType
from typing import Any

from rave_core.errors import describe_error
from rave_core.model import Code, OperationSpec
from rave_core.reloading.module_proxy import AliasedModule, ModuleProxy
from rave_core.reloading.source_snapshot import Snapshot, Source
from rave_core.versions.epochs import code_changed

DIRECTORIES = "rave_namespaces"
"""The package in which modules of namespaces from directories believe to be."""
_PACKAGE = "__init__.py"


class Generation:
    """The code of a directory as it was at one moment.

    Attributes:
        name: of the namespace.
        sources: what it is loaded from.
        root: what its package is called in `sys.modules`.
        is_retired: whether its namespace's name stands for another one, after it was loaded or refused.
    """

    def __init__(self, name: str, sources: Snapshot) -> None:
        self.name = name
        self.sources = sources
        self.root = f"{name}@{next(_numbers)}"
        self.is_retired = False
        self._modules: dict[str, ModuleType] = {}
        weakref.finalize(self, _forget, self.root).atexit = False

    @property
    def directory(self) -> str:
        """Where the code is, or was."""
        return self.sources.directory

    @property
    def package(self) -> ModuleType | None:
        """The directory as a package, once its import has begun."""
        return sys.modules.get(self.root)

    @property
    def trouble(self) -> str | None:
        """Why the directory can't be loaded: it is no package, or others may change what is in it; else ``None``."""
        if os.path.join(self.directory, _PACKAGE) in self.sources.files:
            return self.sources.doubt()
        try:
            os.listdir(self.directory)
        except OSError as error:
            return f"can't be read: {describe_error(error)}"
        return f"there is no {_PACKAGE} to be read, which makes a directory a package"

    def load(self, fullname: str = "") -> ModuleType:
        """Imports one of its modules, or the package itself.

        Raises:
            BaseException: whatever its code raises; `told` puts it into words.
        """
        return importlib.import_module(fullname or self.root)

    def find(self, fullname: str) -> ModuleSpec | None:
        """How to import a module of it; ``None`` where it is no Python source.

        Raises:
            ImportError: there is a source that it was not loaded with.
        """
        place = os.path.join(self.directory, *fullname.split(".")[1:])
        package, module, files = os.path.join(place, _PACKAGE), f"{place}.py", self.sources.files
        if package in files:
            return self._spec(fullname, package, files[package], [place])
        if module in files:
            return self._spec(fullname, module, files[module], None)
        if any(path.startswith(place + os.sep) for path in files):  # a package without __init__
            return self._spec(fullname, package, Source(b"", 0), [place])
        if os.path.isfile(package) or os.path.isfile(module):  # which others would find
            raise ImportError(f"{place} can't be read, or is newer than what imports it", name=fullname)
        return None

    def _spec(self, fullname: str, path: str, source: Source, inside: list[str] | None) -> ModuleSpec | None:
        loader = _Loader(self, fullname, path, source)
        return importlib.util.spec_from_file_location(fullname, path, loader=loader, submodule_search_locations=inside)

    def stable(self, text: str) -> str:
        """A text without what tells this generation from others."""
        return text.replace(self.root, f"{DIRECTORIES}.{self.name}")

    def describe_error(self, error: BaseException) -> str:
        """What an exception says, and the file and the line of this directory where it arose."""
        files = self.sources.files
        if isinstance(error, SyntaxError) and error.filename in files:
            return f"{type(error).__name__}: {error.msg} ({error.filename}, line {error.lineno})"
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename in files]
        place = f" ({frames[-1].filename}, line {frames[-1].lineno})" if frames else ""
        return self.stable(describe_error(error)) + place

    def take_over(self) -> None:
        """From now on the namespace's name stands for this code. Calls of what served before go on with their own."""
        _finder.serving[self.name] = self
        code_changed()

    def retire(self) -> None:
        """Leaves doors in `sys.modules`; from now on the generation lives for as long as somebody has its code."""
        self.is_retired = True
        for name, module in _below(self.root):
            if type(module) is not ModuleProxy:
                self._modules[name] = module
                sys.modules[name] = ModuleProxy(name, partial(_retired, weakref.ref(self), name))


@contextmanager
def loading(name: str, directory: str, sources: Snapshot | None = None) -> Iterator[Generation]:
    """The code of ``directory``, to be loaded in the block; there, doors lead to it.

    It is forgotten at the end, unless it took over; until then nobody else notices it. One block runs at a time in the
    process: others wait, for as long as imports take. Whatever is raised in the block passes.

    Args:
        name: of the namespace.
        directory: where its code is.
        sources: the code as it was once; ``None`` for what is there now.
    """
    with _finder.lock:
        importlib.invalidate_caches()
        generation = Generation(name, Snapshot.of(directory) if sources is None else sources)
        before = _finder.begin(generation)
        token = _loading.set(generation)
        try:
            yield generation
        finally:
            _loading.reset(token)
            _finder.end(generation, before)


def generation_of(function: Callable[..., Any]) -> Generation | None:
    """The generation that a function was defined in; ``None`` where it is not from such a directory."""
    loader = _loader_of(function)
    return loader.generation if loader is not None else None


def as_loaded(spec: OperationSpec) -> OperationSpec:
    """``spec`` with the code from which the operation was compiled, which its file may not hold any more."""
    loader = _loader_of(spec.function)
    return spec if loader is None else replace(spec, code=loader.code())


def _loader_of(function: Callable[..., Any]) -> _Loader | None:
    function = unwrap(function)
    loader = getattr(function, "__globals__", {}).get("__loader__")
    is_ours = isinstance(loader, _Loader) and function.__code__.co_filename == loader.path
    return loader if is_ours else None


class _Loader(SourceFileLoader):
    """Executes a module of a generation from the source that this has."""

    def __init__(self, generation: Generation, fullname: str, path: str, source: Source) -> None:
        super().__init__(fullname, path)
        self.generation = generation
        self.source = source

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """A module that believes in the name that it shares with those of other generations."""
        return AliasedModule(self.generation.stable(spec.name))

    def exec_module(self, module: ModuleType) -> None:
        """Executes it. It may look for itself under its stable name, so there is a door."""
        _finder.door(self.generation.stable(self.name))
        super().exec_module(module)
        if self.generation.is_retired:
            self.generation.retire()

    def get_code(self, fullname: str) -> CodeType:
        """What the source compiles to, never from a file of bytecode."""
        data = self.source.data
        code: CodeType = self.source_to_code(data, self.path)
        # For tracebacks and `inspect`, which would read the file as it is by then. Without a time it is not checked.
        lines = importlib.util.decode_source(data).splitlines(keepends=True)
        linecache.cache[self.path] = len(data), None, lines, self.path
        return code

    def get_data(self, path: str) -> bytes:
        """The source as the generation has it; any other file as it is now."""
        return self.source.data if path == self.path else super().get_data(path)

    def code(self) -> Code:
        """The code for the versions of operations, in the form of `rave_core.versions.stamp`."""
        return Code(self.path, blake2b(self.source.data, digest_size=20).digest(), self.source.mtime_ns)


class _DoorLoader(Loader):
    """Imports the module behind a door that is not there yet, and puts the door into `sys.modules`."""

    def create_module(self, spec: ModuleSpec) -> None:
        """The usual module, which does not stay."""

    def exec_module(self, module: ModuleType) -> None:
        """Replaces it."""
        name = module.__name__
        del sys.modules[name]
        _finder.module(name, is_import=True)
        _finder.door(name)


class _Finder:
    """Finds the modules of all generations that anybody still uses, and the doors.

    Attributes:
        lock: of whoever loads.
        serving: the generation that a namespace's name stands for.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.serving: dict[str, Generation] = {}
        self._by_root: weakref.WeakValueDictionary[str, Generation] = weakref.WeakValueDictionary()
        os.register_at_fork(after_in_child=self._after_fork)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """How to import a module by the name of its generation's own, or by its stable name."""
        root, _, inner = fullname.partition(".")
        generation = self._by_root.get(root)
        if generation is not None:
            return generation.find(fullname)
        own = self._own(fullname) if root == DIRECTORIES and inner else None
        if own is None or importlib.util.find_spec(own) is None:
            return None
        return ModuleSpec(fullname, _DoorLoader(), is_package=True)

    def begin(self, generation: Generation) -> Generation | None:
        """Finds modules of ``generation`` from now on; gives the one that serves."""
        if self not in sys.meta_path:
            sys.meta_path.insert(0, self)
        parent = sys.modules.setdefault(DIRECTORIES, ModuleType(DIRECTORIES))
        parent.__path__ = []
        self._by_root[generation.root] = generation
        return self.serving.get(generation.name)

    def end(self, generation: Generation, before: Generation | None) -> None:
        """Retires what does not serve, and removes doors to modules that were not imported again."""
        serving = self.serving.get(generation.name)
        for each in (before, generation):
            if each is not None and each is not serving:
                each.retire()
        for stable, _ in _below(f"{DIRECTORIES}.{generation.name}"):
            if self.module(stable, is_import=False) is None:
                sys.modules.pop(stable, None)

    def door(self, stable: str) -> None:
        """Sees to it that there is a door of that name."""
        door = sys.modules.setdefault(stable, ModuleProxy(stable, partial(self.module, stable)))
        _, name, *inner = stable.split(".")
        if not inner:
            setattr(sys.modules[DIRECTORIES], name, door)

    def module(self, stable: str, is_import: bool) -> ModuleType | None:
        """The module that a stable name stands for here and now, imported if ``is_import`` says so and it is not.

        Raises:
            BaseException: whatever its import raises.
        """
        own = self._own(stable)
        if own is None:
            return None
        return sys.modules.get(own) or (importlib.import_module(own) if is_import else None)

    def _own(self, stable: str) -> str | None:
        """The name by which that module is imported."""
        _, name, *inner = stable.split(".")
        generation = _loading.get()
        if generation is None or generation.name != name:
            generation = self.serving.get(name)
        return None if generation is None else ".".join((generation.root, *inner))

    def _after_fork(self) -> None:
        self.lock = threading.RLock()


def _below(root: str) -> list[tuple[str, ModuleType]]:
    """The package ``root`` and the modules in it, by their names in `sys.modules`."""
    return [(name, module) for name, module in sys.modules.copy().items() if f"{name}.".startswith(f"{root}.")]


def _retired(generation: weakref.ref[Generation], name: str, _: bool) -> ModuleType | None:
    """The way of a door to a module of a generation that was retired."""
    found = generation()
    return found._modules.get(name) if found is not None else None


def _forget(root: str) -> None:
    """Removes the doors of a generation that is gone."""
    for name, _ in _below(root):
        sys.modules.pop(name, None)


_numbers = itertools.count(1)
_loading: ContextVar[Generation | None] = ContextVar("rave_loading", default=None)
_finder = _Finder()
