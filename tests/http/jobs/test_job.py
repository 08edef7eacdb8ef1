"""A job as its requests see it."""

from __future__ import annotations

import asyncio
import threading
from types import SimpleNamespace
from typing import Any

from rave_http.jobs.job import Job


def counted(*answers: bool) -> list[str]:
    """The keys that are recorded when two ask at once, where the record is written with these results."""
    asked: list[str] = []
    lock = threading.Lock()

    def begin(key: str, seconds: float) -> bool:
        with lock:
            asked.append(key)
            return answers[len(asked) - 1]

    async def both() -> None:
        call: Any = SimpleNamespace(key=SimpleNamespace(text="lab/square/1/2"))
        unused: Any = None
        job = Job("lab/square", unused, unused, call, unused, 0.0)
        await asyncio.gather(job.count(begin), job.count(begin))

    asyncio.run(both())
    return asked


def test_a_run_counts_once_though_two_record_it() -> None:
    """Its start and its first ticket may coincide; counted twice, one death would look like two."""
    assert counted(True, True) == ["lab/square/1/2"]


def test_a_run_counts_once_there_is_a_ticket() -> None:
    """Where the start comes before the ticket, the ticket records it."""
    assert counted(False, True) == ["lab/square/1/2"] * 2


def test_a_body_begins_after_the_ticket_that_is_being_written() -> None:
    """It may kill the process at once; a death that no ticket records would not count."""
    order: list[str] = []
    is_written, is_asked = threading.Event(), threading.Event()

    def give() -> Any:
        is_asked.set()
        is_written.wait(10)
        order.append("ticket")
        return SimpleNamespace(created_at=1.0)

    def begin(key: str, seconds: float) -> bool:
        order.append("body")
        return True

    async def both() -> None:
        call: Any = SimpleNamespace(key=SimpleNamespace(text="lab/square/1/2"))
        unused: Any = None
        job = Job("lab/square", unused, unused, call, unused, 0.0)
        promise = asyncio.create_task(job.promise(give, begin))
        await asyncio.to_thread(is_asked.wait, 10)
        assert job.is_promised
        body = asyncio.create_task(job.count(begin))
        await asyncio.sleep(0.05)
        is_written.set()
        await asyncio.gather(promise, body)
        assert (job.promised_at, job.is_counted) == (1.0, True)

    asyncio.run(both())
    assert order == ["ticket", "body"]
