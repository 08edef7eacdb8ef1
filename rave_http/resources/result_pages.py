"""Pages about products: made of the facts about a product, for those who ask with a browser."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final
from urllib.parse import urlencode

from falcon.asgi import Request, Response

from rave_core.backend import SupportsPins
from rave_core.clock import Clock
from rave_core.errors import UnrenderableError
from rave_core.introspection.explain import explain, untracked_lines
from rave_core.model import Call, Entry, Key, Status
from rave_core.rendering import is_table, notes_of, rows_of
from rave_core.rendering.tables import arrow_table
from rave_core.runtime.runtime import Runtime
from rave_core.storage.kept_copies import KeptCopies, KeptCopy
from rave_core.storage.written import suffix_of
from rave_http.auth.authorizer import Authorizer
from rave_http.description.operation_documents import name_behind
from rave_http.description.request_arguments import Asked
from rave_http.description.saved_calls import AskedCall
from rave_http.executors.foreign_code import ForeignCode
from rave_http.namespaces.exported import ExportedOperation
from rave_http.namespaces.live_catalog import LiveNamespaces
from rave_http.pages.chart import Chart
from rave_http.pages.explore_view import explore_url
from rave_http.pages.forms import form_fields
from rave_http.pages.lineage_view import LineageView
from rave_http.pages.result_view import ResultFacts, result_page
from rave_http.pages.row_controls import row_controls
from rave_http.pages.snippets import Snippet, snippets
from rave_http.protocol.links import Links
from rave_http.protocol.media_types import kind_of
from rave_http.protocol.origins import address_of
from rave_http.protocol.problems import Problem
from rave_http.protocol.responses import send_page
from rave_http.representation.author_charts import charts_of
from rave_http.representation.columns import columns_of
from rave_http.representation.figures import is_installed
from rave_http.representation.renderers import Rendering
from rave_http.representation.representations import MadeProduct, Representations
from rave_http.representation.table_query import read_table_query
from rave_http.representation.table_rows import TableRows, needs_arrow
from rave_http.representation.value_view import PAGE_ROWS, ValueView, clamped, view_of, written_rows
from rave_http.resources.browsers import is_browser
from rave_http.resources.forecasts import difference_text
from rave_http.resources.kept_versions import versions_of
from rave_http.resources.leads import roles_taken
from rave_http.resources.lineages import Lineages
from rave_http.worker.history import History
from rave_http.worker.kept_results import KeptResults

_HTML: Final = "text/html"
_JUST_MADE: Final = (Status.MISS, Status.REFRESHED)


@dataclass(frozen=True, slots=True)
class ShownResult:
    """A result that a page shows.

    Attributes:
        product: the result.
        status: how it came about.
        asked: the question that it answers; ``None`` if that is not known.
        call: the call of that; ``None`` likewise.
        tab: the part of the page.
        page: of a table's rows, from 1 on.
        texts: which rows of a table, by `rave_http.pages.row_controls.PARAMETERS`.
        copy: what is recorded of it if it is a kept copy.
    """

    product: MadeProduct
    exported: ExportedOperation
    status: Status
    asked: Asked | None = None
    call: Call | None = None
    tab: str = "view"
    page: int = 1
    texts: Mapping[str, Sequence[str]] = field(default_factory=dict)
    copy: KeptCopy | None = None

    @property
    def entry(self) -> Entry | None:
        """Its record; ``None`` if it is not kept."""
        return self.product.entry if self.status is not Status.UNCACHED else None


class ResultPages:
    """Makes pages about products. For the event loop of one worker."""

    def __init__(
        self,
        authorizer: Authorizer,
        namespaces: LiveNamespaces,
        representations: Representations,
        runtime: Runtime,
        links: Links,
        foreign: ForeignCode,
        clock: Clock,
        rows: TableRows,
        history: History,
        results: KeptResults,
        copies: KeptCopies,
    ) -> None:
        """Shows the results of the operations that ``namespaces`` export.

        Args:
            authorizer: decides who may refresh results, and see those that they were made from.
            namespaces: have the operations.
            representations: know the forms of results.
            runtime: has the caches.
            links: URLs that pages contain.
            foreign: calls the code that renders.
            clock: the source of time.
            rows: find rows of tables.
            history: learns what users look at.
            results: finds files that are elsewhere.
            copies: kept results.
        """
        self._authorizer = authorizer
        self._namespaces = namespaces
        self._representations = representations
        self._runtime = runtime
        self._links = links
        self._foreign = foreign
        self._clock = clock
        self._rows = rows
        self._history = history
        self._results = results
        self._copies = copies
        self._lineages = Lineages(namespaces, authorizer, links, clock)

    async def is_wanted(self, req: Request, product: MadeProduct) -> bool:
        """Whether the answer for a client that likes pages best is the page about a product.

        A program that asks for HTML gets the product itself if that is HTML.
        """
        if is_browser(req):
            return True
        forms = await self._representations.offers(product)
        return kind_of(forms[0].media_type) != _HTML

    async def send(self, req: Request, resp: Response, shown: ShownResult) -> None:
        """Sends the page about a result.

        Raises:
            OSError: a store is in trouble.
        """
        forms = await self._representations.offers(shown.product)
        facts = self._facts(req, shown, forms)
        if shown.tab == "view":
            self._note(req, shown)
            facts = replace(facts, view=await self._view(req, shown, forms, of=(facts.query or "")[1:]))
        elif shown.tab == "why":
            is_open = self._authorizer.may(req, "debug", shown.exported.namespace)
            facts = replace(facts, explanation=await asyncio.to_thread(self._explanation, shown, is_open))
        elif shown.tab == "lineage" and shown.entry is not None:
            facts = replace(facts, lineage=await self._lineage(req, shown, shown.entry))
        elif shown.tab == "as of" and shown.entry is not None:
            make = partial(versions_of, self._copies, shown.entry.key, self._links, now=self._clock.now())
            facts = replace(facts, versions=await asyncio.to_thread(make))
        elif shown.tab == "code":
            facts = replace(facts, snippets=self._snippets(req, shown, forms))
        page = result_page(facts, base=self._links.base, now=self._clock.now())
        send_page(resp, page, origin="" if facts.view is None else facts.view.origin)
        resp.append_header("Vary", "Accept, Prefer")

    def _note(self, req: Request, shown: ShownResult) -> None:
        """Records in the history of a user that they asked, once for each look from the first row on."""
        user, asked = self._user(req), shown.asked
        if user and asked is not None and asked.query is not None and shown.page == 1 and not shown.texts:
            self._history.note(user, AskedCall.of(shown.product.name, asked.texts))

    def _user(self, req: Request) -> str:
        principal = self._authorizer.principal(req)
        return "" if principal.kind == "anonymous" else principal.name

    async def _view(self, req: Request, shown: ShownResult, forms: Sequence[Rendering], *, of: str) -> ValueView:
        product, entry = shown.product, shown.entry
        url = self._product_url(shown)
        is_rows = not product.spec.kind.is_written and is_table(product.value)
        if shown.texts and is_rows and not is_installed("pyarrow"):
            raise needs_arrow()
        if entry is not None and is_rows and is_installed("pyarrow"):
            links = {"page": self._links.to_result(entry.key), "product": url, "of": of}
            leads = self._leads(req, shown)
            try:
                return await asyncio.to_thread(self._table, shown, entry, links, leads)
            except Problem as error:  # with what is wanted of the rows; the result itself is the way on
                error.extensions["result"] = f"{links['page']}?{urlencode({'of': of})}" if of else links["page"]
                raise
            except UnrenderableError:  # it has no form in Arrow, so it can only be looked at
                pass
        make = partial(view_of, url=url, page=shown.page)
        return await self._foreign.call(product.name, make, await self._where_it_is(shown), forms)

    async def _where_it_is(self, shown: ShownResult) -> MadeProduct:
        """The product as its URL gives it: a file that was just made here may be sent from elsewhere."""
        product, entry = shown.product, shown.entry
        if entry is None or not product.spec.kind.is_written or shown.status not in _JUST_MADE:
            return product
        cache = shown.exported.resolved.cache
        found = await asyncio.to_thread(self._results.look, cache, Key.parse(entry.key))
        return product if found is None else replace(product, value=found.value)

    def _leads(self, req: Request, shown: ShownResult) -> Mapping[str, str]:
        """Where values lead, by the role of their columns: URLs up to the value. They take the time along."""
        names, asked = shown.product.spec.time_range, shown.asked
        texts = {} if asked is None or asked.document is not None else dict(asked.texts)
        times = [(to, texts.get(name, "")) for to, name in zip(("from", "to"), names or (), strict=False)]
        along = [(to, text) for to, text in times if text]
        url = self._links.to("/-/ui/leads")
        roles = roles_taken(self._namespaces, lambda space: self._authorizer.may(req, "view", space))
        return {role: f"{url}?{urlencode([('role', role), *along, ('value', '')])}" for role in roles}

    def _table(self, shown: ShownResult, entry: Entry, links: Mapping[str, str], leads: Mapping[str, str]) -> ValueView:
        """The rows of a table that a page shows, with what can be done with them."""
        table = arrow_table(shown.product.value, "rows")
        names = table.schema.names
        found = self._rows.find(table, read_table_query(names, **shown.texts), digest=entry.digest)
        first = (clamped(shown.page, found.total) - 1) * PAGE_ROWS
        part = [list(row) for row in rows_of(found.part(first, PAGE_ROWS), "html").rows]
        rows = written_rows(columns_of(table.schema, leads), part, first=first, total=found.total)
        controls = row_controls(names, shown.texts, found.counts, **links, matching=found.total, total=len(table))
        charts: Sequence[tuple[str, Chart | str]] = ()
        if (views := shown.product.spec.hints.views) and table.num_columns:
            matching = read_table_query(names, where=shown.texts.get("where", ()))
            charts = charts_of(views, self._rows.find(table, matching, digest=entry.digest))
        return ValueView(kind="table", rows=rows, controls=controls, charts=charts)

    def _product_url(self, shown: ShownResult) -> str:
        return "" if shown.entry is None else self._links.to_product(shown.entry.key)

    def _facts(self, req: Request, shown: ShownResult, forms: Sequence[Rendering]) -> ResultFacts:
        product, entry, exported = shown.product, shown.entry, shown.exported
        query = None if shown.asked is None else shown.asked.query
        behind = name_behind(product.name, product.spec)
        return ResultFacts(
            name=product.name,
            key="" if entry is None else entry.key,
            status=shown.status,
            entry=entry,
            version="" if entry is None else f"{Key.parse(entry.key).version[:8]} by {entry.version_note}",
            arguments=_arguments(shown),
            query=query,
            tab=shown.tab,
            forms=self._forms(shown, forms, query),
            may_refresh=shown.copy is None and self._authorizer.may(req, "refresh", exported.namespace),
            copy=shown.copy,
            may_keep=self._may_keep(req, shown),
            explore="" if shown.asked is None else self._explore_url(product, shown.asked),
            may_save=query is not None and bool(self._user(req)),
            behind="" if behind is None or query is None else f"{self._links.to_operation(behind)}{query}",
            behind_name=behind or "",
            notes=() if product.spec.kind.is_written else notes_of(product.value),
        )

    def _explore_url(self, product: MadeProduct, asked: Asked) -> str:
        if asked.document is not None:
            return ""
        return explore_url(self._links.base, product.name, product.spec.time_range, asked.texts)

    def _may_keep(self, req: Request, shown: ShownResult) -> bool:
        """Whether the page offers to keep a result: the client may compute it, and its store can keep copies."""
        if shown.copy is not None or shown.entry is None:
            return False
        store = shown.exported.resolved.cache.backend
        is_able = store.capability(SupportsPins) is not None
        return is_able and self._authorizer.may(req, "run", shown.exported.namespace)

    def _forms(
        self, shown: ShownResult, forms: Sequence[Rendering], query: str | None
    ) -> Sequence[tuple[str, str, str]]:
        """The forms with their URLs. The one of a result that nobody keeps makes another one."""
        url = self._product_url(shown)
        if not url:
            if query is None:
                return ()
            url = f"{self._links.to_operation(shown.product.name)}{query}"
        sep = "&" if "?" in url else "?"
        return [(form.name, form.media_type, f"{url}{sep}rave.f={form.name}") for form in forms]

    def _explanation(self, shown: ShownResult, is_open: bool) -> Sequence[tuple[str, str]]:
        if shown.call is None:
            return [("question", "not known: its arguments are recorded in a short form only")]
        found = explain(shown.exported.resolved, shown.call, now=self._clock.now())
        pairs = [("answer", f"{found.status}, since {found.reason}")]
        pairs += [("differs", difference_text(each, is_open=is_open)) for each in found.differences]
        pairs += [("being made", found.computing)] if found.computing else []
        if not is_open:  # values in code are not for everybody
            return pairs
        pairs += [("made with", str(each).removeprefix("made with ")) for each in found.releases]
        pairs += [("depends on", f"{label}, {text}") for label, text in list(found.closure.items())[:50]]
        return [*pairs, *(("not tracked", line) for line in untracked_lines(found))]

    async def _lineage(self, req: Request, shown: ShownResult, entry: Entry) -> LineageView:
        caches = (shown.exported.resolved.cache, self._runtime.cache, self._runtime.products)
        return await self._lineages.view(req, caches, Key.parse(entry.key), shown.product.name)

    def _snippets(self, req: Request, shown: ShownResult, forms: Sequence[Rendering]) -> Sequence[Snippet]:
        asked = shown.asked
        if asked is None or asked.document is not None:
            return ()
        fields = form_fields(shown.exported.operation)
        base = self._links.base
        address = base if "://" in base else f"{origin_of(req, self._authorizer)}{base}"
        suffix = suffix_of(forms[0].media_type)
        return snippets(shown.product.name, fields, list(asked.texts), address=address, suffix=suffix)


def _arguments(shown: ShownResult) -> dict[str, str]:
    if shown.entry is not None and shown.entry.arguments:
        return shown.entry.arguments
    asked = shown.asked
    if asked is None:
        return {}
    if asked.document is not None:
        return {name: str(value) for name, value in asked.document.items()}
    texts: dict[str, str] = {}
    for name, text in asked.texts:
        texts[name] = f"{texts[name]}, {text}" if name in texts else text
    return texts


def origin_of(req: Request, authorizer: Authorizer) -> str:
    """How the client reached the service, so that examples on a page can be copied."""
    return address_of(req.scope["headers"], scheme=req.scheme, is_trusted=authorizer.is_behind_proxy(req))
