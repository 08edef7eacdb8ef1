"""Reports of jobs: counts in the metrics, and the events ``job.started|finished|failed|cancelled``."""

from __future__ import annotations

from typing import Any

from rave_core.events import Events
from rave_core.model import Outcome
from rave_http.jobs.job import Job
from rave_http.workers.metrics import Metrics


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
        """A job ended; without an ``outcome`` it was cancelled, or has ``failed``."""
        seconds = None if job.began is None or job.ended is None else job.ended - job.began
        is_failed = outcome is None and (job.failed is None or job.failed.is_failure)
        is_cancelled = outcome is None and job.cancelled is not None and not is_failed
        self._metrics.computation_ended(job.name, seconds, failed=is_failed, cancelled=is_cancelled)
        if outcome is not None:
            self._publish("job.finished", job, seconds=seconds, status=outcome.status.value)
        elif job.failed is not None and job.cancelled is None:
            self._publish("job.failed", job, seconds=seconds, problem=job.failed.slug, detail=job.failed.detail)
        elif not is_failed:  # the process in which it failed has published that
            self._publish("job.cancelled", job, seconds=seconds)

    def _publish(self, topic: str, job: Job, **facts: object) -> None:
        if self._events.is_heard(topic):
            namespace, _, operation = job.name.partition("/")
            data = {"namespace": namespace, "operation": f"{namespace}/{operation}", "key": job.key, **facts}
            self._events.publish(topic, data)
