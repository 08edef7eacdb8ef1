"""``/-/ui/leads``: the operations that take a value of a table."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlencode

from falcon.asgi import Request, Response

from rave_http.auth.authorizer import Authorizer
from rave_http.description.docstrings import prose
from rave_http.namespaces.live_catalog import LiveNamespaces
from rave_http.pages.templating import page
from rave_http.protocol.links import Links
from rave_http.protocol.problems import Problem
from rave_http.protocol.queries import pairs
from rave_http.protocol.responses import send_page

_PARAMETERS: Final = ("role", "value", "from", "to")
_MOST: Final = 100


@dataclass(frozen=True, slots=True)
class Lead:
    """An operation that takes values of a role.

    Attributes:
        name: ``namespace/operation``.
        parameter: which takes them.
        time_range: its parameters for a span of time; ``None`` for none.
        summary: what it does.
    """

    name: str
    parameter: str
    time_range: tuple[str, ...] | None
    summary: str


def leads_of(namespaces: LiveNamespaces, role: str, may_view: Callable[[str], bool]) -> Iterator[Lead]:
    """The operations that take values of a role, in the order of the catalog, except those that may not be seen."""
    for name, operation in namespaces.catalog:
        spec = operation.spec
        for parameter, taken in spec.hints.takes.items():
            if taken == role and may_view(name.partition("/")[0]):
                yield Lead(name, parameter, spec.time_range, prose(spec.doc).summary)


def roles_taken(namespaces: LiveNamespaces, may_view: Callable[[str], bool]) -> frozenset[str]:
    """The roles whose values some operation takes that may be seen."""
    return frozenset(
        role
        for name, operation in namespaces.catalog
        if operation.spec.hints.takes and may_view(name.partition("/")[0])
        for role in operation.spec.hints.takes.values()
    )


class Leads:
    """Offers the operations that take a value. For the event loop of one worker."""

    def __init__(self, namespaces: LiveNamespaces, authorizer: Authorizer, links: Links) -> None:
        self._namespaces = namespaces
        self._authorizer = authorizer
        self._links = links

    async def on_get(self, req: Request, resp: Response) -> None:
        """The forms that take the value; with one of them, the client is sent there.

        Raises:
            Problem: a parameter is unknown or missing.
        """
        given = _read(req)
        found = leads_of(self._namespaces, given["role"], lambda space: self._authorizer.may(req, "view", space))
        offered = [(lead, self._url(lead, given)) for lead in found]
        if len(offered) == 1:
            resp.status = "303 See Other"
            resp.set_header("Location", offered[0][1])
            resp.set_header("Cache-Control", "no-store")
            return
        made = await asyncio.to_thread(page, "leads.html", base=self._links.base, given=given, offered=offered)
        send_page(resp, made)

    on_head = on_get

    def _url(self, lead: Lead, given: dict[str, str]) -> str:
        asked = [(lead.parameter, given["value"])]
        if lead.time_range is not None:
            times = zip(lead.time_range, (given.get("from", ""), given.get("to", "")), strict=False)
            asked += [(name, text) for name, text in times if text and name != lead.parameter]
        return f"{self._links.to(f'/-/ui/{quote(lead.name)}')}?{urlencode(asked)}"


def _read(req: Request) -> dict[str, str]:
    given: dict[str, str] = {}
    for name, text in pairs(req.query_string, most=_MOST):
        if name not in _PARAMETERS or name in given:
            raise _wrong(
                name, f"the parameter {name[:80]!r} is unknown or given twice; there are {', '.join(_PARAMETERS)}"
            )
        given[name] = text
    for name in ("role", "value"):
        if name not in given:
            raise _wrong(name, f"{name} is missing")
    return given


def _wrong(name: str, detail: str) -> Problem:
    return Problem("bad-arguments", detail, errors=[{"parameter": name[:80], "detail": detail}])
