"""Answers: a product, a ticket or a problem as a response, alike wherever it was asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
from falcon.asgi import Request, Response

from rave_core.model import PLAIN, Status
from rave_http.jobs.jobs import Job, progress_document
from rave_http.protocol.headers import NO_STORE, cache_status
from rave_http.protocol.problems import MEDIA_TYPE, Problem
from rave_http.protocol.request_record import RequestRecord
from rave_http.protocol.times import iso
from rave_http.representation.conditional_responses import deliver
from rave_http.representation.representations import MadeProduct, Representation

if TYPE_CHECKING:
    from rave_http.description.request_arguments import Asked
    from rave_http.worker.service import Service

JSON: Final = "application/json"
HTML: Final = "text/html; charset=utf-8"
URI_LIST: Final = "text/uri-list"
AFTER: Final = "rave.after"
"""The parameter by which the ticket of a refresh says which product it means: one that is made after that time."""
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'self'; base-uri 'none'"


def send_json(resp: Response, document: Any, *, status: str = "200 OK", media_type: str = JSON) -> None:
    """A document as JSON, never kept by anybody."""
    resp.status = status
    resp.content_type = media_type
    resp.data = msgspec.json.encode(document)
    resp.set_header("Cache-Control", NO_STORE)


def send_link(resp: Response, url: str) -> None:
    """A bare URL, for scripts."""
    resp.content_type = URI_LIST
    resp.data = f"{url}\r\n".encode()
    resp.set_header("Cache-Control", NO_STORE)


def send_page(resp: Response, page: bytes, *, status: str = "200 OK", nonce: str = "") -> None:
    """A page of our own, which may load nothing from elsewhere."""
    resp.status = status
    resp.content_type = HTML
    resp.data = page
    resp.set_header("Cache-Control", NO_STORE)
    script = f"; script-src 'nonce-{nonce}'" if nonce else ""
    resp.set_header("Content-Security-Policy", f"{_POLICY}{script}")
    resp.set_header("X-Content-Type-Options", "nosniff")


def prefers(req: Request, *offered: str) -> str:
    """The offered media type that a client likes best; the first where it says nothing that fits."""
    accept = req.get_header("Accept")
    if accept is None or accept == "*/*":
        return offered[0]
    return req.client_prefers(offered) or offered[0]


def product_headers(
    service: Service, product: MadeProduct, status: str, now: float, *, private: bool
) -> list[tuple[str, str]]:
    """The headers that tell how long a product is good for, for whom, and how it came about.

    Args:
        service: this worker's.
        product: what is sent.
        status: ``hit``, ``stale``, ``miss``, ``refreshed`` or ``uncached``.
        now: Unix seconds.
        private: whether it is for whoever asked alone.
    """
    entry = product.entry if status != Status.UNCACHED else None
    kept = NO_STORE  # also of what was made anew: whoever asks for that anew means it again
    if entry is not None and status != Status.REFRESHED:
        kept = service.cache_control(entry, now, private=private)
    headers = [
        ("Cache-Control", kept),
        ("Cache-Status", cache_status(status, entry, now)),
        ("Vary", "Accept, Prefer"),
    ]
    if entry is not None:
        headers.append(("Content-Location", service.url(f"/-/products/{entry.key}")))
    return headers


async def send_product(
    service: Service, req: Request, resp: Response, product: MadeProduct, found: Representation, status: str
) -> None:
    """A product in one representation, with how long it is good for and how it came about.

    Args:
        service: this worker's.
        req, resp: the request and its response.
        product: what is sent.
        found: its representation.
        status: ``hit``, ``stale``, ``miss``, ``refreshed`` or ``uncached``.
    """
    note: RequestRecord = req.scope["rave"]
    private = service.access.is_private(note.principal)
    resp.set_headers(product_headers(service, product, status, service.clock.now(), private=private))
    await deliver(req, resp, found, service.sendfile)


def ticket_document(
    service: Service,
    *,
    status: str,
    key: str,
    operation: str,
    created_at: float | None,
    progress: dict[str, Any] | None = None,
    after: float | None = None,
) -> dict[str, Any]:
    """A ticket as JSON: where its product is, or will be. With ``after``, that of one made after this Unix time."""
    path, query = service.url(f"/-/products/{key}"), "" if after is None else f"?{AFTER}={after:.6f}"
    href = f"{path}{query}"
    return {
        "status": status,
        "href": href,
        "key": key,
        "operation": operation,
        "progress": progress,
        "created": None if created_at is None else iso(created_at),
        "links": {
            "product": href,
            "events": f"{path}/events{query}",
            "meta": f"{path}/meta{query}",
            "operation": service.url_of(operation),
        },
    }


def send_problem(service: Service, req: Request, resp: Response, problem: Problem) -> None:
    """A problem: as JSON, or as a page for a browser."""
    resp.status = problem.status
    resp.set_header("Cache-Control", NO_STORE)
    for name, value in problem.headers.items():
        resp.set_header(name, value)
    document = problem.document(base=service.base, instance=req.path)
    note: RequestRecord | None = req.scope.get("rave")
    if note is not None and note.request_id:
        document["request_id"] = note.request_id
    if prefers(req, JSON, "text/html") == "text/html":
        from rave_http.pages.views import problem_page

        send_page(resp, problem_page(document, query=req.query_string, base=service.base), status=str(problem.status))
        return
    resp.content_type = MEDIA_TYPE
    resp.data = msgspec.json.encode(document)


def send_ticket(service: Service, req: Request, resp: Response, job: Job) -> None:
    """202: a ticket for what is being made here."""
    key = job.key or ""
    report, is_refresh = job.progress, job.options is not PLAIN
    progress = None if report is None else progress_document(report)
    document = ticket_document(
        service,
        status=job.status,
        key=key,
        operation=job.name,
        created_at=job.started_at,
        progress=progress,
        after=job.started_at if is_refresh else None,
    )
    show_ticket(service, req, resp, document, job.asked, retry_after(service, job.started_at))


def retry_after(service: Service, since: float | None) -> int:
    """Seconds after which it is worth while to ask again for what was first asked for at the Unix time ``since``."""
    elapsed = 0.0 if since is None else service.clock.now() - since
    return max(1, min(10, round(elapsed / 4)))


def show_ticket(
    service: Service, req: Request, resp: Response, document: dict[str, Any], asked: Asked | None, seconds: int
) -> None:
    """202: a ticket as JSON, as a bare URL, or as a page that asks again by itself."""
    form = prefers(req, JSON, URI_LIST, "text/html")
    if form == URI_LIST:
        send_link(resp, document["href"])
    elif form == "text/html":
        from rave_http.pages.views import ticket_page

        send_page(resp, ticket_page(document, asked, seconds=seconds, base=service.base))
    else:
        send_json(resp, document)
    resp.status = "202 Accepted"
    resp.set_header("Location", document["href"])
    resp.set_header("Retry-After", str(seconds))
    resp.set_header("Vary", "Accept, Prefer")
