"""Maps an exception of a job to the problem that a client sees."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Mapping, Sequence
from typing import Any, Final

from rave_core.errors import ArgumentError, OperationError, TimeLimitError, describe_error
from rave_http.auth.asker import Asker
from rave_http.executors import BusyError
from rave_http.jobs.tickets import CANCELLED, Failed
from rave_http.protocol.problems import Problem
from rave_http.protocol.request_record import ANONYMOUS_NAME
from rave_http.protocol.times import iso

_log = logging.getLogger("rave.http")
_LONGEST: Final = 20_000
_MOST: Final = 100
_PLAIN: Final = (str, int, bool, type(None))
_NOT_OF_ARGUMENTS: Final = frozenset({401, 405, 406, 407, 408, 411, 412, 416, 417, 421, 425, 426, 428, 429, 431})
"""Statuses about credentials, headers or the connection: a body can't know these, so 422 replaces them."""


def failure_of(error: Exception, now: float) -> Failed:
    """How a job failed, for the requests that wait and for the record of its ticket.

    Args:
        error: what the operation raised.
        now: Unix seconds.
    """
    if isinstance(error, OperationError):
        status = error.status if error.status not in _NOT_OF_ARGUMENTS else None
        return Failed(slug="refused", detail=_text(error), at=now, status=status, errors=_written(error.errors))
    if isinstance(error, ArgumentError):
        wrong = [{"parameter": error.parameter, "detail": _text(error)}] if error.parameter else []
        return Failed(slug="bad-arguments", detail=_text(error), at=now, errors=_written(wrong))
    slug = "operation-failed"
    if isinstance(error, TimeLimitError):
        slug = "time-limit"
    elif isinstance(error, BusyError):
        slug = "busy"
    return Failed(slug=slug, detail=describe_error(error)[:2000], at=now)


def log_failure(name: str, failed: Failed, error: Exception) -> None:
    """Logs how the job of the operation ``name`` failed, or that it was refused."""
    if failed.is_refusal:
        _log.info("%s refused: %s", name, failed.detail)
    else:
        # The client learns what failed; the log says where.
        _log.warning("%s failed: %s", name, failed.detail, exc_info=error)


def cancelled_by(asker: Asker, now: float) -> Failed:
    """That a job was cancelled.

    Args:
        asker: by whom.
        now: Unix seconds.
    """
    who = "An anonymous user" if asker.name == ANONYMOUS_NAME else f"The user {asker.name!r}"
    detail = f"{who} cancelled the job; ask the operation to start it again"
    return Failed(slug=CANCELLED, detail=detail, at=now, by=asker.name)


def problem_of(failed: Failed, retry_after: float, error: BaseException | None = None) -> Problem:
    """The problem for a failure.

    Args:
        failed: the failure.
        retry_after: in seconds.
        error: the exception, for those who may see where it came from.
    """
    if failed.is_refusal:
        return Problem(failed.slug, failed.detail, status=failed.status, errors=failed.errors)
    if failed.is_cancelled:
        return Problem(failed.slug, failed.detail, by=failed.by, at=iso(failed.at))
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


def _text(error: Exception) -> str:
    """The message of a refusal."""
    return describe_error(error).removeprefix(f"{type(error).__name__}: ")[:2000]


def _written(errors: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What a body says about its parameters, as far as JSON can express it."""
    found = []
    for each in errors[:_MOST]:
        plain = {str(name)[:100]: value for name, value in each.items() if isinstance(value, _PLAIN)}
        found.append({name: value[:2000] if isinstance(value, str) else value for name, value in plain.items()})
    return found
