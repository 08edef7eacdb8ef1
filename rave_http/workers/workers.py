"""The workers of the service as one of them sees them: it asks them, and tells them what has changed."""

from __future__ import annotations

from typing import Any, Final

from rave_core.runtime.runtime import Runtime
from rave_http.workers.peers import Answers, QuestionHandler, WorkerRPC
from rave_http.workers.statistics_report import StatisticsReport

_FORGET: Final = "forget"


class Workers:
    """All workers, this one too. For its event loop alone.

    Attributes:
        statistics: what all of them counted.
    """

    def __init__(self, rpc: WorkerRPC, statistics: StatisticsReport, runtime: Runtime) -> None:
        """Has the memory of ``runtime`` forget what other workers say has changed."""
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

    async def ask(self, question: str, *, timeout: float = 2.0, **facts: Any) -> Answers:
        """Asks all workers; see `WorkerRPC.ask`."""
        return await self._rpc.ask(question, timeout=timeout, **facts)

    async def forget(self, prefix: str) -> None:
        """Has the other workers forget what their memory holds under keys that start with ``prefix``: it changed."""
        await self._rpc.ask(_FORGET, prefix=prefix, by=self._rpc.name)

    async def open(self) -> None:
        """Starts to answer other workers.

        Raises:
            OSError: the run directory is gone.
        """
        await self._rpc.open()
        await self.statistics.open()

    async def close(self) -> None:
        """Stops to answer, after a moment for answers under way; twice is no error."""
        await self._rpc.close()

    async def _forget(self, facts: dict[str, Any]) -> bool:
        if facts["by"] != self._rpc.name:
            for cache in (self._runtime.cache, self._runtime.products):
                cache.drop(str(facts["prefix"]))
        return True
