"""What requests about products have in common: their parameters, and what is told of a product."""

from __future__ import annotations

from typing import Any

from rave_core.model import FOREVER, Entry
from rave_core.storage.digests import described
from rave_http.description.request_arguments import Asked
from rave_http.protocol.problems import Problem
from rave_http.protocol.times import iso
from rave_http.worker.job_status import JobStatus
from rave_http.worker.responder import AFTER


def asked_of(place: JobStatus) -> Asked | None:
    """The call as written, by the job or the ticket of a product; ``None`` if neither is known."""
    if place.job is not None:
        return place.job.asked
    return place.ticket.asked if place.ticket is not None else None


def facts_of(entry: Entry) -> dict[str, Any]:
    """The metadata of a result."""
    return {
        "arguments": entry.arguments,
        "version": {"strategy": entry.version_note},
        "made": iso(entry.created_at),
        "expires": None if entry.expires_at == FOREVER else iso(entry.expires_at),
        "seconds": entry.seconds,
        "size": entry.size,
        "digest": described(entry.digest),
        "mime_type": entry.mime_type,
        "codec": entry.codec,
        "tags": entry.tags,
        "children": entry.children,
        "python": entry.python,
        "plugin": entry.plugin,
    }


def after_of(asked: dict[str, str]) -> float | None:
    """The Unix time after which a product has to be made, from the parameters of a request; ``None`` if any will do.

    Raises:
        Problem: it is no time.
    """
    text = asked.get(AFTER)
    if text is None:
        return None
    try:
        return float(text)
    except ValueError:
        detail = f"{AFTER}={text[:40]!r} is not a Unix time"
        raise Problem("bad-arguments", detail, errors=[{"parameter": AFTER, "detail": detail}]) from None
