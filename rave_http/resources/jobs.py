"""``/-/jobs``: what is being made."""

from __future__ import annotations

from typing import Any

from falcon.asgi import Request, Response

from rave_http.auth.asker import Asker
from rave_http.auth.authorizer import Authorizer
from rave_http.protocol.links import Links
from rave_http.protocol.queries import read
from rave_http.protocol.responses import send_json
from rave_http.protocol.times import iso
from rave_http.worker.all_jobs import AllJobs, ListedJob


class JobList:
    """The jobs of all workers."""

    def __init__(self, jobs: AllJobs, authorizer: Authorizer, links: Links) -> None:
        self._jobs = jobs
        self._authorizer = authorizer
        self._links = links

    async def on_get(self, req: Request, resp: Response) -> None:
        """The jobs that the principal waits for; with the permission ``metrics``, those of all users."""
        read(req)
        asker, is_for_all = self._authorizer.asker(req), self._authorizer.may(req, "metrics")
        jobs, silent = await self._jobs.listed()
        seen = [job for job in jobs if self._may_see(req, job) and (is_for_all or asker in job.askers)]
        send_json(resp, {"jobs": [self._document(job, asker) for job in seen], "silent": silent})

    on_head = on_get

    def _may_see(self, req: Request, job: ListedJob) -> bool:
        return self._authorizer.may(req, "view", job.operation.partition("/")[0])

    def _document(self, job: ListedJob, asker: Asker) -> dict[str, Any]:
        links = {"operation": self._links.to_operation(job.operation)}
        return {
            "key": job.key,
            "operation": job.operation,
            "status": job.status,
            "progress": job.progress,
            "user": job.user,
            "is_yours": asker in job.askers,
            "created": iso(job.created),
            "worker": job.worker or None,
            "began": None if job.began is None else iso(job.began),
            "arguments": job.arguments,
            "links": links if job.key is None else links | self._links.of_product(job.key),
        }
