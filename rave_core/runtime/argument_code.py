"""Code in arguments: what a call's functions do, and what the classes of its objects do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from hashlib import blake2b
from types import FunctionType

from rave_core.functions.naming import file_of
from rave_core.versions.file_contents import contents
from rave_core.versions.guards import Guards
from rave_core.versions.source.bytecode import code_digest
from rave_core.versions.source.closure import Closure, ClosureRequest, closure_of

_MAX_KNOWN = 4096


class ArgumentCode:
    """Digests of functions and classes with all that they reach; each is determined once per epoch."""

    def __init__(self, request_of: Callable[[object, str], ClosureRequest | None]) -> None:
        """Makes an empty one; ``request_of`` says how to follow a thing for an operation of a package, if at all."""
        self._request_of = request_of
        self._known: dict[tuple[int, str], tuple[object, Closure | None]] = {}
        self._latest: dict[tuple[str, str, str], int] = {}

    def clear(self) -> None:
        """Forgets all digests, because code was loaded or run again."""
        self._known.clear()
        self._latest.clear()

    def digest(self, things: Iterable[object], home: str, *, has_classes: bool = True) -> str:
        """A digest of functions and classes in any order; empty if there is nothing to say.

        Args:
            things: the functions and classes found in arguments.
            home: the top-level package of the operation.
            has_classes: whether classes count; functions always do, because they are values.
        """
        digests = sorted({closure.digest for closure in self._closures(things, home, has_classes)})
        return blake2b(b"".join(digests), digest_size=20).hexdigest() if digests else ""

    def nodes(self, things: Iterable[object], home: str, *, has_classes: bool = True) -> Mapping[str, str]:
        """What counts of functions and classes, by label; see `Closure`. Its arguments are those of `digest`."""
        found: dict[str, str] = {}
        for closure in self._closures(things, home, has_classes):
            found |= closure.nodes
        return found

    def _closures(self, things: Iterable[object], home: str, has_classes: bool) -> list[Closure]:
        kinds = (FunctionType, type) if has_classes else (FunctionType,)
        found = [self._closure(thing, home) for thing in things if isinstance(thing, kinds)]
        return [closure for closure in found if closure is not None]

    def _closure(self, thing: object, home: str) -> Closure | None:
        known = self._known.get((id(thing), home))
        if known is not None and known[0] is thing and (known[1] is None or known[1].guards.hold()):
            return known[1]
        request = self._request_of(thing, home)
        closure = _followed(thing, request) if request is not None else None
        if len(self._known) >= _MAX_KNOWN:
            self.clear()
        self._forget_former(thing, home)
        self._known[id(thing), home] = thing, closure
        return closure

    def _forget_former(self, thing: object, home: str) -> None:
        """Forgets what had the same name before, so that edits keep no old code alive."""
        name = (str(thing.__module__), str(getattr(thing, "__qualname__", "")), home)
        if "<" in name[1]:  # lambdas, and what functions make: many are alive under one name
            return
        former = self._latest.get(name)
        if former is not None:
            self._known.pop((former, home), None)
        self._latest[name] = id(thing)


def _followed(thing: object, request: ClosureRequest) -> Closure:
    try:
        return closure_of(request)
    except Exception:  # noqa: BLE001  # third-party code failed: the nearest code counts instead
        return Closure(_near(thing), {}, {}, Guards())


def _near(thing: object) -> bytes:
    """The content of the file in which something was defined, or its bytecode."""
    if isinstance(thing, FunctionType):
        return code_digest(thing.__code__).encode()
    try:
        path = file_of(thing)  # type: ignore[arg-type]  # a class, which has a file too
        return blake2b(contents.read(path)[0], digest_size=20).digest() if path is not None else b"no file"
    except OSError:
        return b"no file"
