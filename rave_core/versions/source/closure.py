"""The closure of an operation: one digest of everything of the project that it reaches, as it is loaded now."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import FunctionType, ModuleType
from typing import Any, TypeAlias

from rave_core.errors import UnknownNameError
from rave_core.model import Kind, OperationSpec
from rave_core.versions.guards import Guards
from rave_core.versions.source import imports
from rave_core.versions.source.chains import own_attributes
from rave_core.versions.source.classes import describe_class
from rave_core.versions.source.converted import NotLookedUp, put_converters
from rave_core.versions.source.functions import describe_function
from rave_core.versions.source.guarded_names import guards_of
from rave_core.versions.source.held_code import add_held
from rave_core.versions.source.load_effects import add_load_effects
from rave_core.versions.source.loaded_source import sources
from rave_core.versions.source.locality import Locality, Place
from rave_core.versions.source.modules import describe_module
from rave_core.versions.source.named_values import describe_named
from rave_core.versions.source.operations import instance_of, operation_in
from rave_core.versions.source.receivers import add_receivers
from rave_core.versions.source.values import describe_value
from rave_core.versions.source.walk import DocsRead, Presumed, TooLarge, Walk

_MOST_WALKS = 6

Answer: TypeAlias = Callable[[OperationSpec], bytes | None]
"""The version of an operation that another one calls; ``None`` to follow its code instead."""


@dataclass(frozen=True, slots=True)
class ClosureRequest:
    """What to find the closure of.

    Attributes:
        roots: functions, classes, modules or values that are reached.
        names: dotted names that are.
        files: paths of files whose content counts.
        ignore: names that are not followed.
        locality: what counts as the project's.
        answer: see `Answer`.
        unknown: names of converters that do not exist.
        is_captured_in_key: whether the values that the first root captured are in the key of each call.
    """

    roots: Sequence[Any]
    names: Sequence[str] = ()
    files: Sequence[str] = ()
    ignore: frozenset[str] = frozenset()
    locality: Locality = field(default_factory=Locality)
    answer: Answer = lambda _: None
    unknown: frozenset[str] = frozenset()
    is_captured_in_key: bool = False


@dataclass(frozen=True, slots=True)
class Closure:
    """What an operation reaches.

    Attributes:
        digest: of all of it.
        nodes: from labels (``module:qualname``, ``module.NAME``, ``package NAME``) to digests, values or releases.
        untracked: what does not count, or only coarsely, and why.
        guards: what may change without notice.
        packages: releases of the installed packages that are reached, by name, whether they count or not.
    """

    digest: bytes
    nodes: Mapping[str, str]
    untracked: Mapping[str, str]
    guards: Guards
    packages: Mapping[str, str] = field(default_factory=dict)


def closure_of(request: ClosureRequest) -> Closure:
    """The closure of a request. Runs none of the code. One thread at a time; others wait.

    Raises:
        Exception: third-party code can't be inspected; the caller goes on without a closure.
    """
    unknown: set[str] = set()
    while True:
        try:
            with sources.lock:
                return _closure_of(replace(request, unknown=frozenset(unknown)))
        except NotLookedUp as needed:  # which may import modules: another thread may import them, and wait for the lock
            try:
                _ = needed.converter.resolved
            except UnknownNameError:
                unknown.add(needed.converter.name)


def _closure_of(request: ClosureRequest) -> Closure:
    try:
        walk = _settled(request, reads_docs=False)
    except DocsRead:  # raised where it is found out: a whole walk costs as much as the version
        walk = _settled(request, reads_docs=True)
    sources.save()
    return Closure(walk.digest(), walk.nodes, walk.untracked, guards_of(walk, walk.state()), walk.packages)


def _settled(request: ClosureRequest, *, reads_docs: bool) -> Walk:
    """The walk that found nothing by which an earlier part of it would have counted otherwise.

    Raises:
        DocsRead: docstrings were not to count, and reached code reads some.
    """
    presumed = Presumed(reads_docs=reads_docs)
    try:
        for _ in range(_MOST_WALKS):
            walk = _walked(request, presumed, request.locality)
            found = Presumed(walk.state(), walk.attributes | presumed.attributes, reads_docs)
            if _holds(walk, found):
                break
            presumed = found
    except TooLarge:
        return _whole_modules(request)
    return walk


def _holds(walk: Walk, found: Presumed) -> bool:
    """Whether the walk needs no repetition: no place that is written to counted by value."""
    return walk.remembered.isdisjoint(found.attributes) and walk.by_value.isdisjoint(found.state)


def _walked(request: ClosureRequest, presumed: Presumed, locality: Locality) -> Walk:
    walk = Walk(locality, presumed, request.ignore, request.unknown)
    for root in request.roots:
        walk.refer(root, "root")
    _more(walk, request)
    is_root = True
    while True:
        while (following := walk.next()) is not None:
            _describe(walk, *following, request, is_root=is_root)
            is_root = False
        walk.go_on_from_root()
        if add_receivers(walk) or add_load_effects(walk):
            continue
        if not walk.later and not add_held(walk):
            return walk
        state = walk.state()
        for _ in range(len(walk.later)):
            describe_named(walk, walk.later.popleft(), state)


def _more(walk: Walk, request: ClosureRequest) -> None:
    """Adds what the author names in addition to the function."""
    for name in request.names:
        walk.put("depends on", name)
        first, *rest = name.split(".")
        for end in range(len(rest) + 1, 0, -1):
            module = ".".join([first, *rest[: end - 1]])
            spec = imports.find_spec(module)
            if spec is not None:
                imports.follow_import(walk, 0, module, ".".join(rest[end - 1 :]), "", {})
                break
        else:
            walk.tell(name, "there is no module of that name")
    for path in request.files:
        try:
            with open(path, "rb") as file:
                walk.put("file", file.read())
        except OSError as error:
            walk.put("no file")
            walk.tell(path, f"it can't be read: {error.strerror}")


def _describe(walk: Walk, value: Any, label: str, request: ClosureRequest, *, is_root: bool) -> None:
    spec = operation_in(value)
    if spec is not None:
        _operation(walk, value, spec, request)
    elif isinstance(value, FunctionType):
        walk.put("function")
        is_keyed = is_root and request.is_captured_in_key
        describe_function(walk, value, is_body=is_root or id(value) in walk.bodies, is_captured_in_key=is_keyed)
    elif isinstance(value, type):
        walk.put("class")
        describe_class(walk, value)
    elif isinstance(value, ModuleType):
        walk.put("a module")
        describe_module(walk, value)
    elif id(value) in walk.valued:
        walk.begin_node()
        describe_value(walk, value, label)
        walk.end_node(label)
    else:
        describe_value(walk, value, label)


def _operation(walk: Walk, value: Any, spec: OperationSpec, request: ClosureRequest) -> None:
    """Adds an operation that code refers to: by its own version, or like a helper."""
    instance = instance_of(value)
    if instance is not None:
        walk.refer(instance, spec.name)
    forms = {Kind.FILE: spec.mime_type, Kind.DIRECTORY: Kind.DIRECTORY.value}
    walk.put("operation", forms.get(spec.kind, ""))
    answer = request.answer(spec)
    if answer is not None:
        walk.put(spec.name, answer)
        walk.nodes[f"operation {spec.name}"] = answer.hex()[-12:]
        return
    put_converters(walk, spec)
    walk.bodies.add(id(spec.function))
    walk.refer(spec.function, spec.name)


def _whole_modules(request: ClosureRequest) -> Walk:
    """The closure by the graph of imports: whole modules, by their source."""
    walk = Walk(request.locality, Presumed(reads_docs=True), request.ignore, request.unknown)
    _more(walk, replace(request, roots=()))
    for root in request.roots:
        function = root if not isinstance(root, type) else next(iter(vars(root).values()), None)
        space = getattr(function, "__globals__", None) or own_attributes(root)
        name = space.get("__name__")
        walk.tell(f"module {name}", "more is reached than is followed one by one, so whole modules count")
        if isinstance(name, str) and request.locality.of_space(space) is Place.PROJECT:
            imports.follow_import(walk, 0, name, "", "", space)
    return walk
