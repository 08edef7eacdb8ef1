"""An operation in a pool."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Generic, ParamSpec, TypeVar

from rave_core.operations.pools import Batch, Pool, shared_pool

if TYPE_CHECKING:
    from rave_core.engine.execution import ResolvedOperation
    from rave_core.model import Call

P = ParamSpec("P")
R = TypeVar("R")


class Elsewhere(Generic[P, R]):
    """Sends calls of an operation to a pool, from any thread. Made by `Operation.on`."""

    def __init__(self, resolved: Callable[[], ResolvedOperation], bind: Callable[P, Call], pool: str | Pool) -> None:
        self._resolved = resolved
        self._bind = bind
        self._pool = pool

    def submit(self, /, *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        """One call, begun now unless its result is kept. The future has what it gives, or its exception.

        Raises:
            ConfigurationError: there is no such pool, or a setting of it is wrong.
            ArgumentError: the arguments do not fit.
            OptionError: the body is a coroutine function.
        """
        pool = shared_pool(self._pool) if isinstance(self._pool, str) else self._pool
        batch = Batch(pool, self._resolved(), [self._bind(*args, **kwargs)])
        future: Future[R] = _Single(batch)
        if batch.running is None:
            _settle(future, batch)
        else:
            batch.running.add_done_callback(lambda _: _settle(future, batch))
        return future


class _Single(Future[R]):
    """The future of one call. Cancelling it ends the call, as far as its pool can."""

    def __init__(self, batch: Batch) -> None:
        super().__init__()
        self._batch = batch

    def cancel(self) -> bool:
        """Whether the call had not ended."""
        is_cancelled = super().cancel()
        if is_cancelled:
            self._batch.cancel()
        return is_cancelled


def _settle(future: Future[R], batch: Batch) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(next(batch.values()))
    except BaseException as error:  # noqa: BLE001  # it belongs to whoever waits
        future.set_exception(error)
