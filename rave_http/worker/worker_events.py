"""The events of one worker: their way to the other workers, and those of namespaces."""

from __future__ import annotations

from collections.abc import Iterable

from rave_core.runtime.event_bus import LOCAL
from rave_core.runtime.runtime import Runtime
from rave_http.namespaces.live_catalog import NamespaceState
from rave_http.workers.peer_bus import PeerBus
from rave_http.workers.workers import Workers


class WorkerEvents:
    """What a worker does for events, beside publishing its own."""

    def __init__(self, runtime: Runtime, workers: Workers) -> None:
        self._runtime = runtime
        self._workers = workers
        self._bus: PeerBus | None = None

    async def open(self, states: Iterable[NamespaceState]) -> None:
        """Connects the events of the workers, unless a bus does that, and publishes which namespaces there are."""
        if self._runtime.settings.events == LOCAL:
            self._bus = PeerBus(self._workers, self._runtime.events)
            self._runtime.events.attach(self._bus)
            await self._bus.refresh()
        for state in states:
            self.publish(state)

    async def announce(self) -> None:
        """Tells the other workers whether this one has subscribers, if that changed; afterwards they know."""
        if self._bus is not None:
            await self._bus.refresh()

    def publish(self, state: NamespaceState) -> None:
        """Publishes that a namespace was loaded or ended, or that its latest code was refused. From any thread."""
        data = {"namespace": state.name, "generation": state.generation, "operations": len(state.operations)}
        topic = "namespace.gone" if state.is_gone else "namespace.failed" if state.error else "namespace.loaded"
        self._runtime.events.publish(topic, {**data, "error": state.error} if state.error else data)
