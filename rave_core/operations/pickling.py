"""Operations on their way to other processes: by name where they can be imported there, else by value.

Plain pickle sends an operation by its name, as it sends a function. cloudpickle, which joblib's loky, Dask and Ray use,
sends what is defined in ``__main__`` by value, and so an operation too: its function, what its decorators say, and its
version as it is here. The other process has no source to find the version from, and would find another one.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from types import FrameType
from typing import TYPE_CHECKING, Any

from rave_core.errors import UnpicklableError
from rave_core.versions.annotations import Pinned

if TYPE_CHECKING:
    from rave_core.operations.operation import Operation

_MAINS = ("__main__", "__mp_main__")


def reduced(operation: Operation[..., Any]) -> str | tuple[Any, ...]:
    """What pickle is to write for an operation, in the form of ``__reduce_ex__``.

    Raises:
        UnpicklableError: plain pickle asks, and the operation can't be imported under its name.
        ConfigurationError: it goes by value, and the runtime in force can't tell its version.
    """
    function = operation.function
    pickler = _cloudpickle(sys._getframe(2))
    is_importable = _found(function.__module__, function.__qualname__) is operation
    if is_importable and (pickler is None or not _goes_by_value(function.__module__, pickler)):
        return function.__qualname__
    if pickler is None:
        raise UnpicklableError(
            f"{operation.spec.name} can't be pickled: {function.__module__}.{function.__qualname__} is something else; "
            "define it at the level of a module, under its own name, or use cloudpickle, as joblib and Dask do"
        )
    # The state goes after the object, so that a function may refer to its own operation.
    return _empty, (type(operation),), _state(operation)


def _state(operation: Operation[..., Any]) -> dict[str, Any]:
    spec, resolved = operation.spec, operation.resolved()
    return {
        "function": spec.function,
        "kind": spec.kind,
        "annotations": dict(spec.annotations),
        "name": spec.name,
        "version": Pinned(resolved.binder.version, resolved.version_note),
    }


def restore(operation: Operation[..., Any], state: Mapping[str, Any]) -> None:
    """Makes of an empty operation what ``state`` says."""
    from rave_core.operations.decorators import operation_of  # which makes operations, and so knows this module

    function = state["function"]
    vars(function).pop("__rave_notes__", None)  # all of them are in the state
    made = operation_of(function, kind=state["kind"], keywords=state["annotations"])
    vars(operation).update(vars(made))
    operation.spec = replace(made.spec, name=state["name"], version=state["version"])


def _empty(kind: type[Operation[..., Any]]) -> Operation[..., Any]:
    return kind.__new__(kind)


def _cloudpickle(frame: FrameType | None) -> Mapping[str, Any] | None:
    """The globals of the cloudpickle that asks, the original or a copy in another package; ``None`` for others.

    The pickler in C has no frame, so the first one outside of `pickle` is of whoever called its ``dump``.
    """
    while frame is not None and frame.f_globals.get("__name__") == "pickle":
        frame = frame.f_back
    name = frame.f_globals.get("__name__", "") if frame is not None else ""
    return frame.f_globals if frame is not None and "cloudpickle" in name.split(".") else None


def _goes_by_value(module: str, pickler: Mapping[str, Any]) -> bool:
    if module in _MAINS:
        return True
    registered = pickler.get("list_registry_pickle_by_value")
    return registered is not None and any(f"{module}.".startswith(f"{name}.") for name in registered())


def _found(module: str, qualname: str) -> object:
    found: Any = sys.modules.get(module)
    for name in qualname.split("."):
        found = getattr(found, name, None)
    return found
