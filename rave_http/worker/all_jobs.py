"""The jobs of all workers: lists them, and stops one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import msgspec

from rave_core.clock import Clock
from rave_core.model import Key
from rave_http.auth.asker import Asker
from rave_http.description.request_arguments import Asked
from rave_http.jobs.failures import cancelled_by
from rave_http.jobs.followers import Followers
from rave_http.jobs.job import Job, progress_document
from rave_http.jobs.jobs import Jobs
from rave_http.jobs.tickets import Failed, Tickets
from rave_http.namespaces.exported import ExportedOperation
from rave_http.worker.job_status import JobStatuses, State
from rave_http.workers.peers import Answers
from rave_http.workers.workers import Workers

STOPPING: Final = 1.5
"""Seconds in which a job has to end to count as ended."""

_ANSWER: Final = 2.0


class Stopped(StrEnum):
    """What became of a job that somebody wanted to stop."""

    ENDED = "ended"
    """Nothing makes the product any more."""
    ASKED = "asked"
    """The job is cancelled, but its body runs until it next reports progress, or to its end; its result is dropped."""
    LEFT = "left"
    """Others wait for it, so it goes on without the one who wanted to stop it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedJob:
    """A job, in whichever workers it is.

    Attributes:
        key: the text of its key; ``None`` if it has none.
        operation: ``namespace/operation``.
        status: ``making`` or ``queued``.
        progress: ``done``, ``total`` and ``text``; ``None`` while nothing is reported.
        user: who asked for it first: ``-`` if that user was anonymous, ``None`` if the service did.
        created: Unix seconds at which its product was first requested.
        started: Unix seconds at which this job was, in the first of the workers.
        arguments: in short.
        askers: who waits for it.
        worker: the one that runs its body; empty while none does.
        began: Unix seconds at which it got its place there; ``None`` likewise.
    """

    key: str | None
    operation: str
    status: str
    progress: Mapping[str, Any] | None
    user: str | None
    created: float
    started: float
    arguments: str
    askers: frozenset[Asker]
    worker: str = ""
    began: float | None = None


class _Remaining(msgspec.Struct, frozen=True):
    """What is left of a job in one worker after an asker withdrew.

    Attributes:
        jobs: how many jobs there are.
        others: how many others wait for them.
        asked: the call as it was written, if there is a job.
    """

    jobs: int
    others: int
    asked: Asked | None


