"""An operation that was looked up on an instance: a method."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar

from rave_core.model import Key, Options, Outcome

if TYPE_CHECKING:
    from rave_core.inspection import Explanation
    from rave_core.operation import Operation
    from rave_core.planning import Plan

P = ParamSpec("P")
R = TypeVar("R")


class BoundOperation(Generic[P, R]):
    """An operation that was looked up on an instance, which is its first argument."""

    def __init__(self, operation: Operation[Any, R], instance: Any) -> None:
        functools.update_wrapper(self, operation)
        self.operation = operation
        self.instance = instance
        self.spec = operation.spec
        self.function = functools.partial(operation.function, instance)
        self.__signature__ = operation._bound_signature

    def __reduce__(self) -> tuple[Any, ...]:
        return getattr, (self.instance, self.operation.function.__name__)

    def __call__(self, /, *args: P.args, **kwargs: P.kwargs) -> R:
        """As `Operation`."""
        return self.operation(self.instance, *args, **kwargs)

    def resolve(self, /, *args: P.args, **kwargs: P.kwargs) -> Outcome[R]:
        """As `Operation.resolve`."""
        return self.operation.resolve(self.instance, *args, **kwargs)

    def answering(self, options: Options) -> Callable[P, R]:
        """As `Operation.answering`."""
        return functools.partial(self.operation.answering(options), self.instance)

    def key(self, /, *args: P.args, **kwargs: P.kwargs) -> Key | None:
        """As `Operation.key`."""
        return self.operation.key(self.instance, *args, **kwargs)

    def invalidate(self, /, *args: P.args, **kwargs: P.kwargs) -> bool:
        """As `Operation.invalidate`."""
        return self.operation.invalidate(self.instance, *args, **kwargs)

    def explain(self, /, *args: P.args, **kwargs: P.kwargs) -> Explanation:
        """As `Operation.explain`."""
        return self.operation.explain(self.instance, *args, **kwargs)

    def plan(self, /, *args: P.args, **kwargs: P.kwargs) -> Plan:
        """As `Operation.plan`."""
        return self.operation.plan(self.instance, *args, **kwargs)
