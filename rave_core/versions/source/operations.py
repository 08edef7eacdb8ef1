"""Operations that code refers to."""

from __future__ import annotations

from typing import Any

from rave_core.model import OperationSpec


def operation_in(value: object) -> OperationSpec | None:
    """The description of an operation, bound to an instance or not; ``None`` for anything else."""
    if not str(type(value).__module__).startswith("rave_core.operations."):  # some in C say nothing of it
        return None
    spec = vars(value).get("spec")
    return spec if isinstance(spec, OperationSpec) else None


def instance_of(value: object) -> Any:
    """What an operation is bound to; ``None`` for one that is not."""
    return vars(value).get("instance")
