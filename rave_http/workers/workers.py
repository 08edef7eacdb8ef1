"""The workers of the service from the view of one of them, which asks the others and notifies them of changes."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from rave_core.runtime.runtime import Runtime
from rave_http.workers.peers import Answers, QuestionHandler, WorkerRPC
from rave_http.workers.statistics_report import StatisticsReport

_FORGET: Final = "forget"


class Workers:
    """All workers, including this one. For its event loop alone.

    Attributes:
        statistics: those of all workers.
    """

    def __init__(self, rpc: WorkerRPC, statistics: StatisticsReport, runtime: Runtime) -> None:
        """Makes the memory of ``runtime`` forget what other workers report as changed."""
        self.statistics = statistics
        self._rpc = rpc
        self._runtime = runtime
        rpc.answer(_FORGET, self._forget)

    @property
    def name(self) -> str:
        """The name of this worker."""
        return self._rpc.name

    def answer(self, question: str, responder: QuestionHandler) -> None:
        """Answers ``question``, whichever worker asks; see `WorkerRPC.answer`."""
        self._rpc.answer(question, responder)

    async def ask(
        self, question: str, *, timeout: float = 2.0, to: Collection[str] | None = None, **facts: Any
    ) -> Answers:
        """Asks all workers, or those in ``to``; see `WorkerRPC.ask`."""
        return await self._rpc.ask(question, timeout=timeout, to=to, **facts)

    async def forget(self, prefix: str) -> None:
        """Makes the other workers forget the results in memory under keys that start with ``prefix``: they changed."""
        await self._rpc.ask(_FORGET, prefix=prefix, by=self._rpc.name)

    async def open(self) -> None:
        """Starts answering other workers.

        Raises:
            OSError: the run directory is gone.
        """
        await self._rpc.open()
        await self.statistics.open()

    async def close(self) -> None:
        """Stops answering, after a moment for answers under way. Calling it twice is harmless."""
        await self._rpc.close()

    async def _forget(self, facts: dict[str, Any]) -> bool:
        if facts["by"] != self._rpc.name:
            for cache in (self._runtime.cache, self._runtime.products):
                cache.drop(str(facts["prefix"]))
        return True
