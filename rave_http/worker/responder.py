"""Answers about products: the product itself, a ticket for it, or a problem. The same for every resource."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from falcon.asgi import Request, Response

from rave_core.clock import Clock
from rave_core.model import PLAIN, Status
from rave_http.description.operation_documents import name_behind
from rave_http.jobs.job import Job, progress_document
from rave_http.protocol.conditions import check_write
from rave_http.protocol.headers import NO_STORE, caching_headers
from rave_http.protocol.json_texts import to_json, to_utf8
from rave_http.protocol.links import Links
from rave_http.protocol.problems import MEDIA_TYPE, PLAIN_PROBLEMS, Problem
from rave_http.protocol.request_record import RequestRecord
from rave_http.protocol.responses import JSON, TEXT, URI_LIST, prefers, send_json, send_link, send_page
from rave_http.protocol.times import iso
from rave_http.representation.conditional_responses import Sendfile, deliver
from rave_http.representation.representations import MadeProduct, Representation, Representations

if TYPE_CHECKING:
    from rave_http.description.request_arguments import Asked

AFTER: Final = "rave.after"
"""The parameter in the ticket of a refresh: the ticket means a product made after that time."""

_VARY: Final = ("Vary", "Accept, Prefer")


class Responder:
    """Fills responses. For the event loop of one worker."""

    def __init__(
        self,
        representations: Representations,
        sendfile: Sendfile,
        links: Links,
        clock: Clock,
        *,
        max_age_forever: float,
    ) -> None:
        """Answers with products in one of their representations.

        Args:
            representations: make them.
            sendfile: who sends the bytes of files.
            links: URLs that answers contain.
            clock: the source of time.
            max_age_forever: seconds for which others may keep a product that never expires.
        """
        self.links = links
        self._representations = representations
        self._sendfile = sendfile
        self._clock = clock
        self._max_age_forever = max_age_forever

    async def send_product(
        self, req: Request, resp: Response, product: MadeProduct, status: Status, *, form: str | None
    ) -> Representation:
        """Sends a product in the representation that suits the client best, and returns that.

        Args:
            req, resp: the request and its response.
            product: what is sent.
            status: how it came about.
            form: the form requested by name, which overrides ``Accept``.

        Raises:
            Problem: no representation suits the client, or its range can't be satisfied.
            UnrenderableError: the product can't take the form after all.
        """
        found = await self._representations.of(product, accept=req.get_header("Accept"), form=form)
        await self.send_representation(req, resp, product, found, status)
        return found

    async def send_representation(
        self, req: Request, resp: Response, product: MadeProduct, found: Representation, status: Status
    ) -> None:
        """Sends a product in an existing representation; see `send_product`.

        Raises:
            Problem: the range can't be satisfied.
        """
        record: RequestRecord = req.scope["rave"]
        resp.set_headers(self.product_headers(product, status, self._clock.now(), private=record.is_private))
        await deliver(req, resp, found, self._sendfile)

    async def check_version(self, req: Request, product: MadeProduct) -> None:
        """Returns if a request may change a product, going by its conditions.

        Raises:
            Problem: it is for another version.
        """
        check_write(
            req, await self._representations.etags(product), None if product.entry is None else product.entry.created_at
        )

    def product_headers(
        self, product: MadeProduct, status: Status, now: float, *, private: bool
    ) -> list[tuple[str, str]]:
        """The headers that say how long a product is valid, for whom, and how it came about.

        Args:
            product: what is sent.
            status: how it came about.
            now: Unix seconds.
            private: whether it is for the principal alone.
        """
        entry = product.entry if status is not Status.UNCACHED else None
        headers = [*caching_headers(status, entry, now, private=private, forever=self._max_age_forever), _VARY]
        if entry is not None:
            headers.append(("Content-Location", f"{self.links.base}/-/products/{entry.key}"))
        if product.query is not None and (behind := name_behind(product.name, product.spec)) is not None:
            headers.append(("Link", f'<{self.links.to_operation(behind)}{product.query}>; rel="alternate"'))
        return headers

    def send_ticket(self, req: Request, resp: Response, job: Job) -> None:
        """202: a ticket for a job of this worker."""
        report, is_refresh = job.progress, job.options is not PLAIN
        document = self.ticket_document(
            status=job.status,
            key=job.key or "",
            operation=job.name,
            created_at=job.promised_at,
            progress=None if report is None else progress_document(report),
            after=job.started_at if is_refresh else None,
        )
        self.show_ticket(req, resp, document, job.asked, since=job.started_at)

    def ticket_document(
        self,
        *,
        status: str,
        key: str,
        operation: str,
        created_at: float | None,
        progress: dict[str, Any] | None = None,
        after: float | None = None,
    ) -> dict[str, Any]:
        """A ticket as JSON: where its product is, or will be.

        Args:
            status: the status of the product.
            key: the text of its key.
            operation: ``namespace/operation``.
            created_at: Unix seconds at which it was first requested, if known.
            progress: how far it is.
            after: Unix time after which the product has to be made, for the ticket of a refresh.
        """
        links = self.links.of_product(key, "" if after is None else f"?{AFTER}={after:.6f}")
        return {
            "status": status,
            "href": links["product"],
            "key": key,
            "operation": operation,
            "progress": progress,
            "created": None if created_at is None else iso(created_at),
            "links": {**links, "operation": self.links.to_operation(operation)},
        }

    def show_ticket(
        self,
        req: Request,
        resp: Response,
        document: dict[str, Any],
        asked: Asked | None,
        *,
        since: float | None,
        is_page: bool = False,
    ) -> None:
        """202: a ticket as JSON, as a bare URL, or as a page that asks again by itself.

        Args:
            req, resp: the request and its response.
            document: the ticket.
            asked: the call as written, if known.
            since: Unix seconds at which it was first requested: the longer ago, the later the client should ask again.
            is_page: whether it has to be the page.
        """
        elapsed = 0.0 if since is None else self._clock.now() - since
        seconds = max(1, min(10, round(elapsed / 4)))
        form = "text/html" if is_page else prefers(req, JSON, URI_LIST, "text/html")
        if form == URI_LIST:
            send_link(resp, document["href"])
        elif form == "text/html":
            from rave_http.pages.views import ticket_page

            send_page(resp, ticket_page(document, asked, seconds=seconds, base=self.links.base))
        else:
            send_json(resp, document)
        resp.status = "202 Accepted"
        resp.set_headers([("Location", document["href"]), ("Retry-After", str(seconds)), _VARY])

    def send_reference(self, req: Request, resp: Response, document: dict[str, Any]) -> None:
        """303: a ticket whose product is already available, for a client that only wants a reference."""
        if prefers(req, JSON, URI_LIST) == URI_LIST:
            send_link(resp, document["href"])
        else:
            send_json(resp, document)
        resp.status = "303 See Other"
        resp.set_headers([("Location", document["href"]), ("Preference-Applied", "return=minimal"), _VARY])

    def send_problem(self, req: Request, resp: Response, problem: Problem) -> None:
        """A problem: as JSON, as a page for a browser, or as plain text where its route says so."""
        resp.status = problem.status
        resp.set_headers({"Cache-Control": NO_STORE, **problem.headers})
        forms = (TEXT, JSON, MEDIA_TYPE) if getattr(req.context, PLAIN_PROBLEMS, False) else (JSON,)
        form = prefers(req, *forms, "text/html")
        if form == TEXT:
            resp.content_type = f"{TEXT}; charset=UTF-8"
            resp.data = to_utf8(f"{problem.detail}\r\n")
            return
        document = problem.document(base=self.links.base, instance=req.path)
        record: RequestRecord | None = req.scope.get("rave")
        if record is not None and record.request_id:
            document["request_id"] = record.request_id
        if form == "text/html":
            from rave_http.pages.views import problem_page

            page = problem_page(document, query=req.query_string, base=self.links.base)
            send_page(resp, page, status=str(problem.status))
            return
        resp.content_type = MEDIA_TYPE
        resp.data = to_json(document)
