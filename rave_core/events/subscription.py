"""A subscription: a thread that calls one subscriber with the events that it asked for."""

from __future__ import annotations

import contextvars
import logging
import threading
from collections.abc import Callable
from typing import Self

from rave_core.errors import describe_error
from rave_core.events.event import Event, Loss
from rave_core.events.mailbox import Mailbox

_log = logging.getLogger("rave.events")
_AT_ONCE = 100


class Subscription:
    """One subscriber. Its callback runs in a thread of its own, one event at a time, in the order of arrival.

    A callback that raises costs its subscriber that event only: the error is logged, and the next event comes. As a
    context manager it is closed at the end of the block. Safe for many threads.

    Attributes:
        failures: how often the callback raised.
    """

    def __init__(
        self,
        callback: Callable[[Event], object],
        on_lost: Callable[[Loss], object] | None,
        queue: int,
        leave: Callable[[Subscription], None],
    ) -> None:
        """Calls ``leave`` when it is closed; the other arguments are those of `Events.subscribe`."""
        self.failures = 0
        self._callback = callback
        self._on_lost = on_lost if on_lost is not None else self._log_loss
        self._leave = leave
        self._context = contextvars.copy_context()
        self._is_closed = False
        self._news = threading.Event()
        self.mailbox: Mailbox[Event] = Mailbox(queue, self._news.set)
        name = getattr(callback, "__qualname__", type(callback).__name__)
        self._name = f"rave events of {name}"
        self._thread = threading.Thread(target=self._context.run, args=(self._run,), name=self._name, daemon=True)
        self._thread.start()

    @property
    def lost(self) -> int:
        """How many events it lost, as far as that is known."""
        return self.mailbox.lost

    def close(self) -> None:
        """Ends the subscription: no callback starts any more; one under way is not awaited. Twice is harmless."""
        if not self._is_closed:
            self._is_closed = True
            self._leave(self)
            self._news.set()

    def _run(self) -> None:
        while not self._is_closed:
            self._news.wait()
            self._news.clear()
            while not self._is_closed:
                events, losses = self.mailbox.take(_AT_ONCE)
                if not events and not losses:
                    break
                for loss in losses:
                    self._call(self._on_lost, loss)
                for event in events:
                    self._call(self._callback, event)

    def _call(self, callback: Callable[..., object], news: Event | Loss) -> None:
        if self._is_closed:
            return
        try:
            callback(news)
        except (Exception, SystemExit) as error:  # noqa: BLE001  # a subscriber may raise anything, and costs only itself
            self.failures += 1
            if self.failures == 1:
                _log.exception("%s failed; later failures of it are logged in one line", self._name)
            else:
                _log.warning("%s failed: %s", self._name, describe_error(error))

    def _log_loss(self, loss: Loss) -> None:
        count = "some" if loss.count is None else str(loss.count)
        _log.warning("%s lost %s events: %s", self._name, count, loss.reason)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
