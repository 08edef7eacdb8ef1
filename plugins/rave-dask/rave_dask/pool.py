"""The pool ``dask``, for `rave_core.map`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING

from rave_core import Answers, Pool, current_runtime
from rave_dask.cluster import Cluster, Run
from rave_dask.settings import DaskSettings
from rave_http.executors.remote import BodySender

if TYPE_CHECKING:
    from rave_core import Runtime, Settings
    from rave_core.model import Call, Progress
    from rave_http.executors.remote import RemoteBody


class DaskPool(Pool):
    """Hands batches of calls to a cluster, where each is one task."""

    def __init__(self, settings: Settings) -> None:
        """Connects in the background.

        Raises:
            ConfigurationError: a setting of ``[plugins.dask]`` is wrong.
        """
        self._settings = DaskSettings.of(settings)
        self.slots = self._settings.slots
        self._sender = BodySender(settings, settings.namespaces)
        self._cluster = Cluster(self._settings)

    def start(
        self,
        operation: str,
        calls: Sequence[Call],
        here: Callable[[], Answers],  # noqa: ARG002  # for pools of this process
    ) -> Future[Answers]:
        """Sends a batch, which a worker answers call by call."""
        runtime = current_runtime()
        remote = self._sender.pack_calls(operation, calls, runtime)
        return self._cluster.start(self._answered(operation, remote, runtime))

    def close(self) -> None:
        """Ends what still runs, and the connection."""
        self._cluster.close()

    async def _answered(self, name: str, remote: RemoteBody, runtime: Runtime) -> Answers:
        run = Run(remote, _ignore_progress, runtime.events.relay)
        answer = await self._cluster.run(run, self._settings.placement(name))
        return self._sender.settle_calls(name, runtime, answer)


def _ignore_progress(_operation: str, _progress: Progress) -> None:
    """A batch has no progress of its own: `rave_core.map` reports its results."""