class AllJobs:
    """The jobs of all workers, from one of them. For its event loop alone."""

    def __init__(
        self,
        workers: Workers,
        jobs: Jobs,
        followers: Followers,
        tickets: Tickets,
        statuses: JobStatuses,
        clock: Clock,
    ) -> None:
        """Answers the other workers for this one.

        Args:
            workers: all of them.
            jobs: those of this worker.
            followers: who asks this worker for products.
            tickets: record what was cancelled, for every worker and host.
            statuses: give the status of products.
            clock: the source of time.
        """
        self._workers = workers
        self._jobs = jobs
        self._followers = followers
        self._tickets = tickets
        self._statuses = statuses
        self._clock = clock
        workers.answer("jobs", self._own)
        workers.answer("withdraw", self._withdraw)
        workers.answer("cancel", self._cancel)

    async def listed(self) -> tuple[list[ListedJob], dict[str, str]]:
        """All jobs, the oldest first, and the workers that did not answer, with the reason."""
        answers = await self._workers.ask("jobs", timeout=_ANSWER)
        found: dict[object, ListedJob] = {}
        for each in (msgspec.convert(job, ListedJob) for jobs in answers.values() for job in jobs):
            slot: object = each.key if each.key is not None else object()
            found[slot] = _merged(found[slot], each) if slot in found else each
        return sorted(found.values(), key=lambda job: job.created), answers.silent

    async def stop(self, key: Key, exported: ExportedOperation, asker: Asker) -> Stopped | None:
        """Stops the job of a key, unless others wait for it. Returns what became of it; ``None`` if there is no job.

        Args:
            key: whose product is being made.
            exported: the operation that it belongs to.
            asker: who does not want it any more.
        """
        answers = await self._workers.ask("withdraw", timeout=_ANSWER, key=key.text, asker=msgspec.to_builtins(asker))
        remaining = [msgspec.convert(answer, _Remaining) for answer in answers.values()]
        if any(each.others for each in remaining):
            return Stopped.LEFT
        asked = next((each.asked for each in remaining if each.asked is not None), None)
        if asked is None:
            place = await self._statuses.locate(key, exported)
            if place.state is not State.ORPHANED or place.ticket is None:
                return Stopped.LEFT if place.state is State.MAKING else None
            asked = place.ticket.asked
        ended = await self._ended(key, asked, asker)
        if ended is not Stopped.LEFT and (await self._statuses.locate(key, exported)).is_awaited:
            return Stopped.LEFT  # another process waited for it, and makes it now
        return Stopped.ASKED if ended is Stopped.ENDED and answers.silent else ended

    async def _ended(self, key: Key, asked: Asked, asker: Asker) -> Stopped:
        """Cancels the jobs of a key in all workers. The record comes first: no worker resumes what it says is over."""
        failed = cancelled_by(asker, self._clock.now())
        ticket = await asyncio.to_thread(self._tickets.cancel, key.text, asked, failed)
        facts = {"key": key.text, "failed": msgspec.to_builtins(failed), "asker": msgspec.to_builtins(asker)}
        answers = await self._workers.ask("cancel", timeout=_ANSWER + STOPPING, **facts)
        ended = _worst(answers)
        if ended is Stopped.LEFT:  # somebody came just now
            await asyncio.to_thread(self._tickets.reopen, ticket)
        return ended

    def _own(self, _: dict[str, Any]) -> list[dict[str, Any]]:
        return [msgspec.to_builtins(self._listed(job)) for job in self._jobs]

    def _listed(self, job: Job) -> ListedJob:
        is_here = job.is_running and not job.is_elsewhere and job.began is not None
        return ListedJob(
            key=job.key,
            operation=job.name,
            status=job.status,
            progress=None if job.progress is None else progress_document(job.progress),
            user=None if job.user is None else job.user.name,
            created=job.started_at if job.promised_at is None else job.promised_at,
            started=job.started_at,
            arguments=short_arguments(job.asked),
            askers=frozenset(job.askers),
            worker=self._workers.name if is_here else "",
            began=self._clock.now() - (self._clock.monotonic() - (job.began or 0.0)) if is_here else None,
        )

    def _withdraw(self, facts: dict[str, Any]) -> dict[str, Any]:
        key, asker = str(facts["key"]), msgspec.convert(facts["asker"], Asker)
        jobs = self._jobs.of(key)
        self._followers.forget(key, asker)
        for job in jobs:
            job.askers.discard(asker)
        remaining = _Remaining(len(jobs), len(self._wanted_by(key, jobs)), jobs[0].asked if jobs else None)
        found: dict[str, Any] = msgspec.to_builtins(remaining)
        return found

    def _wanted_by(self, key: str, jobs: Iterable[Job]) -> frozenset[Asker]:
        return self._followers.of(key).union(*(job.askers for job in jobs))

    async def _cancel(self, facts: dict[str, Any]) -> str:
        key, failed = str(facts["key"]), msgspec.convert(facts["failed"], Failed)
        jobs, asker = self._jobs.of(key), msgspec.convert(facts["asker"], Asker)
        if self._wanted_by(key, jobs) - {asker}:
            return Stopped.LEFT
        ends = await asyncio.gather(*(self._jobs.cancel(job, failed, STOPPING) for job in jobs))
        return Stopped.ENDED if all(ends) else Stopped.ASKED


def short_arguments(asked: Asked) -> str:
    """The arguments of a call, for people."""
    given = asked.document if asked.document is not None else dict(asked.texts)
    return ", ".join(f"{name}={str(value)[:60]}" for name, value in given.items())[:200]


def _merged(one: ListedJob, other: ListedJob) -> ListedJob:
    """A job that several workers have: one makes it, and the others wait for that."""
    first, later = sorted((one, other), key=lambda job: job.started)
    leading = next((each for each in (first, later) if each.status == "making" and each.progress), first)
    return ListedJob(
        key=first.key,
        operation=first.operation,
        status="making" if "making" in (first.status, later.status) else first.status,
        progress=leading.progress,
        user=first.user if first.user is not None else later.user,
        created=min(first.created, later.created),
        started=first.started,
        arguments=first.arguments,
        askers=first.askers | later.askers,
        worker=first.worker or later.worker,
        began=first.began if first.worker else later.began,
    )


def _worst(answers: Answers) -> Stopped:
    """What became of a job, from what became of it in each worker."""
    found = {Stopped(answer) for answer in answers.values()}
    if Stopped.LEFT in found:
        return Stopped.LEFT
    return Stopped.ASKED if Stopped.ASKED in found or answers.silent else Stopped.ENDED
