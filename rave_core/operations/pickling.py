"""Pickles operations for other processes: by name if they can be imported there, else by value.

Plain pickle sends an operation by its name, as it sends a function. cloudpickle, which joblib's loky, Dask and Ray use,
sends what is defined in ``__main__`` by value. For an operation, that is its function, its annotations and its
version here. The other process has no source to determine the version from, and would find another one.
"""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import FrameType
from typing import TYPE_CHECKING, Any, Self, TypeAlias, TypeVar

from rave_core.errors import UnpicklableError
from rave_core.model import OperationSpec
from rave_core.versions.annotations import Pinned

if TYPE_CHECKING:
    from rave_core.engine.execution import ResolvedOperation

T = TypeVar("T")
Build: TypeAlias = Callable[..., Any]
"""Builds the operation of the same function again, with other ``annotations``."""
_MAINS = ("__main__", "__mp_main__")


class Picklable(ABC):
    """Lets an operation be pickled and copied. A copy of an operation is the operation itself.

    Attributes:
        spec, function: as those of `Operation`.
    """

    spec: OperationSpec
    function: Callable[..., Any]
    _build: Build

    @abstractmethod
    def resolved(self) -> ResolvedOperation:
        """The operation resolved for the current runtime."""

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, _memo: object) -> Self:
        return self

    def __reduce_ex__(self, _protocol: object) -> str | tuple[object, ...]:
        name = reference(self, self.function, self.spec.name)
        if name is not None:
            return name
        resolved = self.resolved()
        version = Pinned(resolved.binder.version, resolved.version_note)
        # The state goes after the object, so that a function may refer to its own operation.
        return _empty, (type(self),), (self._build, dict(self.spec.annotations), self.spec.name, version)

    def __setstate__(self, state: tuple[Build, dict[str, Any], str, Pinned]) -> None:
        build, annotations, name, version = state
        made = build(annotations=annotations)
        vars(self).update(vars(made))
        self.spec = replace(made.spec, name=name, version=version)


def _empty(kind: type[T]) -> T:
    return kind.__new__(kind)


def reference(operation: object, function: Callable[..., object], name: str) -> str | None:
    """The name under which pickle writes an operation; ``None`` if it writes the parts instead.

    Called by the operation's ``__reduce_ex__``.

    Args:
        operation: the operation itself.
        function: what it was made of.
        name: its own, for messages.

    Raises:
        UnpicklableError: plain pickle asks, and the operation can't be imported under its name.
    """
    pickler = _cloudpickle(sys._getframe(2))
    is_importable = _found(function.__module__, function.__qualname__) is operation
    if is_importable and (pickler is None or not _goes_by_value(function.__module__, pickler)):
        return function.__qualname__
    if pickler is None:
        raise UnpicklableError(
            f"{name} can't be pickled: {function.__module__}.{function.__qualname__} is something else; "
            "define it at the level of a module, under its own name, or use cloudpickle, as joblib and Dask do"
        )
    return None


def _cloudpickle(frame: FrameType | None) -> Mapping[str, object] | None:
    """The globals of the cloudpickle that asks (the original or a vendored copy); ``None`` for other picklers.

    The C pickler has no frame, so the first frame outside of `pickle` is the caller of its ``dump``.
    """
    while frame is not None and frame.f_globals.get("__name__") == "pickle":
        frame = frame.f_back
    name = frame.f_globals.get("__name__", "") if frame is not None else ""
    return frame.f_globals if frame is not None and "cloudpickle" in name.split(".") else None


def _goes_by_value(module: str, pickler: Mapping[str, object]) -> bool:
    if module in _MAINS:
        return True
    registered = pickler.get("list_registry_pickle_by_value")
    return callable(registered) and any(f"{module}.".startswith(f"{name}.") for name in registered())


def _found(module: str, qualname: str) -> object:
    found: object = sys.modules.get(module)
    for name in qualname.split("."):
        found = getattr(found, name, None)
    return found
