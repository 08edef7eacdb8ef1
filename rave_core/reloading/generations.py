"""Namespaces that are plain directories (R18): their code, loaded as often as it changes.

A load is a generation: a snapshot of the sources, and the modules made from it. What an operation imports only when it
runs comes from the snapshot too, so an edit can't mix two states of the code. No bytecode is read or written: its time
stamps are too coarse for edits, and the directory may not be writable.

One generation serves while the next one loads, and calls of a replaced generation run to their end. All generations
share one `sys.modules`, so there are four rules:

1. A module is imported under a name specific to its generation, ``NAME@7.sub``. Relative imports use that name, so code
   imports modules of its own generation, and modules of two namespaces never mix.
2. The module believes that its name is ``rave_namespaces.NAME.sub`` (`Disguised`). Keys and pickles know its classes
   and functions by this name, which must be the same in every generation, worker and run.
3. Under this name `sys.modules` has a `ModuleProxy`, for code that looks up a class by name, such as pickle,
   dataclasses and typing. It leads to the serving generation, or, in a context that loads one, to that generation.
4. The modules of a generation that no longer serves, or was rejected, are replaced in `sys.modules` by doors that keep
   nothing alive. So calls under way can still import, and unused code is freed.

What the code of a namespace has to know:

- Modules import each other relatively, as in ``from .words import greeting``. ``import words`` does not find them.
- If old code returns an instance of one of its classes after new code has taken over, that value can't be pickled any
  more, because the class's name stands for the new class. Such a call is answered, but not kept.
- Threads started while the code loads see the serving generation through the doors; during the first load, nothing.
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
"""The package to which modules of directory namespaces believe they belong."""
_PACKAGE = "__init__.py"


class Generation:
    """The code of a directory as it was at one moment.

    Attributes:
        name: of the namespace.
        sources: what it is loaded from.
        root: what its package is called in `sys.modules`.
        is_retired: whether another generation has replaced it, or it was refused.
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
        """The directory of the code, which may no longer exist."""
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
            BaseException: what its code raises; `told` puts it into words.
        """
        return importlib.import_module(fullname or self.root)

    def find(self, fullname: str) -> ModuleSpec | None:
        """How to import one of its modules; ``None`` if that is not a Python source.

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
        """A text without the marks that distinguish this generation from others."""
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
        """Makes the namespace's name stand for this code. Calls under way continue with their own generation."""
        _finder.serving[self.name] = self
        code_changed()

    def retire(self) -> None:
        """Leaves doors in `sys.modules`; from now on the generation lives only as long as its code is referenced."""
        self.is_retired = True
        for name, module in _below(self.root):
            if type(module) is not ModuleProxy:
                self._modules[name] = module
                sys.modules[name] = ModuleProxy(name, partial(_retired, weakref.ref(self), name))


@contextmanager
def loading(name: str, directory: str, sources: Snapshot | None = None) -> Iterator[Generation]:
    """The code of ``directory``, to be loaded in the block; there, doors lead to it.

    It is forgotten at the end, unless it has taken over; until then it is invisible to others. One block runs at a time
    in the process: others wait, for as long as imports take. Exceptions in the block propagate.

    Args:
        name: of the namespace.
        directory: where its code is.
        sources: an earlier state of the code; ``None`` for the present one.
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
    """The generation that a function was defined in; ``None`` if it is not from such a directory."""
    loader = _loader_of(function)
    return loader.generation if loader is not None else None


def as_loaded(spec: OperationSpec) -> OperationSpec:
    """``spec`` with the code that the operation was compiled from, which its file may no longer hold."""
    loader = _loader_of(spec.function)
    return spec if loader is None else replace(spec, code=loader.code())


def _loader_of(function: Callable[..., Any]) -> _Loader | None:
    function = unwrap(function)
    loader = getattr(function, "__globals__", {}).get("__loader__")
    is_ours = isinstance(loader, _Loader) and function.__code__.co_filename == loader.path
    return loader if is_ours else None


class _Loader(SourceFileLoader):
    """Executes a module of a generation from the generation's own source."""

    def __init__(self, generation: Generation, fullname: str, path: str, source: Source) -> None:
        super().__init__(fullname, path)
        self.generation = generation
        self.source = source

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """A module that believes that its name is the stable one, which it shares with other generations."""
        return AliasedModule(self.generation.stable(spec.name))

    def exec_module(self, module: ModuleType) -> None:
        """Executes the module. It may look itself up under its stable name, so there is a door."""
        _finder.door(self.generation.stable(self.name))
        super().exec_module(module)
        if self.generation.is_retired:
            self.generation.retire()

    def get_code(self, fullname: str) -> CodeType:
        """What the source compiles to, never from a file of bytecode."""
        data = self.source.data
        code: CodeType = self.source_to_code(data, self.path)
        # For tracebacks and `inspect`, which would read the later file. Without a time stamp it is not checked.
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
        lock: held during a load.
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
        """How to import a module by its generation's name or by its stable name."""
        root, _, inner = fullname.partition(".")
        generation = self._by_root.get(root)
        if generation is not None:
            return generation.find(fullname)
        own = self._own(fullname) if root == DIRECTORIES and inner else None
        if own is None or importlib.util.find_spec(own) is None:
            return None
        return ModuleSpec(fullname, _DoorLoader(), is_package=True)

    def begin(self, generation: Generation) -> Generation | None:
        """Finds modules of ``generation`` from now on; returns the serving generation."""
        if self not in sys.meta_path:
            sys.meta_path.insert(0, self)
        parent = sys.modules.setdefault(DIRECTORIES, ModuleType(DIRECTORIES))
        parent.__path__ = []
        self._by_root[generation.root] = generation
        return self.serving.get(generation.name)

    def end(self, generation: Generation, before: Generation | None) -> None:
        """Retires what does not serve, and removes the doors to modules that were not imported again."""
        serving = self.serving.get(generation.name)
        for each in (before, generation):
            if each is not None and each is not serving:
                each.retire()
        for stable, _ in _below(f"{DIRECTORIES}.{generation.name}"):
            if self.module(stable, is_import=False) is None:
                sys.modules.pop(stable, None)

    def door(self, stable: str) -> None:
        """Makes a door with that name unless there is one."""
        door = sys.modules.setdefault(stable, ModuleProxy(stable, partial(self.module, stable)))
        _, name, *inner = stable.split(".")
        if not inner:
            setattr(sys.modules[DIRECTORIES], name, door)

    def module(self, stable: str, is_import: bool) -> ModuleType | None:
        """The module that a stable name stands for here and now, imported if ``is_import`` says so and it is not.

        Raises:
            BaseException: what its import raises.
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
