"""A cell that is one call of an operation."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from rave_core.errors import Signal
from rave_core.operations.operation import BoundOperation, Operation

_TAKER: Final = "__rave_call__"


class NotOneCall(Signal):
    """A cell is not one call of an operation."""


@dataclass(frozen=True, slots=True)
class CellCall:
    """An operation, and what a cell would call it with.

    Attributes:
        operation: or one that is bound to an object.
        args, kwargs: its arguments, which were computed.
    """

    operation: Operation[..., Any] | BoundOperation[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]

    @classmethod
    def of(cls, tree: ast.Module, names: Mapping[str, Any]) -> CellCall:
        """The call that a cell consists of. Its arguments are computed, and the operation is not called.

        Args:
            tree: of the cell.
            names: what names in it mean.

        Raises:
            NotOneCall: it is none.
            Exception: what computing an argument raises.
        """
        found = tree.body[0].value if len(tree.body) == 1 and isinstance(tree.body[0], ast.Expr) else None
        call = found.value if isinstance(found, ast.Await) else found
        if not isinstance(call, ast.Call):
            raise NotOneCall("the cell is not one call of an operation, such as top(n=5)")
        operation = _value(call.func, names)
        if not isinstance(operation, (Operation, BoundOperation)):
            raise NotOneCall(f"{ast.unparse(call.func)[:80]} is no operation")
        taken = ast.copy_location(ast.Name(_TAKER, ast.Load()), call.func)
        args, kwargs = _value(ast.copy_location(ast.Call(taken, call.args, call.keywords), call), names)
        return cls(operation, args, kwargs)


def _value(expression: ast.expr, names: Mapping[str, Any]) -> Any:
    code = compile(ast.Expression(expression), "<cell>", "eval")
    return eval(code, {**names, _TAKER: lambda *args, **kwargs: (args, kwargs)})  # noqa: S307  # the user's own code
