"""A small application in an envelope, with everything that operators see of it."""

from __future__ import annotations

import asyncio
import logging
import os
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import msgspec

from rave_core.errors import UnknownNameError
from rave_core.telemetry.statistics import Statistics
from rave_http.asgi.access_log import AccessLog
from rave_http.asgi.outer_middleware import OuterMiddleware
from rave_http.protocol.tracing import traceparent
from rave_http.workers.metrics import Metrics
from rave_http.workers.peers import WorkerRPC
from rave_http.workers.run_directory import RunDirectory
from rave_http.workers.statistics_report import StatisticsReport


class Observed:
    """Answers by the path; every answer tells which process gave it."""

    def __init__(self) -> None:
        run_directory = RunDirectory(Path(os.environ["PROMETHEUS_MULTIPROC_DIR"]).parent)
        self.metrics = Metrics(run_directory)
        self.metrics.export(["flow/top"])
        self.statistics = Statistics.install()
        self.rpc = WorkerRPC(run_directory, f"worker-{os.getpid()}")
        self.report = StatisticsReport(self.rpc, run_directory)
        self.rpc.answer("sync", lambda _facts: self.metrics.sync())
        self.access_log = AccessLog.of(os.environ.get("ACCESS_LOG", ""))

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Answers one request, or opens and closes."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        await receive()
        facts = {name: values[0] for name, values in parse_qs(scope["query_string"].decode()).items()}
        answer = getattr(self, "answer_" + scope["path"].strip("/").replace("/", "_").replace("-", ""))
        status, body = 200, b""
        try:
            found = await answer(scope, facts)
            body = found if isinstance(found, bytes) else msgspec.json.encode(found)
        except UnknownNameError as error:
            status, body = 404, str(error).encode()
        headers = [(b"content-length", str(len(body)).encode()), (b"x-pid", str(os.getpid()).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _live(self, receive: Any, send: Any) -> None:
        await receive()
        await self.rpc.open()
        await self.report.open()
        self.metrics.ready(is_ready=True)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.rpc.close()
        self.metrics.sync()
        if self.access_log is not None:
            await asyncio.to_thread(self.access_log.close)
        await send({"type": "lifespan.shutdown.complete"})

    async def answer_flow_top(self, scope: dict[str, Any], facts: dict[str, str]) -> str:
        """An operation; what it finds in the cache is part of the query."""
        note = scope["rave"]
        note.operation, note.cache = "flow/top", facts.get("cache", "hit")
        self.statistics.record("flow/top")["Hits"] += self.statistics.namespace["Enabled"]
        self.statistics.count("Stored Bytes", 100)
        return "done"

    async def answer__metrics(self, scope: dict[str, Any], facts: dict[str, str]) -> bytes:
        """The metrics of all workers."""
        await self.rpc.ask("sync")
        body, _ = await asyncio.to_thread(self.metrics.exposition, facts.get("accept", ""))
        return body

    async def answer__statistics(self, scope: dict[str, Any], facts: dict[str, str]) -> Any:
        """The statistics of all workers."""
        return await self.report.document()

    async def answer__pause(self, scope: dict[str, Any], facts: dict[str, str]) -> None:
        """Pauses statistics everywhere."""
        await self.report.pause(facts["name"])

    async def answer__resume(self, scope: dict[str, Any], facts: dict[str, str]) -> None:
        """Resumes statistics everywhere."""
        await self.report.resume(facts["name"])

    async def answer_wait(self, scope: dict[str, Any], facts: dict[str, str]) -> None:
        """Takes longer than any client of a test waits."""
        await asyncio.Event().wait()

    async def answer_fail(self, scope: dict[str, Any], facts: dict[str, str]) -> None:
        """Fails."""
        raise ZeroDivisionError("a mistake")

    async def answer_trace(self, scope: dict[str, Any], facts: dict[str, str]) -> str:
        """The trace as the body of an operation sees it."""
        return await asyncio.to_thread(traceparent)


def create() -> OuterMiddleware:
    """The application, made in the worker."""
    logging.basicConfig()  # RAVE's own loggers write nothing unless somebody says where to
    inner = Observed()
    return OuterMiddleware(inner, metrics=inner.metrics, access_log=inner.access_log)
