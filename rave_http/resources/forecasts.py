"""``/-/explain/{ns}/{op}`` and ``/-/plan/{ns}/{op}``: how a call would be answered, and what it would cost."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from falcon.asgi import Request, Response

from rave_core.clock import Clock
from rave_core.documents import asked_by
from rave_core.errors import EntryError
from rave_core.introspection.explain import Difference, Explanation, explain
from rave_core.introspection.plan import Need, Plan, Step, plan
from rave_core.model import FOREVER, Call, Entry
from rave_core.runtime.runtime import Runtime
from rave_core.storage.listing import read_head
from rave_core.text.humanize import span
from rave_http.auth.authorization import HIDDEN
from rave_http.auth.authorizer import Authorizer
from rave_http.description.request_arguments import bind, read_query
from rave_http.executors.foreign_code import ForeignCode, LeftError
from rave_http.namespaces.exported import ExportedOperation
from rave_http.namespaces.live_catalog import LiveNamespaces
from rave_http.protocol.problems import Problem
from rave_http.protocol.responses import send_json
from rave_http.protocol.times import iso


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a call would cost.

    Attributes:
        plan: its steps.
        entry: of the kept result that would answer it; ``None`` if it has to run.
        text: that in words: ``stored, made 2 h ago`` or ``about 41 s: 24 steps, 23 stored``.
    """

    plan: Plan
    entry: Entry | None
    text: str


class Forecasts:
    """Tells how calls would be answered. It runs none of them. For the event loop of one worker."""

    def __init__(
        self,
        namespaces: LiveNamespaces,
        authorizer: Authorizer,
        runtime: Runtime,
        foreign: ForeignCode,
        clock: Clock,
    ) -> None:
        """Knows the calls of what ``namespaces`` export, and what ``runtime`` keeps.

        Args:
            namespaces: have the operations.
            authorizer: decides who may see them.
            runtime: has the caches.
            foreign: calls converters.
            clock: the source of time.
        """
        self._namespaces = namespaces
        self._authorizer = authorizer
        self._runtime = runtime
        self._foreign = foreign
        self._clock = clock

    async def asked(self, req: Request, name: str) -> tuple[ExportedOperation, Call]:
        """The operation of that name, and the call of it that the query of a request asks for.

        Raises:
            Problem: there is none that the principal may see, or the arguments do not fit it.
        """
        exported = self._namespaces.find(name)
        if exported is None or not self._authorizer.may(req, "view", exported.namespace):
            raise Problem("not-found", HIDDEN)
        req.scope["rave"].operation = exported.name
        question = read_query(exported.name, req.query_string)
        try:
            with asked_by(self._authorizer.user(req)):
                call: Call = await self._foreign.call(
                    exported.name, bind, question.asked, exported.operation, exported.resolved
                )
        except LeftError as error:
            raise Problem("bad-arguments", f"an argument can't be converted: {error}") from error
        return exported, call

    async def explanation(self, exported: ExportedOperation, call: Call) -> Explanation:
        """Why a call would hit or miss.

        Raises:
            OSError: the store is in trouble.
        """
        return await asyncio.to_thread(explain, exported.resolved, call, now=self._clock.now())

    async def forecast(self, exported: ExportedOperation, call: Call) -> Forecast:
        """What a call would cost.

        Raises:
            OSError: the store is in trouble.
        """
        return await asyncio.to_thread(self._forecast, exported, call)

    def _forecast(self, exported: ExportedOperation, call: Call) -> Forecast:
        resolved, now = exported.resolved, self._clock.now()
        found = plan(resolved, call, (self._runtime.cache, self._runtime.products), now=now)
        entry = None
        if found.steps[0].need is Need.CACHED and call.key is not None:
            try:
                entry = read_head(resolved.cache, call.key.text)
            except EntryError:  # it was damaged meanwhile, so the call would run
                entry = None
        return Forecast(found, entry, _in_words(found, entry, now))

    def may_see(self, req: Request, full_name: str) -> str | None:
        """What the principal may call the operation of that full name; ``None`` for nothing."""
        exported = self._namespaces.by_full_name(full_name)
        if exported is None:
            return full_name  # a part of others, which no namespace has
        return exported.name if self._authorizer.may(req, "view", exported.namespace) else None


def _in_words(found: Plan, entry: Entry | None, now: float) -> str:
    if entry is not None:
        good = "" if entry.expires_at == FOREVER else f", good for {span(entry.expires_at - now)}"
        return f"stored, made {span(now - entry.created_at)} ago{good}"
    steps = len(found.steps)
    more = f": {steps} steps, {steps - found.to_run} stored" if steps > 1 else ""
    if found.seconds is None:
        return f"has to be computed; how long that takes is not known yet{more}"
    return f"about {span(found.seconds)}{more}"


class ExplainResource:
    """``/-/explain/{namespace}/{operation}``."""

    def __init__(self, forecasts: Forecasts, authorizer: Authorizer) -> None:
        self._forecasts = forecasts
        self._authorizer = authorizer

    async def on_get(self, req: Request, resp: Response, name: str) -> None:
        """Why the call in the query would hit or miss. Values in code are only for principals who may debug."""
        exported, call = await self._forecasts.asked(req, name)
        found = await self._forecasts.explanation(exported, call)
        is_open = self._authorizer.may(req, "debug", exported.namespace)
        send_json(resp, explanation_document(found, exported.name, is_open=is_open))

    on_head = on_get


class PlanResource:
    """``/-/plan/{namespace}/{operation}``."""

    def __init__(self, forecasts: Forecasts) -> None:
        self._forecasts = forecasts

    async def on_get(self, req: Request, resp: Response, name: str) -> None:
        """What the call in the query would have to run, and how long that may take."""
        exported, call = await self._forecasts.asked(req, name)
        found = await self._forecasts.forecast(exported, call)
        document = {
            "operation": exported.name,
            "text": found.text,
            "seconds": found.plan.seconds,
            "to_run": found.plan.to_run,
            "steps": [self._step(req, step) for step in found.plan.steps],
        }
        send_json(resp, document)

    on_head = on_get

    def _step(self, req: Request, step: Step) -> dict[str, Any]:
        name = self._forecasts.may_see(req, step.operation)
        facts = {"depth": step.depth, "operation": name, "need": step.need.value, "seconds": step.seconds}
        is_seen = name is not None
        return facts | {"arguments": dict(step.arguments) if is_seen else {}, "basis": step.basis}


def explanation_document(found: Explanation, name: str, *, is_open: bool) -> dict[str, Any]:
    """An explanation as JSON.

    Args:
        found: the explanation.
        name: of the operation, ``namespace/operation``.
        is_open: whether values in code may be told, and what the version follows.
    """
    entry = found.entry
    return {
        "operation": name,
        "status": found.status.value,
        "reason": found.reason,
        "key": None if found.key is None else found.key.text,
        "arguments": dict(found.arguments),
        "made": None if entry is None else iso(entry.created_at),
        "expires": None if entry is None or entry.expires_at == FOREVER else iso(entry.expires_at),
        "computing": found.computing,
        "differences": [difference_text(each, is_open=is_open) for each in found.differences],
        "closure": dict(found.closure) if is_open else {},
        "untracked": dict(found.untracked) if is_open else {},
        "releases": list(map(str, found.releases)) if is_open else [],
    }


def difference_text(found: Difference, *, is_open: bool) -> str:
    """A difference in words; of code only what differs, unless its values may be told."""
    if is_open or found.what != "code":
        return str(found)
    return f"{found.name} changed"
