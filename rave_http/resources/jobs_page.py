"""``/-/ui/jobs``: what is being made, for people, who may stop it here."""

from __future__ import annotations

import asyncio
from typing import Final
from urllib.parse import quote, unquote

from falcon.asgi import Request, Response

from rave_core.clock import Clock
from rave_core.system.host import host_id
from rave_http.auth.asker import Asker
from rave_http.auth.authorizer import Authorizer
from rave_http.jobs.tickets import Runner, StoredTicket, Tickets
from rave_http.pages.jobs_view import EndedJob, JobCard, jobs_page
from rave_http.pages.static_files import PART
from rave_http.protocol.bodies import body_of
from rave_http.protocol.links import Links
from rave_http.protocol.problems import Problem
from rave_http.protocol.queries import read, read_text
from rave_http.protocol.responses import send_page
from rave_http.resources.products import SAID
from rave_http.worker.all_jobs import AllJobs, ListedJob, Stopped
from rave_http.worker.job_status import JobStatuses

_MOST_BODY: Final = 4096
_DONE: Final = "done"
_MOST_ENDED: Final = 50
_LONGEST: Final = 300


class JobsPage:
    """The jobs of all workers as a page."""

    def __init__(
        self,
        jobs: AllJobs,
        tickets: Tickets,
        statuses: JobStatuses,
        authorizer: Authorizer,
        links: Links,
        clock: Clock,
    ) -> None:
        """Shows ``jobs``, and stops them.

        Args:
            jobs: the jobs.
            tickets: those that were promised, and have ended.
            statuses: find the operation of a key.
            authorizer: decides who may see and stop them.
            links: URLs that the page contains.
            clock: the source of time.
        """
        self._jobs = jobs
        self._tickets = tickets
        self._statuses = statuses
        self._authorizer = authorizer
        self._links = links
        self._clock = clock

    async def on_get(self, req: Request, resp: Response) -> None:
        """The jobs that the principal waits for; with the permission ``metrics``, those of all, and ended ones."""
        given = read(req, _DONE, PART)
        done = given.get(_DONE, "")
        asker, is_for_all = self._authorizer.asker(req), self._authorizer.may(req, "metrics")
        listed, silent = await self._jobs.listed()
        seen = [job for job in listed if self._may(req, "view", job) and (is_for_all or asker in job.askers)]
        page = jobs_page(
            [self._card(req, job, asker) for job in seen],
            ended=await self._ended(req) if is_for_all else (),
            base=self._links.base,
            now=self._clock.now(),
            is_for_all=is_for_all,
            is_part=PART in given,
            silent={str(name): str(reason) for name, reason in silent.items()},
            said=SAID[Stopped(done)] if done in set(Stopped) else "",
        )
        send_page(resp, page)

    on_head = on_get

    async def on_post(self, req: Request, resp: Response) -> None:
        """Stops the job that makes the product of ``key``, unless others wait for it, and shows the jobs again.

        Raises:
            Problem: no job makes it, or the principal may not stop it.
        """
        body = await body_of(req, _MOST_BODY)
        path = read_text(body.decode("utf-8", "replace"), "key").get("key", "")
        key, exported = self._statuses.identify(unquote(path), lambda space: self._authorizer.may(req, "view", space))
        req.scope["rave"].operation, req.scope["rave"].key = exported.name, key.text
        self._authorizer.require(req, "run", exported.namespace)
        self._authorizer.audit(req, "cancel", allowed=True)
        stopped = await self._jobs.stop(key, exported, self._authorizer.asker(req))
        if stopped is None:
            raise Problem("not-found", f"No job makes the product {key.text[:300]!r} any more")
        resp.status = "303 See Other"
        resp.set_header("Location", self._links.to(f"/-/ui/jobs?{_DONE}={stopped.value}"))
        resp.set_header("Cache-Control", "no-store")

    def _may(self, req: Request, permission: str, job: ListedJob) -> bool:
        return self._authorizer.may(req, permission, job.operation.partition("/")[0])

    def _may_see(self, req: Request, operation: str) -> bool:
        return self._authorizer.may(req, "view", operation.partition("/")[0])

    async def _ended(self, req: Request) -> list[EndedJob]:
        """The jobs that ended last, of those that had a ticket, which others are over before anybody looks."""
        tickets = await asyncio.to_thread(self._tickets.ended, _MOST_ENDED)
        return [self._over(each) for each in tickets if self._may_see(req, each.asked.operation)]

    def _over(self, ticket: StoredTicket) -> EndedJob:
        asked, failed = ticket.asked, ticket.failed
        by = f"by {failed.by}" if failed is not None and failed.by not in (None, "-") else ""
        texts = asked.texts if asked.document is None else [(name, str(it)) for name, it in asked.document.items()]
        ended = ticket.ended_at or ticket.created_at
        return EndedJob(
            operation=asked.operation,
            url=self._links.to_result(ticket.key),
            change=self._links.to(f"/-/ui/{quote(asked.operation)}{asked.query or ''}"),
            state="made" if failed is None else "cancelled" if failed.is_cancelled else "failed",
            detail="" if failed is None else by if failed.is_cancelled else failed.detail,
            arguments=", ".join(f"{name}={text}" for name, text in texts)[:_LONGEST],
            ended=ended,
            seconds=max(0.0, ended - ticket.created_at),
            worker="" if ticket.ran_by is None else worker_of(ticket.ran_by),
            began=ticket.began_at,
        )

    def _card(self, req: Request, job: ListedJob, asker: Asker) -> JobCard:
        return JobCard(
            operation=job.operation,
            key=job.key or "",
            url="" if job.key is None else self._links.to_result(job.key),
            status=job.status,
            arguments=job.arguments,
            user="" if job.user in (None, "-") else job.user,
            created=job.created,
            progress=job.progress,
            is_yours=asker in job.askers,
            may_cancel=job.key is not None and asker in job.askers and self._may(req, "run", job),
            worker=job.worker,
            began=job.began,
        )


def worker_of(runner: Runner) -> str:
    """The name of the worker that a process is or was; one of another host says so."""
    return f"worker-{runner.pid}{'' if runner.host == host_id() else ' of another host'}"
