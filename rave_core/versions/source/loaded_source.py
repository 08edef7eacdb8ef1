"""Loaded source: from code objects to the source they were compiled from, which its file may not hold any more."""

from __future__ import annotations

import linecache
import os
import sys
import threading
import weakref
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType
from typing import Any

from rave_core.versions.file_contents import contents
from rave_core.versions.loaded_files import State, loaded_files
from rave_core.versions.source.bytecode import code_digest, names_of_code
from rave_core.versions.source.facts import Definition, Facts
from rave_core.versions.source.facts_store import FactsStore

ALGORITHM = "source/8"
"""Part of every version and of the name of all facts; change it whenever what counts changes."""

_FILES, _CONTENTS = 4096, 2
"""Of how many files, and how many contents of each, facts are kept for code that is loaded later."""


@dataclass(frozen=True, slots=True)
class LoadedCode:
    """What is known of a code object.

    Attributes:
        definition: in normal form; where there is no source, by its bytecode.
        facts: of the source that it is in, or ``None``.
        has_changed: whether there is a source that differs from the loaded one.
    """

    definition: Definition
    facts: Facts | None
    has_changed: bool


class Sources:
    """The sources that this process has seen. Safe for many threads.

    Attributes:
        store: where facts are kept for other processes; ``None`` for nowhere.
        lock: held while sources are inspected.
    """

    def __init__(self) -> None:
        self.store: FactsStore | None = None
        self._facts: weakref.WeakValueDictionary[tuple[bytes, bool], Facts] = weakref.WeakValueDictionary()
        self._latest: OrderedDict[str, tuple[Facts, ...]] = OrderedDict()
        self._codes: dict[int, tuple[weakref.ref[CodeType], LoadedCode]] = {}
        self.lock = threading.RLock()
        os.register_at_fork(after_in_child=self._after_fork)

    def facts_of(self, data: bytes, filename: str, *, is_cell: bool = False) -> Facts:
        """The facts of a source."""
        latest = self._latest.get(filename, ())
        if latest and latest[0].source is data and latest[0].is_cell == is_cell:  # each function of a file asks
            return latest[0]
        key = (blake2b(data, digest_size=16).digest(), is_cell)
        with self.lock:
            facts = self._facts.get(key)
            if facts is None:
                stored = self.store.read(_name(key)) if self.store is not None else {}
                facts = self._facts[key] = Facts(data, filename, is_cell, stored)
            self._keep(filename, facts)
            return facts

    def _keep(self, filename: str, facts: Facts) -> None:
        """Keeps the latest facts of a file. Earlier ones live as long as code that was loaded from them."""
        kept = self._latest.get(filename, ())
        if facts not in kept:
            self._latest[filename] = (facts, *kept)[:_CONTENTS]
        self._latest.move_to_end(filename)
        if len(self._latest) > _FILES:
            self._latest.popitem(last=False)

    def of_module(self, space: Mapping[str, Any]) -> Facts | None:
        """The facts of the source that a module was loaded from; ``None`` if there is none, or none known any more."""
        path = space.get("__file__")
        if not isinstance(path, str) or path.endswith((".so", ".pyd")):
            return None
        data = self._content(path, space, loaded_files.state(path, space))
        return self.facts_of(data, path) if data is not None else None

    def of_code(self, code: CodeType, space: Mapping[str, Any]) -> LoadedCode:
        """What a code object with the globals ``space`` is. The answer is the same for as long as the object lives."""
        known = self._codes.get(id(code))
        if known is not None and known[0]() is code:
            return known[1]
        loaded = self._find(code, space)
        with self.lock:
            number = id(code)
            self._codes[number] = weakref.ref(code, lambda _: self._codes.pop(number, None)), loaded
        return loaded

    def save(self) -> None:
        """Keeps new facts for other processes, and releases syntax trees."""
        with self.lock:
            for key, facts in list(self._facts.items()):
                facts.rest()
                if facts.has_news and self.store is not None:
                    facts.has_news = False
                    self.store.write(_name(key), facts.found)

    def _find(self, code: CodeType, space: Mapping[str, Any]) -> LoadedCode:
        has_changed = False
        for facts in self._candidates(code.co_filename, space):
            definition = facts.function(code)
            if definition is not None:
                return LoadedCode(definition, facts, has_changed=False)
            has_changed = has_changed or not facts.is_broken
        digest = f"{sys.implementation.cache_tag}:{code_digest(code)}"
        return LoadedCode(Definition(digest, "", "", names_of_code(code)), None, has_changed)

    def _candidates(self, filename: str, space: Mapping[str, Any]) -> Iterator[Facts]:
        """What a code object of that file may have been compiled from, the likeliest first."""
        data = self._content(filename, space)
        if data is not None:
            yield self.facts_of(data, filename)
        for earlier in contents.earlier(filename):
            yield self.facts_of(earlier, filename)
        entry: Any = linecache.cache.get(filename)
        if entry is not None and len(entry) > 2:
            yield self.facts_of("".join(entry[2]).encode(), filename, is_cell=entry[1] is None)

    def cell(self, name: str) -> Facts | None:
        """The facts of the latest cell in which a class of that name is defined; ``None`` if there is none."""
        for filename, entry in reversed(list(linecache.cache.items())):
            if len(entry) > 2 and entry[1] is None and any(f"class {name}" in line for line in entry[2]):
                return self.facts_of("".join(entry[2]).encode(), filename, is_cell=True)
        return None

    def _after_fork(self) -> None:
        self.lock = threading.RLock()  # which another thread of the parent may have held

    def _content(self, path: str, space: Mapping[str, Any], state: State | None = None) -> bytes | None:
        """The content of a file; in the state in which it was loaded, if that is given."""
        loader = space.get("__loader__")
        is_own = path in (space.get("__file__"), getattr(loader, "path", None))
        get_data = getattr(loader, "get_data", None)
        if is_own and type(loader) is not SourceFileLoader and get_data is not None:
            try:  # a snapshot, an archive: what the loader has is what was loaded
                return bytes(get_data(path))
            except Exception:  # noqa: BLE001, S110  # a third-party loader; the file may still be there
                pass
        try:
            if state is not None:
                return contents.in_state(path, state)
            return contents.read(path)[0] if not path.startswith("<") else None
        except OSError:
            return None


def _name(key: tuple[bytes, bool]) -> str:
    """The name of a source's facts: they depend on what this Python compiles the source to."""
    python = f"{ALGORITHM} {sys.implementation.cache_tag} {sys.flags.optimize} {key[1]}"
    return blake2b(key[0], digest_size=16, key=python.encode()[:64]).hexdigest()


sources = Sources()
"""Those of this process: code is one for all its runtimes."""


def keep_facts_in(directory: Path) -> None:
    """Keeps facts in ``directory``, for other processes of this user."""
    if sources.store is None or sources.store.directory != directory:
        sources.store = FactsStore(directory)
