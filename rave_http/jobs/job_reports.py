"""Reports of jobs: counts in the metrics, and the events ``job.started|finished|failed|cancelled``."""

from __future__ import annotations

from typing import Any

from rave_core.events import Events
from rave_core.model import Outcome
from rave_http.jobs.job import Job
from rave_http.workers.metrics import End, Metrics


class JobReports:
    """Counts and publishes what happens to the jobs of a worker. No call waits."""

    def __init__(self, metrics: Metrics, events: Events) -> None:
        self._metrics = metrics
        self._events = events

    def queued(self, job: Job) -> None:
        """A job waits for its place."""
        self._metrics.computation_queued(job.name)

    def started(self, job: Job) -> None:
        """A job got its place."""
        self._metrics.computation_started(job.name)
        self._publish("job.started", job)

    def ended(self, job: Job, outcome: Outcome[Any] | None) -> None:
        """A job ended; without an ``outcome`` it was interrupted, was ``cancelled``, or has ``failed``."""
        seconds = None if job.began is None or job.ended is None else job.ended - job.began
        end = _end(job, outcome)
        self._metrics.computation_ended(job.name, seconds, end)
        if outcome is not None:
            self._publish("job.finished", job, seconds=seconds, status=outcome.status.value)
        elif job.failed is not None and job.cancelled is None:
            self._publish("job.failed", job, seconds=seconds, problem=job.failed.slug, detail=job.failed.detail)
        elif end == "cancelled":
            self._publish("job.cancelled", job, seconds=seconds)

    def _publish(self, topic: str, job: Job, **facts: object) -> None:
        if self._events.is_heard(topic):
            namespace, _, operation = job.name.partition("/")
            data = {"namespace": namespace, "operation": f"{namespace}/{operation}", "key": job.key, **facts}
            self._events.publish(topic, data)


def _end(job: Job, outcome: Outcome[Any] | None) -> End:
    if outcome is not None:
        return "finished"
    if job.cancelled is not None and not job.cancelled.is_cancelled:
        return "skipped"  # the worker in which it failed counts that, and publishes it
    if job.cancelled is not None or job.failed is None:
        return "cancelled"
    return "failed" if job.failed.is_failure else "finished"  # a refusal is an answer
