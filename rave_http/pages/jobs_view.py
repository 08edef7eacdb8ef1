"""The page of jobs: what is being made, how far it is, and what can be stopped."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from rave_core.text.humanize import span
from rave_http.pages.job_timeline import LANE, JobRun, timeline_of
from rave_http.pages.templating import page
from rave_http.protocol.responses import Page

_MOODS: Final = {"made": "good", "failed": "bad", "cancelled": "warn"}


@dataclass(frozen=True, slots=True, kw_only=True)
class JobCard:
    """A job as the page shows it.

    Attributes:
        operation: ``namespace/operation``.
        key: of its product; empty if that is not kept.
        url: of the page about its product; empty likewise.
        status: ``making`` or ``queued``.
        arguments: in short.
        user: who asked for it first; empty if that is unknown.
        created: Unix seconds at which it was first asked for.
        progress: ``done``, ``total`` and ``text``; ``None`` while nothing is reported.
        is_yours: whether the client waits for it.
        may_cancel: whether the client may stop it.
        worker: the one that runs it; empty while none does.
        began: Unix seconds at which it did; ``None`` likewise.
    """

    operation: str
    key: str
    url: str
    status: str
    arguments: str
    user: str
    created: float
    progress: Mapping[str, Any] | None
    is_yours: bool
    may_cancel: bool
    worker: str = ""
    began: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedJob:
    """A job that has ended, as the page shows it.

    Attributes:
        operation: ``namespace/operation``.
        url: of the page about its product.
        change: of the form of the operation, filled in as it was asked.
        state: ``made``, ``failed`` or ``cancelled``.
        detail: how it failed, or who cancelled it; empty for a job that made its product.
        arguments: in short.
        ended: Unix seconds.
        seconds: from its request to its end.
        worker: the one that ran it last; empty if that is not recorded.
        began: Unix seconds at which it did; ``None`` likewise.
    """

    operation: str
    url: str
    change: str
    state: str
    detail: str
    arguments: str
    ended: float
    seconds: float
    worker: str = ""
    began: float | None = None


def jobs_page(
    jobs: Sequence[JobCard],
    *,
    ended: Sequence[EndedJob] = (),
    base: str,
    now: float,
    is_for_all: bool,
    silent: Mapping[str, str],
    said: str = "",
    is_part: bool = False,
) -> Page:
    """The page of jobs.

    Args:
        jobs: the jobs, in their order.
        ended: those that have ended, the latest first.
        base: the prefix of every link.
        now: Unix seconds.
        is_for_all: whether those of all users are shown.
        silent: workers whose jobs are left out, and why.
        said: what became of the job that was stopped; empty for nothing.
        is_part: whether it is for a page that is there already, and changes itself.
    """
    rows = [_row(job, now) for job in jobs]
    done = [(job, span(max(0.0, now - job.ended)), span(job.seconds), _MOODS[job.state]) for job in ended]
    facts = {
        "jobs": rows,
        "ended": done,
        "is_for_all": is_for_all,
        "silent": dict(silent),
        "said": said,
        "is_part": is_part,
    }
    return page("jobs.html", base=base, timeline=timeline_of(_runs(jobs, ended), now), lane=LANE, **facts)


def _every(jobs: Sequence[JobCard], ended: Sequence[EndedJob]) -> Iterator[JobCard | EndedJob]:
    yield from jobs
    yield from ended


def _runs(jobs: Sequence[JobCard], ended: Sequence[EndedJob]) -> list[JobRun]:
    """What is known of when and where they ran."""
    return [
        JobRun(
            worker=job.worker,
            operation=job.operation,
            url=job.url,
            state="making" if isinstance(job, JobCard) else job.state,
            began=job.began,
            ended=None if isinstance(job, JobCard) else job.ended,
        )
        for job in _every(jobs, ended)
        if job.worker and job.began is not None
    ]


def _row(job: JobCard, now: float) -> dict[str, Any]:
    progress = job.progress or {}
    total = progress.get("total")
    return {
        "operation": job.operation,
        "key": job.key,
        "url": job.url,
        "status": job.status,
        "arguments": job.arguments,
        "user": job.user,
        "worker": job.worker,
        "age": span(max(0.0, now - job.created)),
        "share": min(1.0, max(0.0, float(progress["done"]) / float(total))) if total else None,
        "text": progress.get("text") or "",
        "is_yours": job.is_yours,
        "may_cancel": job.may_cancel,
    }
