"""What the client asks of the service itself: which jobs are under way, and to stop one."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import requests

from rave_http.client.ask import Ask
from rave_http.client.deadline import Limits
from rave_http.client.errors import UnexpectedAnswer
from rave_http.client.requester import Requester, problem_of
from rave_http.client.running_job import RunningJob
from rave_http.client.transport import read_small

_MOST: Final = 1 << 26
_DONE: Final = ("ended", "asked", "left")


def running_jobs(requester: Requester, base: str, limits: Limits) -> list[RunningJob]:
    """The jobs of the service at ``base``.

    Raises:
        ServiceError: there is a problem.
        ConnectionFailed: the service can't be reached.
        UnexpectedAnswer: the answer does not come from a RAVE service.
    """
    response = _answer(requester, Ask(f"{base}/-/jobs"), limits)
    found = _document(response).get("jobs")
    if not isinstance(found, Sequence) or isinstance(found, str):
        raise UnexpectedAnswer(f"{response.url}: expected a list of jobs")
    return [RunningJob.of(each, response.url) for each in found if isinstance(each, dict)]


def cancel(requester: Requester, href: str, limits: Limits) -> str:
    """Stops the job of the product at ``href``. Returns ``ended``, ``asked`` or ``left``.

    Raises:
        ServiceError: there is a problem.
        ConnectionFailed: the service can't be reached.
        UnexpectedAnswer: the answer does not come from a RAVE service.
    """
    parts = urlsplit(href)
    url = urlunsplit(parts._replace(path=f"{parts.path}/job", query="", fragment=""))
    response = _answer(requester, Ask(url, verb="DELETE"), limits)
    done = _document(response).get("done")
    if done not in _DONE:
        raise UnexpectedAnswer(f"{response.url}: it does not say what became of the job")
    return str(done)


def _answer(requester: Requester, ask: Ask, limits: Limits) -> requests.Response:
    response = requester.answer(ask.having({"Accept": "application/json"}), limits, tell=lambda _: None)
    if response.status_code != 200:
        raise problem_of(response)
    return response


def _document(response: requests.Response) -> Mapping[str, Any]:
    try:
        found = json.loads(read_small(response, _MOST))
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise UnexpectedAnswer(f"{response.url}: the answer is not a JSON object")
    return found
