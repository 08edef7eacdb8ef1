"""The pursuit of one product: asks for it, follows its ticket, asks again, until there is an answer that holds it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from typing import Any, Final

import requests

from rave_http.client.ask import Ask
from rave_http.client.deadline import Deadline, Limits, backoff, jittered
from rave_http.client.errors import Cancelled, ConnectionFailed, UnexpectedAnswer, WaitTimeout, error_of
from rave_http.client.events import MEDIA_TYPE, Event, events
from rave_http.client.progress import Listener, Phase, Progress
from rave_http.client.record import PRODUCTS, READY, TicketRecord
from rave_http.client.requester import Requester, problem_of

FIRST_WAIT: Final = 2
"""Seconds that the first request waits for the product, before a ticket with progress is more useful."""

_MOST_REPEATS: Final = 3
_STREAMS_AGAIN: Final = 30.0
_LONGEST_SILENCE: Final = 60.0
"""Seconds without a heartbeat after which an event stream counts as dead."""

_SHORTEST: Final = 0.05


class Pursuit:
    """One product being pursued. For one thread."""

    def __init__(
        self,
        requester: Requester,
        ask: Ask,
        limits: Limits,
        *,
        listener: Listener | None = None,
        record: TicketRecord | None = None,
    ) -> None:
        """Pursues what ``ask`` asks for.

        Args:
            requester: sends.
            ask: the first request, and again the first when the ticket is lost.
            limits: until when it has to be ready, and here.
            listener: receives the progress.
            record: a ticket that already exists.
        """
        self._requester = requester
        self._ask = ask
        self._limits = limits
        self._listener = listener
        self.record = record
        self._is_known = self._is_found = False
        self._was_done = False
        self._repeats = 0
        self._no_streams_until = Deadline(-math.inf)

    @property
    def limits(self) -> Limits:
        """Until when it has to be ready, and here."""
        return self._limits

    def response(self, headers: Mapping[str, str] | None = None) -> requests.Response:
        """An answer that holds the product, its body still to be read: 200, or 206 or 416 where a range was asked for.

        Args:
            headers: for the request that gets it, as ``Range``.

        Raises:
            ServiceError: there is a problem.
            WaitTimeout: it is not ready in time.
            ConnectionFailed: the service can't be reached.
            UnexpectedAnswer: the answer does not come from a RAVE service.
        """
        while True:
            response = self.look(headers)
            if response is not None:
                return response
            if self._limits.ready.passed:
                raise self.late()
            self._wait()

    def look(self, headers: Mapping[str, str] | None = None, *, prefer: str | None = None) -> requests.Response | None:
        """Asks once, as `response` does; ``None`` if the product is not ready: `record` is its ticket."""
        while True:
            response = self._answer(self._target(prefer).having(headers or {}))
            if response.status_code == 202:
                self._take(TicketRecord.of(response))
                return None
            if 200 <= response.status_code < 300 or (response.status_code == 416 and headers):
                self._found(response)
                return response
            self._bear(response)

    def late(self) -> WaitTimeout:
        """The error for a product that does not arrive in time."""
        if self._is_found:
            return WaitTimeout("the product is ready, but was not here in time", self._href)
        if self.record is not None:
            return WaitTimeout("the product was not ready in time; it is being made all the same", self._href)
        return WaitTimeout("the service did not answer in time")

    def tell(self, progress: Progress) -> None:
        """Reports progress."""
        if self._listener is not None:
            self._listener(progress if progress.href else replace(progress, href=self._href))

    @property
    def _href(self) -> str:
        return self.record.href if self.record is not None else ""

    def _answer(self, ask: Ask) -> requests.Response:
        if self._limits.total.passed:
            raise self.late()
        try:
            found = self._requester.answer(ask, self._limits, is_known=self._is_known, tell=self._tell_of_trouble)
        except ConnectionFailed as error:
            if self._limits.total.passed:
                raise self.late() from error
            raise
        self._is_known = True
        return found

    def _target(self, prefer: str | None) -> Ask:
        """What to ask: the ticket's URL if there is one."""
        if self.record is not None:
            headers = {name: value for name, value in self._ask.headers.items() if name == "Accept"}
            return Ask(self.record.href, {**headers, "Prefer": prefer or "respond-async"})
        if self._ask.body is not None:
            # A range can't resume the answer to a POST, but it can resume the product at its own URL. That URL does not
            # name a form, though.
            return self._ask.having({"Prefer": prefer or ("respond-async" if self._ask.form else "return=minimal")})
        seconds = int(min(FIRST_WAIT, self._limits.ready.left))
        return self._ask.having({"Prefer": prefer or (f"wait={seconds}" if seconds else "respond-async")})

    def _take(self, record: TicketRecord) -> None:
        href = self._ask.in_its_form(record.href)
        self.record = replace(record, href=href, progress=replace(record.progress, href=href))
        self.tell(self.record.progress)

    def _found(self, response: requests.Response) -> None:
        """From here on only the transfer can take long, and nothing is computed again."""
        self._is_found = True
        self._limits = Limits(self._limits.total, self._limits.total)
        self._ask = self._ask.without_refresh()
        if self.record is not None:
            self.record = replace(self.record, status=READY)
        elif self._ask.body is not None and response.request.method == "GET" and PRODUCTS in response.url:
            self.record = replace(TicketRecord.at(response.url), status=READY)

    def _bear(self, response: requests.Response) -> None:
        """Returns if a problem came of what changed just now, and has not come too often; else raises it."""
        is_lost = self.record is not None and response.status_code in (404, 410) and self.record.href != self._ask.url
        problem = self._problem(response)
        self._repeats += 1
        is_brief = (is_lost or response.status_code == 409) and not isinstance(problem, Cancelled)
        if not is_brief or self._repeats > _MOST_REPEATS:
            raise problem
        if is_lost:
            self.record = None  # the product has expired: ask its operation again
        else:
            self._limits.ready.pause(backoff(self._repeats))

    def _problem(self, response: requests.Response) -> Exception:
        if 300 <= response.status_code < 400:
            response.close()
            return UnexpectedAnswer(f"{response.url}: status {response.status_code} leads nowhere")
        problem = problem_of(response)
        credentials = self._requester.transport.credentials
        if problem.status == 401 and credentials.can_authorize and not credentials.are_for(response.url):
            hint = "the credentials are for another host, so they were not sent there; ask that host itself"
            return error_of({**problem.document, "detail": f"{response.url}: {hint}"}, response.url)
        return problem

    def _wait(self) -> None:
        """Waits until it is worth asking again: by the ticket's events, else for its ``Retry-After``."""
        assert self.record is not None
        is_done = self._follow(self.record)
        if not is_done or self._was_done:
            self._limits.ready.pause(max(jittered(self.record.retry_after), _SHORTEST))
        self._was_done = is_done

    def _follow(self, record: TicketRecord) -> bool:
        """Follows the events of a ticket to their end. Returns whether they end because the product is ready."""
        if not record.events or not self._no_streams_until.passed:
            return False
        try:
            ask = Ask(record.events, {"Accept": MEDIA_TYPE})
            response = self._requester.transport.send(ask, self._limits.ready, silence=_LONGEST_SILENCE)
            with closing(response):
                if response.status_code == 200 and MEDIA_TYPE in response.headers.get("Content-Type", ""):
                    return self._listen(response, record)
            self._no_streams_until = Deadline.after(_STREAMS_AGAIN)
        except (ConnectionFailed, UnexpectedAnswer):
            pass  # asking the ticket itself shows the problem, and survives an outage
        return False

    def _listen(self, response: requests.Response, record: TicketRecord) -> bool:
        with closing(events(response, self._limits.ready)) as stream:
            for event in stream:
                if event.name == "done":
                    return True
                if event.name == "failed":
                    self._fail(event, record)
                    return False
                if event.name == "progress":
                    self._take_progress(event.data, record)
        return False

    def _take_progress(self, data: Any, record: TicketRecord) -> None:
        """Reports the progress in an event: bare, or in the ticket as it is now."""
        found = data if isinstance(data, dict) else {}
        progress = Progress.of(found.get("progress", found), record.href)
        status = found.get("status")
        self.record = replace(record, progress=progress, status=status if isinstance(status, str) else record.status)
        self.tell(progress)

    def _fail(self, event: Event, record: TicketRecord) -> None:
        """Raises the problem in an event. If there is none, the next request to the ticket gives it."""
        data = event.data
        found = data.get("problem", data) if isinstance(data, dict) else None
        if isinstance(found, dict) and "title" in found:
            raise error_of(found, record.href)

    def _tell_of_trouble(self, reason: str) -> None:
        self.tell(Progress(text=reason, phase=Phase.RETRYING))
