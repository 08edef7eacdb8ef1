"""Namespaces that are plain directories (R18): their code, loaded as often as it changes.

Each load of a directory is a generation. It works from a copy of the source, read at one moment, so that an edit
meanwhile can't mix two states of the code, and what an operation imports only when it runs is as old as itself. No
bytecode is read or written: its time stamps are too coarse for edits, and the directory may not be ours to write to.

The modules of a generation are imported under a name of its own, ``rave_namespaces.NAME@7.sub``, by which relative
imports inside of it go; so generations stand beside each other, and those of two namespaces never meet. But each module
believes that it is called ``rave_namespaces.NAME.sub``, which is what classes, pickles and keys say. Under that name
`sys.modules` holds a door: it leads to the module of the generation that serves, and while a new one loads, in the
thread that loads it, to that one.

What the code of a namespace has to know:

- Modules import each other relatively, as in ``from .words import greeting``. ``import words`` does not find them.
- A value of a class of the namespace that old code returns after new code took over can't be pickled any more, since
  its class is not the one that its name stands for: such a call is answered, and not kept.
- Threads started while the code loads see, by the doors, the generation that serves.
"""

from __future__ import annotations

import importlib
import itertools
import linecache
import os
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from functools import partial
from hashlib import blake2b
from importlib.abc import Loader
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import decode_source, spec_from_file_location
from inspect import unwrap
from types import CodeType, ModuleType
from typing import Any
from weakref import WeakValueDictionary, ref

from rave_core.doors import Disguised, Door
from rave_core.errors import told
from rave_core.model import OperationSpec
from rave_core.snapshot import Snapshot
from rave_core.versions import Code

DIRECTORIES = "rave_namespaces"
"""The package below which namespaces from directories are imported."""
_PACKAGE = "__init__.py"


class Generation:
    """The code of a directory as it was at one moment.

    Attributes:
        name: of the namespace.
        directory: where the code is; links are resolved, so that a link that is set elsewhere does not change it.
        files: its source.
        modules: those that were imported, by the names under which they are.
    """

    def __init__(self, name: str, directory: str) -> None:
        """Reads the source; imports nothing."""
        self.name = name
        self.directory = os.path.realpath(directory)
        self.root = f"{DIRECTORIES}.{name}@{next(_numbers)}"
        self.modules: dict[str, ModuleType] = {}
        self.files = Snapshot(self.directory)
        for path in self.files:
            linecache.cache.pop(path, None)  # checkcache() misses an edit that keeps time and size

    @property
    def package(self) -> ModuleType | None:
        """The directory as a package, once its import has begun."""
        return self.modules.get(self.root)

    @property
    def serves(self) -> bool:
        """Whether it is the one that its namespace's name stands for."""
        return _finder.serving.get(self.name) is self

    @property
    def is_retired(self) -> bool:
        """Whether it neither serves nor is about to."""
        return not self.serves and not _finder.is_loading(self)

    @property
    def trouble(self) -> str | None:
        """Why the directory is no package, if it is none."""
        try:
            os.listdir(self.directory)
        except OSError as error:
            return f"can't be read: {told(error)}"
        if os.path.join(self.directory, _PACKAGE) in self.files:
            return None
        return f"there is no {_PACKAGE}, which makes a directory a package"

    def load(self, fullname: str = "") -> ModuleType:
        """Imports one of its modules, or the package itself.

        Raises:
            BaseException: whatever its code raises; `told` puts it into words.
        """
        return importlib.import_module(fullname or self.root)

    def find(self, fullname: str) -> ModuleSpec | None:
        """How to import a module of it; ``None`` where it is no Python source."""
        place = os.path.join(self.directory, *fullname[len(self.root) + 1 :].split("."))
        for path, inside in ((os.path.join(place, _PACKAGE), [place.rstrip(os.sep)]), (f"{place}.py", None)):
            if path in self.files or os.path.isfile(path):
                loader = _Loader(self, fullname, path)
                return spec_from_file_location(fullname, path, loader=loader, submodule_search_locations=inside)
        return None

    def stable(self, text: str) -> str:
        """A text without what tells this generation from others."""
        return text.replace(self.root, f"{DIRECTORIES}.{self.name}")

    def told(self, error: BaseException) -> str:
        """What an exception says, and the file and the line of this directory where it arose."""
        if isinstance(error, SyntaxError) and error.filename in self.files:
            return f"{type(error).__name__}: {error.msg} ({error.filename}, line {error.lineno})"
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename in self.files]
        place = f" ({frames[-1].filename}, line {frames[-1].lineno})" if frames else ""
        return self.stable(told(error)) + place

    def take_over(self) -> None:
        """From now on the namespace's name stands for this code. Calls of what served before go on with their own."""
        _finder.serving[self.name] = self

    def door(self, fullname: str) -> Door:
        """What stands for a module of it that it holds itself."""
        return Door(fullname, partial(_module_of, ref(self), fullname))


