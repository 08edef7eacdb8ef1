"""Finding an operation by its name."""

from __future__ import annotations

from typing import Any

from rave_core.operations.operation import Operation
from rave_core.runtime.runtime import current_runtime


def find_operation(name: str) -> Operation[..., Any]:
    """The operation that a namespace exports as ``namespace/operation``, as ``rave run`` finds it.

    Namespaces are those that are installed, and the directories of the setting ``namespaces``. Each call loads them:
    keep what it gives.

    Raises:
        UnknownNameError: there is none; the message names the nearest one and any problem of its namespace.
    """
    from rave_core.operations.catalog import Catalog  # most programs never ask by name

    found: Operation[..., Any] = Catalog.installed(current_runtime().settings.namespaces).find(name)
    return found
