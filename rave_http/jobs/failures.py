"""What an exception of a job is to a client: which problem, in which words."""

from __future__ import annotations

import traceback
from typing import Any, Final

from rave_core.errors import TimeLimitError, describe_error
from rave_http.executors import BusyError
from rave_http.jobs.tickets import Failed
from rave_http.protocol.problems import Problem

_LONGEST: Final = 20_000


def failure_of(error: Exception, now: float) -> Failed:
    """How a job failed, for the requests that wait and for the record of its ticket.

    Args:
        error: what the operation raised.
        now: Unix seconds.
    """
    slug = "operation-failed"
    if isinstance(error, TimeLimitError):
        slug = "time-limit"
    elif isinstance(error, BusyError):
        slug = "busy"
    return Failed(slug=slug, detail=describe_error(error)[:2000], at=now)


def problem_of(failed: Failed, retry_after: float, error: BaseException | None = None) -> Problem:
    """The problem that tells a failure.

    Args:
        failed: the failure.
        retry_after: in seconds.
        error: the exception, for those who may see where it came from.
    """
    kind, _, message = failed.detail.partition(": ")
    more: dict[str, Any] = (
        {} if error is None else {"traceback": "".join(traceback.format_exception(error))[-_LONGEST:]}
    )
    return Problem(
        failed.slug,
        failed.detail,
        headers={"Retry-After": str(max(1, round(retry_after)))},
        exception={"class": kind, "message": message},
        **more,
    )
