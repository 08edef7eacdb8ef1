"""What is counted and published of a job that ended."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from rave_core.model import PLAIN
from rave_http.jobs.job import Job
from rave_http.jobs.job_reports import JobReports
from rave_http.jobs.tickets import CANCELLED, Failed
from rave_http.workers.metrics import Metrics

FAILURE = Failed(slug="operation-failed", detail="ValueError: no luck", at=0.0)
REFUSAL = Failed(slug="refused", detail="not today", at=0.0)
STOPPED = Failed(slug=CANCELLED, detail="enough", at=0.0, by="ann")


def ended(*, failed: Failed | None = None, cancelled: Failed | None = None) -> tuple[list[str], list[str]]:
    """Which metrics count a job that ended without an outcome, and the topics of what is published of its end."""
    metrics, topics = Metrics(), list[str]()
    metrics.export(["lab/fails"])
    events: Any = SimpleNamespace(is_heard=lambda _: True, publish=lambda topic, _: topics.append(topic))

    async def run() -> None:
        call: Any = SimpleNamespace(key=SimpleNamespace(text="lab/fails/1/2"))
        unused: Any = None
        job, reports = Job("lab/fails", unused, unused, call, PLAIN, 0.0), JobReports(metrics, events)
        reports.queued(job)
        job.began, job.ended, job.failed, job.cancelled = 1.0, 2.0, failed, cancelled
        reports.started(job)
        topics.clear()
        reports.ended(job, None)

    asyncio.run(run())
    text = metrics.exposition("")[0].decode()
    ends = ("finished", "failed", "cancelled", "skipped")
    return [each for each in ends if f'rave_computations_{each}_total{{operation="lab/fails"}} 1.0' in text], topics


@pytest.mark.parametrize(
    ("failed", "cancelled", "counted", "topics"),
    [
        (FAILURE, None, "failed", ["job.failed"]),
        (REFUSAL, None, "finished", ["job.failed"]),
        (STOPPED, STOPPED, "cancelled", ["job.cancelled"]),
        (None, None, "cancelled", ["job.cancelled"]),
        (FAILURE, FAILURE, "skipped", []),
        (REFUSAL, REFUSAL, "skipped", []),
    ],
    ids=["failed", "refused", "cancelled", "interrupted", "failed-elsewhere", "refused-elsewhere"],
)
def test_an_end_counts_once_where_it_came_about(
    failed: Failed | None, cancelled: Failed | None, counted: str, topics: list[str]
) -> None:
    """A worker that only heard of a failure counts no further one, nor publishes it."""
    assert ended(failed=failed, cancelled=cancelled) == ([counted], topics)
