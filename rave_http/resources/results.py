"""``/-/ui/r/{key}``: the page about a product, which is the page of its ticket until it is made."""

from __future__ import annotations

import asyncio
from typing import Final
from urllib.parse import urlencode

from falcon.asgi import Request, Response

from rave_core.clock import Clock
from rave_core.model import Entry, Key, Status
from rave_core.storage.kept_copies import COPIES, KeptCopies, KeptCopy, source_of
from rave_http.auth.authorizer import Authorizer
from rave_http.jobs.followers import Followers
from rave_http.pages.result_view import TABS
from rave_http.pages.row_controls import ADDED, PARAMETERS
from rave_http.protocol.problems import Problem
from rave_http.protocol.queries import pairs, read_text
from rave_http.representation.representations import MadeProduct
from rave_http.resources.kept import DIGEST, is_meant, kept_of, other_than
from rave_http.resources.product_events import ProductEvents
from rave_http.resources.product_facts import after_of, asked_of
from rave_http.resources.result_pages import ResultPages, ShownResult
from rave_http.resources.ui import Form
from rave_http.worker.job_status import JobStatus, JobStatuses, State
from rave_http.worker.questions import Questions, recorded_as, written_as
from rave_http.worker.responder import AFTER, Responder

_PARAMETERS: Final = ("tab", "page", "of", DIGEST, AFTER)
_MOST_PARAMETERS: Final = 100
_MOST_PAGES: Final = 10**12
_LONGEST_PAGE: Final = 13  # digits


class ResultPage:
    """The page about the product of a key."""

    def __init__(
        self,
        authorizer: Authorizer,
        statuses: JobStatuses,
        followers: Followers,
        events: ProductEvents,
        questions: Questions,
        responder: Responder,
        pages: ResultPages,
        form: Form,
        copies: KeptCopies,
        clock: Clock,
    ) -> None:
        """Shows the products of all exported operations.

        Args:
            authorizer: decides who may see them.
            statuses: give their status.
            followers: learn who asks for a product.
            events: write their tickets.
            questions: find what they answer.
            responder: fills responses.
            pages: make the pages.
            form: answers for an operation of a namespace ``r``, whose forms have addresses of the same kind.
            copies: kept results.
            clock: the source of time.
        """
        self._authorizer = authorizer
        self._statuses = statuses
        self._followers = followers
        self._events = events
        self._questions = questions
        self._responder = responder
        self._pages = pages
        self._form = form
        self._copies = copies
        self._clock = clock

    async def on_get(self, req: Request, resp: Response, key: str) -> None:
        """The page; while the product is being made, that of its ticket, which becomes this one.

        Raises:
            Problem: there is no such product (any more).
        """
        try:
            found, exported = self._statuses.identify(key, lambda space: self._authorizer.may(req, "view", space))
        except Problem:
            return await self._form.on_get(req, resp, f"r/{key}")
        req.scope["rave"].operation, req.scope["rave"].key = exported.name, found.text
        asked, texts = _read(req)
        after = after_of(asked)
        place = await self._statuses.locate(found, exported, after=after)
        if place.is_awaited:
            self._followers.note(found.text, self._authorizer.asker(req))
            if place.state is State.ORPHANED and self._authorizer.may_start(req, exported.namespace):
                place = await self._statuses.take_over(place, self._authorizer.asker(req))
        if place.is_awaited:
            document = self._events.document(place, after)
            self._responder.show_ticket(req, resp, document, asked_of(place), since=place.since, is_page=True)
        elif DIGEST in asked and not is_meant(place, asked[DIGEST]):
            await self._lead(resp, place, asked[DIGEST])
        elif place.state is State.READY:
            await self._show(req, resp, place, asked, texts)
        else:
            raise self._statuses.refuse(place)
        return None

    on_head = on_get

    async def _lead(self, resp: Response, place: JobStatus, digest: str) -> None:
        """Redirects to the copy of a result that the key had once.

        Raises:
            Problem: nobody keeps it.
        """
        kept = await asyncio.to_thread(kept_of, self._copies, place.key, digest)
        if kept is None:
            raise other_than(place, self._responder.links, None)
        resp.status = "303 See Other"
        resp.set_headers({"Location": self._responder.links.to_result(kept.key), "Cache-Control": "no-store"})

    async def _show(
        self, req: Request, resp: Response, place: JobStatus, asked: dict[str, str], texts: dict[str, list[str]]
    ) -> None:
        exported, resolved = place.exported, place.exported.resolved
        entry: Entry | None
        if place.found is not None:
            value, entry = place.found.value, place.found.entry
            status = Status.HIT if entry.is_fresh(self._clock.now()) else Status.STALE
        else:  # no cache keeps it; the job that just ended does, for a moment
            assert place.job is not None
            outcome = place.job.task.result()
            value, entry, status = outcome.value, outcome.entry, outcome.status
        copy = await self._copy_of(place.key)
        candidates = [asked_of(place), written_as(place.name, asked["of"]) if "of" in asked else None]
        candidates += [written_as(place.name, copy.question)] if copy is not None and copy.question is not None else []
        candidates += [recorded_as(place.name, entry)] if entry is not None else []
        known = await self._questions.find(exported, source_of(place.key), candidates)
        question, call = known if known is not None else (None, None)
        product = MadeProduct(place.name, resolved.spec, value, entry, resolved.cache)
        shown = ShownResult(product, exported, status, question, call, _tab(asked), _page(asked), texts, copy)
        await self._pages.send(req, resp, shown)

    async def _copy_of(self, key: Key) -> KeptCopy | None:
        """What is recorded of the copy that ``key`` names; ``None`` if it names something else."""
        if not key.operation.startswith(COPIES):
            return None
        return await asyncio.to_thread(self._copies.find, key.arguments.rpartition("-")[2])


def _read(req: Request) -> tuple[dict[str, str], dict[str, list[str]]]:
    """The parameters of a request, and those that say which rows of a table are shown.

    Raises:
        Problem: one is unknown, or given twice.
    """
    given = pairs(req.query_string, most=_MOST_PARAMETERS)
    texts: dict[str, list[str]] = {}
    for name, text in given:
        if name in PARAMETERS and text:
            texts.setdefault(name, []).append(text)
    added = dict(each for each in given if each[0] in ADDED)
    if added.get("column"):
        texts.setdefault("where", []).append("".join(added.get(part, "") for part in ADDED))
    rest = urlencode([each for each in given if each[0] not in (*PARAMETERS, *ADDED)])
    return read_text(rest, *_PARAMETERS), texts


def _tab(asked: dict[str, str]) -> str:
    tab = asked.get("tab", TABS[0])
    if tab not in TABS:
        raise _wrong("tab", f"there is no part {tab[:40]!r}; there are {', '.join(TABS)}")
    return tab


def _page(asked: dict[str, str]) -> int:
    text = asked.get("page", "1")
    if not text.isascii() or not text.isdigit() or len(text) > _LONGEST_PAGE or not 1 <= int(text) <= _MOST_PAGES:
        raise _wrong("page", f"{text[:40]!r} is not the number of a page, from 1 on")
    return int(text)


def _wrong(parameter: str, detail: str) -> Problem:
    return Problem("bad-arguments", detail, errors=[{"parameter": parameter, "detail": detail}])