@contextmanager
def loading(name: str, directory: str) -> Iterator[Generation]:
    """The code of ``directory`` as it is now, to be loaded in the block; there, doors lead to it.

    It is forgotten at the end, unless it took over; until then nobody else notices it. One block runs at a time in the
    process: others wait, for as long as imports take. Whatever is raised in the block passes.
    """
    with _finder.lock:
        importlib.invalidate_caches()
        generation = Generation(name, directory)
        token = _loading.set(generation)
        _finder.begin(generation)
        try:
            yield generation
        finally:
            _loading.reset(token)
            _finder.end(generation)


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

    def __init__(self, generation: Generation, fullname: str, path: str) -> None:
        super().__init__(fullname, path)
        self.generation = generation

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """A module that believes in the name that it shares with those of other generations."""
        return Disguised(self.generation.stable(spec.name))

    def exec_module(self, module: ModuleType) -> None:
        """Executes it. It may look for itself under its stable name, so there is a door."""
        generation, name = self.generation, self.name
        _finder.door(generation.stable(name))
        generation.modules[name] = module
        try:
            super().exec_module(module)
        except BaseException:
            del generation.modules[name]
            raise
        if generation.is_retired:
            sys.modules[name] = generation.door(name)

    def get_code(self, fullname: str) -> CodeType:
        """What the source compiles to, never from a file of bytecode."""
        code: CodeType = self.source_to_code(self.get_data(self.path), self.path)
        return code

    def get_source(self, fullname: str) -> str:
        """The source as the generation has it, by whichever name: tracebacks ask by the stable one."""
        return decode_source(self.get_data(self.path))

    def get_data(self, path: str) -> bytes:
        """The source as the generation has it; any other file as it is now."""
        if path != self.path:
            return super().get_data(path)
        return self.generation.files.read(path).data

    def code(self) -> Code:
        """The code for the versions of operations, in the form of `rave_core.versions.stamp`."""
        source = self.generation.files.read(self.path)
        return Code(self.path, blake2b(source.data, digest_size=20).digest(), source.mtime_ns)


class _DoorLoader(Loader):
    """Puts a door into `sys.modules` where there was none."""

    def create_module(self, spec: ModuleSpec) -> None:
        """The usual module, which does not stay."""

    def exec_module(self, module: ModuleType) -> None:
        """Replaces it, if there is something behind the door."""
        name = module.__name__
        if _finder.module(name, True) is None:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        del sys.modules[name]
        _finder.door(name)


def _module_of(generation: ref[Generation], fullname: str, _: bool) -> ModuleType | None:
    found = generation()
    return found.modules.get(fullname) if found is not None else None


class _Finder:
    """Finds the modules of all generations that anybody still uses.

    Attributes:
        lock: of whoever loads.
        serving: the generation that a namespace's name stands for.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.serving: dict[str, Generation] = {}
        self._candidates: dict[str, Generation] = {}
        self._known: WeakValueDictionary[str, Generation] = WeakValueDictionary()
        os.register_at_fork(after_in_child=self._after_fork)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """How to import what lies below `DIRECTORIES`."""
        if not fullname.startswith(f"{DIRECTORIES}."):
            return None
        root = ".".join(fullname.split(".", 2)[:2])
        generation = self._known.get(root)
        if generation is not None:
            return generation.find(fullname)
        if "@" in root or self.current(root.partition(".")[2]) is None:
            return None
        return ModuleSpec(fullname, _DoorLoader(), is_package=True)

    def current(self, name: str) -> Generation | None:
        """The generation of a namespace that loads in this context, else the one that serves, else one that loads."""
        here = _loading.get()
        if here is not None and here.name == name:
            return here
        return self.serving.get(name) or self._candidates.get(name)

    def begin(self, generation: Generation) -> None:
        """Finds modules of ``generation`` from now on."""
        if self not in sys.meta_path:
            sys.meta_path.insert(0, self)
        parent = sys.modules.setdefault(DIRECTORIES, ModuleType(DIRECTORIES))
        parent.__path__ = []
        self._known[generation.root] = generation
        self._candidates[generation.name] = generation

    def is_loading(self, generation: Generation) -> bool:
        """Whether it has begun, and not come to its end."""
        return self._candidates.get(generation.name) is generation

    def end(self, generation: Generation) -> None:
        """Lets go of what does not serve.

        Code that is still in use, such as by a call, can go on importing from itself, so its modules can't be taken
        out of `sys.modules` before it is gone; but they can be replaced by doors, which do not keep it.
        """
        name, parent = generation.name, vars(sys.modules[DIRECTORIES])
        self._candidates.pop(name, None)
        serving = self.serving.get(name)
        for full, module in sys.modules.copy().items():
            root = full.removeprefix(f"{DIRECTORIES}.").partition(".")[0]
            if not full.startswith(f"{DIRECTORIES}.{name}") or root.partition("@")[0] != name:
                continue
            owner = self._known.get(f"{DIRECTORIES}.{root}")
            if self._leads_nowhere(full, root, serving if root == name else owner):
                sys.modules.pop(full, None)
                parent.pop(root, None)
            elif owner is not None and owner is not serving and type(module) is not Door:
                owner.modules.setdefault(full, module)
                sys.modules[full] = owner.door(full)
                parent.pop(root, None)

    def _leads_nowhere(self, full: str, root: str, generation: Generation | None) -> bool:
        return generation is None or f"{generation.root}{full[len(DIRECTORIES) + 1 + len(root) :]}" not in sys.modules

    def door(self, stable: str) -> None:
        """Sees to it that there is a door of that name."""
        door = sys.modules.setdefault(stable, Door(stable, partial(self.module, stable)))
        _, name, *inner = stable.split(".")
        if not inner:
            setattr(sys.modules[DIRECTORIES], name, door)

    def module(self, stable: str, is_import: bool) -> ModuleType | None:
        """The module that a stable name stands for here and now, imported if ``is_import`` says so and it is not.

        Raises:
            BaseException: whatever its import raises.
        """
        _, name, *inner = stable.split(".")
        generation = self.current(name)
        if generation is None:
            return None
        full = ".".join((generation.root, *inner))
        return sys.modules.get(full) or (importlib.import_module(full) if is_import else None)

    def _after_fork(self) -> None:
        self.lock = threading.RLock()
        self._candidates.clear()


_numbers = itertools.count(1)
_loading: ContextVar[Generation | None] = ContextVar("rave_loading", default=None)
_finder = _Finder()
