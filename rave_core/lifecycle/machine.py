"""The state machine of everything that starts and stops."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from rave_core.errors import LifecycleError


class State(StrEnum):
    """A state of a `Lifecycle`."""

    INIT = "init"
    READY = "ready"
    ACTIVE = "active"
    TERMINATED = "terminated"
    ERROR = "error"


_STEPS: Final[Mapping[str, tuple[State, State]]] = MappingProxyType(
    {
        "initialize": (State.INIT, State.READY),
        "activate": (State.READY, State.ACTIVE),
        "deactivate": (State.ACTIVE, State.READY),
        "terminate": (State.READY, State.TERMINATED),
    }
)
"""The events, each with the state in which it may come, and the state to which it leads."""


class Lifecycle:
    """``INIT → READY → ACTIVE → READY → TERMINATED``, by ``initialize``, ``activate``, ``deactivate``, ``terminate``.

    An event in any other state leads to ``ERROR``, and so does an exception of a handler; nothing leads out of it. Safe
    for many threads: a second event waits until the first one's handler returns.
    """

    def __init__(
        self,
        name: str,
        handlers: Mapping[str, Callable[[], object]] = MappingProxyType({}),
        on_change: Callable[[State], object] = str,
    ) -> None:
        """Begins in ``INIT``.

        Args:
            name: for messages.
            handlers: what an event calls before the state changes, by the name of the event.
            on_change: called after each change with the new state; it must not raise an exception.
        """
        self._name = name
        self._handlers = handlers
        self._on_change = on_change
        self._lock = threading.RLock()
        self._state = State.INIT

    @property
    def state(self) -> State:
        """The present state."""
        return self._state

    def initialize(self) -> None:
        """``INIT → READY``; errors as those of `enter`."""
        self.enter("initialize")

    def activate(self) -> None:
        """``READY → ACTIVE``; errors as those of `enter`."""
        self.enter("activate")

    def deactivate(self) -> None:
        """``ACTIVE → READY``; errors as those of `enter`."""
        self.enter("deactivate")

    def terminate(self) -> None:
        """``READY → TERMINATED``; errors as those of `enter`."""
        self.enter("terminate")

    def enter(self, event: str) -> None:
        """Lets an event happen: calls its handler, then changes the state.

        Raises:
            LifecycleError: the event may not come in this state.
            BaseException: whatever the handler raises.
        """
        with self._lock:
            before, after = _STEPS[event]
            if self._state is not before:
                was = self._state
                self._change(State.ERROR)
                raise LifecycleError(f"{self._name} can't {event}: it is {was}; expected {before}")
            try:
                self._handlers.get(event, lambda: None)()
            except BaseException:
                self._change(State.ERROR)
                raise
            self._change(after)

    def fail(self) -> None:
        """Leads to ``ERROR`` from any state."""
        with self._lock:
            self._change(State.ERROR)

    def _change(self, state: State) -> None:
        self._state = state
        self._on_change(state)
