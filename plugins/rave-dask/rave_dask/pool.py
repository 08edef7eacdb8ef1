"""The pool ``dask``, for `rave_core.map`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING

from rave_core import Answers, Pool, current_runtime
from rave_core.errors import RaveError
from rave_dask.cluster import Cluster
from rave_dask.retries import is_worth_another_run
from rave_dask.run import Run
from rave_dask.settings import DaskSettings, Placement
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
        return self._cluster.start(self._answered(operation, calls, remote, runtime))

    def close(self) -> None:
        """Ends what still runs, and the connection."""
        self._cluster.close()

    async def _answered(self, name: str, calls: Sequence[Call], remote: RemoteBody, runtime: Runtime) -> Answers:
        """What the calls give; those that failed run again, as batches of their own, if the operation has retries."""
        placement = self._settings.placement(name)
        answers = await self._once(calls, remote, placement, runtime)
        for _ in range(placement.retries):
            failed = [place for place, (_, error) in enumerate(answers.results) if is_worth_another_run(error)]
            if not failed:
                break
            again = [calls[place] for place in failed]
            remote = await asyncio.to_thread(self._sender.pack_calls, name, again, runtime)
            answers = _mended(answers, failed, await self._once(again, remote, placement, runtime))
        return answers

    async def _once(self, calls: Sequence[Call], remote: RemoteBody, placement: Placement, runtime: Runtime) -> Answers:
        try:
            answer = await self._cluster.run(Run(remote, _ignore_progress, runtime.events.relay), placement)
        except RaveError as error:
            if not is_worth_another_run(error):
                raise
            return Answers([(None, error)] * len(calls), 0.0)
        return self._sender.settle_calls(remote.operation, runtime, answer)


def _mended(answers: Answers, places: Sequence[int], again: Answers) -> Answers:
    """The answers to a batch, with those of another run in their places."""
    results = list(answers.results)
    for place, result in zip(places, again.results, strict=True):
        results[place] = result
    return Answers(results, answers.seconds + again.seconds)


def _ignore_progress(_operation: str, _progress: Progress) -> None:
    """A batch has no progress of its own: `rave_core.map` reports its results."""
