"""The page about a product: what it is, how old, what it cost, and what can be done with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

from rave_core.model import FOREVER, Entry, Status
from rave_core.storage.kept_copies import KeptCopy
from rave_core.text.humanize import size, span
from rave_http.pages.lineage_view import LineageView, told_step
from rave_http.pages.me_view import SaveForm
from rave_http.pages.snippets import Snippet
from rave_http.pages.templating import page
from rave_http.protocol.responses import Page
from rave_http.protocol.times import iso

TABS: Final = ("view", "why", "lineage", "as of", "formats", "code")
"""The parts of the page; the first one is shown unless another is asked for."""
_STATES: Final = {
    Status.HIT: ("stored", "good"),
    Status.STALE: ("expired, being made anew", "warn"),
    Status.MISS: ("just made", "info"),
    Status.REFRESHED: ("made anew", "info"),
    Status.UNCACHED: ("not stored", "warn"),
}
_LONGEST: Final = 300
_MANY: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptVersion:
    """A kept result of the same call.

    Attributes:
        url: of its page; empty for the one that is shown.
        compare: the URL that compares it with what is shown.
        made: when it was made, in UTC.
        age: the same, as how long ago.
        by: who keeps it; empty for nobody in particular.
        comment: why.
        is_other_code: whether another version of the code made it.
    """

    url: str
    compare: str
    made: str
    age: str
    by: str
    comment: str
    is_other_code: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultFacts:
    """What the page about a product says.

    Attributes:
        name: ``namespace/operation``.
        key: its text; empty for a result that is not kept.
        status: how it came about.
        entry: its record; ``None`` for a result that is not kept.
        version: of its code, in words.
        arguments: by name, in a short form.
        query: of the question that it answers, with its question mark; ``None`` if that is not known.
        tab: which of `TABS` is shown.
        forms: short name, media type and URL of each form.
        may_refresh: whether the principal may have it made anew.
        may_keep: whether the page offers to keep it.
        explore: the URL of the page that explores it in time; empty for none.
        may_save: whether the page offers to save its question.
        copy: what is recorded of it if it is a kept copy.
        behind: the URL of the result that it shows, such as the table behind a picture; empty if there is none.
        behind_name: the operation of that.
        notes: what it says about itself.
        view: a `rave_http.representation.value_view.ValueView`, for the first tab.
        explanation: names and texts: why it is as it is.
        lineage: what it was made from, and what from it.
        versions: the kept results of the same call.
        snippets: ways to ask from a program.
    """

    name: str
    key: str
    status: Status
    entry: Entry | None
    version: str = ""
    arguments: Mapping[str, str]
    query: str | None
    tab: str = "view"
    forms: Sequence[tuple[str, str, str]] = ()
    may_refresh: bool = False
    may_keep: bool = False
    may_save: bool = False
    explore: str = ""
    copy: KeptCopy | None = None
    behind: str = ""
    behind_name: str = ""
    notes: Sequence[str] = ()
    view: Any = None
    explanation: Sequence[tuple[str, str]] = ()
    lineage: LineageView = field(default_factory=LineageView)
    versions: Sequence[KeptVersion] = ()
    snippets: Sequence[Snippet] = ()


def result_page(facts: ResultFacts, *, base: str, now: float) -> Page:
    """The page about a product.

    Args:
        facts: what it says.
        base: the prefix of every link.
        now: Unix seconds.
    """
    word, mood = _STATES[facts.status] if facts.copy is None else ("kept as it was", "good")
    entry = facts.entry
    unset = _unset(facts.arguments)
    return page(
        "result.html",
        base=base,
        facts=facts,
        namespace=facts.name.partition("/")[0],
        short=facts.name.partition("/")[2],
        state={"word": word, "mood": mood},
        arguments=[(name, _cut(text)) for name, text in facts.arguments.items() if name not in unset],
        unset=unset,
        entry=None if entry is None else _entry(entry, now),
        links=_links(facts, base),
        save=SaveForm(call=f"{facts.name}{facts.query or ''}"),
        tabs=[(name, _tab_url(facts, name, base)) for name in TABS if name == "view" or facts.key],
        steps=[told_step(row, now) for row in facts.lineage.steps],
        users=[told_step(row, now) for row in facts.lineage.users],
    )


def _unset(arguments: Mapping[str, str]) -> Sequence[str]:
    """The names of arguments that a page folds away: those that are ``None``, where there are many."""
    return [name for name, text in arguments.items() if text == "None"] if len(arguments) > _MANY else ()


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _entry(entry: Entry, now: float) -> dict[str, Any]:
    is_forever = entry.expires_at == FOREVER
    left = entry.expires_at - now
    return {
        "age": span(now - entry.created_at),
        "created": iso(entry.created_at),
        "expires": "" if is_forever else iso(entry.expires_at),
        "expires_at": "" if is_forever else f"{entry.expires_at:.3f}",
        "left": "" if is_forever else span(left),
        "is_expired": not is_forever and left <= 0,
        "took": span(entry.seconds),
        "seconds": f"{entry.seconds:.6g}",
        "size": size(entry.size),
        "bytes": entry.size,
        "digest": entry.digest,
        "python": entry.python,
        "plugin": entry.plugin,
        "mime_type": entry.mime_type,
        "codec": entry.codec,
    }


def _links(facts: ResultFacts, base: str) -> dict[str, str]:
    """Where the page leads; an empty one is not offered."""
    run, form = f"{base}/{quote(facts.name)}", f"{base}/-/ui/{quote(facts.name)}"
    query = facts.query
    refresh = "" if query is None else f"{run}{query}{'&' if query else '?'}rave.refresh=true"
    return {
        "result": _own_url(facts, base),
        "kept": f"{base}/-/kept",
        "question": "" if query is None else f"{run}{query}",
        "change": f"{form}{query or ''}",
        "refresh": refresh if facts.may_refresh and facts.key else "",
        "product": f"{base}/-/products/{facts.key}" if facts.key else "",
        "behind": facts.behind,
    }


def _own_url(facts: ResultFacts, base: str) -> str:
    """The URL of this very result: what is made under its key later is another one. Empty if nothing is kept."""
    if facts.copy is not None:
        return f"{base}/-/kept/{facts.copy.id}"
    if not facts.key or facts.entry is None:
        return ""
    return f"{base}/-/ui/r/{facts.key}?rave.digest={facts.entry.digest}"


def _tab_url(facts: ResultFacts, tab: str, base: str) -> str:
    """The URL of a part of the page. It carries the question along, which can't always be found from the key alone."""
    if not facts.key:
        return ""
    asked = [] if tab == "view" else [f"tab={quote(tab)}"]
    if facts.query:
        asked.append(f"of={quote(facts.query[1:], safe='')}")
    return f"{base}/-/ui/r/{facts.key}{'?' if asked else ''}{'&'.join(asked)}"
