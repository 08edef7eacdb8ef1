"""The walk from an operation's function to everything of the project that it reaches: a worklist, without recursion.

Each object is described once, in the order of discovery, and referred to by its number. So cycles are harmless, and
the digest holds no path, line, module name or `id`.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.machinery import ModuleSpec
from types import FunctionType
from typing import Any, TypeAlias

from rave_core.errors import Signal
from rave_core.fingerprint.encoder import encode
from rave_core.versions.guards import AwaitedModule
from rave_core.versions.loaded_files import loaded_files, state_of
from rave_core.versions.source.facts import Definition, Facts
from rave_core.versions.source.led_by_text import LED_BY_TEXT
from rave_core.versions.source.loaded_source import ALGORITHM, sources
from rave_core.versions.source.locality import Locality, Place
from rave_core.versions.source.tokens import Tokens, digest_of

MAX_OBJECTS = 2000
"""The maximum number of objects followed one by one; beyond it, whole modules count."""
SCALARS = frozenset({type(None), bool, int, float, complex, str, bytes, type(...), type(NotImplemented)})

_LONG = 200

Place_: TypeAlias = tuple[int, str]
"""The ``id`` of a namespace and a name in it; for an object, its ``id`` and an empty text."""


@lru_cache(1 << 13)
def _text(value: str) -> bytes:
    """The encoding of a short text: one walk after the other meets the same ones."""
    return encode(value)


class TooLarge(Signal):
    """The code reaches more than is followed one by one."""


class DocsRead(Signal):
    """Reached code reads docstrings, so those of all that is reached count."""


@dataclass(slots=True)
class Presumed:
    """The findings of an earlier walk that decide how a later one counts.

    Attributes:
        state: places that reached code writes to at call time, with the writer.
        attributes: all attribute names that are used on what is known only when it runs.
        reads_docs: whether any reached code reads docstrings; a walk that finds it out ends with `DocsRead`.
    """

    state: dict[Place_, str] = field(default_factory=dict)
    attributes: set[str] = field(default_factory=set)
    reads_docs: bool = False


@dataclass(frozen=True, slots=True)
class BoundName:
    """A value under a name of a module, inspected after all code is known."""

    space: dict[str, Any]
    name: str
    value: Any
    label: str


@dataclass(slots=True, eq=False)
class Walk:
    """One walk. Used by one thread.

    Attributes:
        locality: what counts as the project's.
        presumed: what an earlier walk found.
        ignore: names that are not followed.
        unknown: names of converters that do not exist.
        nodes: from labels to short digests, or to short values.
        untracked: what is not followed, and why.
        attributes: names of attributes used on what is known only when it runs.
        files: facts of the files that were reached, with the names of their module.
        spaces: names of modules without a file that were reached.
        reached: the ``id`` of the names of each module whose code was reached.
        later: values to inspect once all code is known.
        named: what stood under names, as it counted.
        values: the numbers of values under names, in the order in which they were met.
        missing: names that had nothing under them, in modules without a file.
        remembered: methods that write attributes which counted by value, since nothing seemed to call them.
        done: what must be done only once.
        is_loading: whether what is followed ran only while modules loaded.
        making: the statements that make the value being inspected, and the names of their module.
        by_value: places of what counted by its value.
        valued: the ``id`` of each value that is a node of its own.
        extent: how many attributes and files there were when receivers were looked for.
        modules: facts by the ``id`` of the names of a module.
        bodies: the ``id`` of each function that is the body of an operation.
        packages: releases of the installed packages that were reached, by name.
        methods: the methods of classes, by the ``id`` of each.
        specs: how modules would be found, by name.
        classes: those of the project that were reached.
        held: state that may hold code, and its label.
        awaited: modules that are not loaded, by name.
        sought: names of modules whose load effects were looked for.
        quiet: functions, with the class of a method, that change no library: if they are called, and if they are used.
    """

    locality: Locality
    presumed: Presumed
    ignore: frozenset[str] = frozenset()
    unknown: frozenset[str] = frozenset()
    nodes: dict[str, str] = field(default_factory=dict)
    untracked: dict[str, str] = field(default_factory=dict)
    attributes: set[str] = field(default_factory=set)
    files: dict[str, tuple[Facts, dict[str, Any]]] = field(default_factory=dict)
    spaces: dict[int, dict[str, Any]] = field(default_factory=dict)
    reached: set[int] = field(default_factory=set)
    later: deque[BoundName] = field(default_factory=deque)
    named: dict[Place_, BoundName] = field(default_factory=dict)
    values: dict[Place_, int] = field(default_factory=dict)
    missing: dict[Place_, dict[str, Any]] = field(default_factory=dict)
    remembered: set[str] = field(default_factory=set)
    done: set[object] = field(default_factory=set)
    is_loading: bool = False
    making: tuple[Definition, dict[str, Any]] | None = None
    by_value: set[Place_] = field(default_factory=set)
    valued: set[int] = field(default_factory=set)
    bodies: set[int] = field(default_factory=set)
    extent: tuple[int, ...] = ()
    modules: dict[int, Facts | None] = field(default_factory=dict)
    packages: dict[str, str] = field(default_factory=dict)
    methods: dict[int, list[FunctionType]] = field(default_factory=dict)
    specs: dict[str, ModuleSpec | None] = field(default_factory=dict)
    classes: list[type] = field(default_factory=list)
    held: list[tuple[Any, str]] = field(default_factory=list)
    awaited: dict[str, AwaitedModule] = field(default_factory=dict)
    sought: set[str] = field(default_factory=set)
    quiet: tuple[set[tuple[int, int]], set[tuple[int, int]]] = field(default_factory=lambda: (set(), set()))
    _tokens: Tokens = field(default_factory=Tokens)
    _numbers: dict[int, int] = field(default_factory=dict)
    _queue: deque[tuple[Any, str]] = field(default_factory=deque)
    _kept: list[Any] = field(default_factory=list)
    _current: int = -1
    _edges: dict[int, set[int]] = field(default_factory=dict)
    _changes: dict[int, dict[Place_, str]] = field(default_factory=dict)
    _called: set[int] = field(default_factory=lambda: {-1})
    _newly_called: list[int] = field(default_factory=lambda: [-1])
    _places: dict[int, Place] = field(default_factory=dict)
    _state: dict[Place_, str] = field(init=False)
    _own: list[str | bytes | int] | None = None

    def __post_init__(self) -> None:
        self._state = dict(self.presumed.state)
        self.put(ALGORITHM, *(map(str, sys.version_info[:2]) if self.locality.python else ()))

    # Tokens --------------------------------------------------------------------------------------------------

    def put(self, *parts: str | bytes | int) -> None:
        """Adds parts to the digest."""
        self._tokens.put(*parts)
        if self._own is not None:
            self._own.extend(parts)

    def refer(self, value: Any, label: str) -> None:
        """Adds a value: a scalar as it is, anything else by its number, to be described in its turn."""
        if type(value) in SCALARS:
            self.put("v", _text(value) if type(value) is str and len(value) < _LONG else encode(value))
            return
        number = self._numbers.get(id(value))
        if number is None:
            number = self._numbers[id(value)] = len(self._numbers)
            if number > MAX_OBJECTS:
                raise TooLarge
            self._kept.append(value)
            self._queue.append((value, label))
        self._tokens.put("#", number)
        if self.is_loading:
            return
        if self._current not in self._called:
            self._edges.setdefault(self._current, set()).add(number)
        elif number not in self._called:
            self._called.add(number)
            self._newly_called.append(number)

    def is_known(self, value: object) -> bool:
        """Whether the walk has met an object already."""
        return id(value) in self._numbers

    def facts_of(self, space: dict[str, Any]) -> Facts | None:
        """The facts of a module's source, looked up once in a walk; ``None`` if it has none."""
        if id(space) not in self.modules:
            self.modules[id(space)] = sources.of_module(space)
            self.keep(space)
            self.put_if_replaced(space)
        return self.modules[id(space)]

    def place_of(self, space: Mapping[str, Any]) -> Place:
        """Whose code a module is, looked up once in a walk."""
        place = self._places.get(id(space))
        if place is None:
            self._kept.append(space)
            place = self._places[id(space)] = self.locality.of_space(space)
        return place

    def put_if_replaced(self, space: Mapping[str, Any]) -> bool:
        """Keeps results apart if the file of a module is not the one that was loaded, which is unknown; whether it did.

        A walk calls it where it would look at the whole file.
        """
        path = space.get("__file__")
        state = loaded_files.state(path, space) if isinstance(path, str) else None
        if not isinstance(path, str) or state is None or self.modules.get(id(space)) is not None:
            return False
        if state == state_of(path):
            return False
        self.put("replaced", *map(str, state))
        self.tell(f"module {space.get('__name__')}", "its file changed since it was loaded, so results are kept apart")
        return True

    def next(self) -> tuple[Any, str] | None:
        """The next object to describe, with its label; ``None`` if there is none now."""
        if not self._queue:
            return None
        value, label = self._queue.popleft()
        self._current = self._numbers[id(value)]
        self._tokens.put("node", self._current)
        return value, label

    def go_on_from_root(self) -> None:
        """Attributes everything referred to from now on to the operation as a whole."""
        self._current = -1

    def begin_node(self) -> None:
        """From now on parts are of one node, up to `end_node`."""
        self._own = []

    def end_node(self, label: str) -> None:
        """Names the node that began."""
        if self._own is not None:
            self.nodes[label] = digest_of(*self._own)[:12]
        self._own = None

    def digest(self) -> bytes:
        """The digest of all that was reached."""
        return self._tokens.digest()

    # What is said of it --------------------------------------------------------------------------------------

    def tell(self, what: str, why: str) -> None:
        """Notes what is not followed."""
        self.untracked.setdefault(what, why)

    def put_library(self, module: str, file: str | None = None, name: str = "") -> None:
        """Adds the origin of a name outside the project: a distribution with its release, or Python."""
        if (module, name) in LED_BY_TEXT:
            self.tell(f"{module.removeprefix('_')}.{name}", LED_BY_TEXT[module, name])
        place = self.locality.of(module, file)
        if place is Place.PACKAGE:
            name, release = self.locality.package(module)
            counted = release if self.locality.releases else ""
            self.put("package", name, counted)
            self.nodes[f"package {name}"] = counted
            self.packages[name] = release
        else:
            self.put(place, module.partition(".")[0] if place is not Place.PROJECT else "")

    # State ---------------------------------------------------------------------------------------------------

    def note_change(self, place: Place_, who: str, value: object = None) -> None:
        """Notes that the present node writes to a place whenever it is called."""
        self._kept.append(value)
        found = self._state if self._current in self._called else self._changes.setdefault(self._current, {})
        found.setdefault(place, who)

    def note_docs(self, reads_docs: bool) -> None:
        """Notes whether some reached code reads docstrings.

        Raises:
            DocsRead: it is the first, so the walk has to begin again.
        """
        if reads_docs and not self.presumed.reads_docs:
            raise DocsRead

    def note_value(self, place: Place_) -> None:
        """Notes that the content of a place counted by value."""
        self.by_value.add(place)

    def state(self) -> dict[Place_, str]:
        """The places that reached code writes to at call time; what runs only while modules load does not count."""
        while self._newly_called:
            number = self._newly_called.pop()
            for place, who in self._changes.pop(number, {}).items():
                self._state.setdefault(place, who)
            new = self._edges.pop(number, set()) - self._called
            self._called |= new
            self._newly_called += new
        return self._state

    def keep(self, value: object) -> None:
        """Keeps an object alive, so that its ``id`` stays its own."""
        self._kept.append(value)
