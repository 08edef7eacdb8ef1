"""The dashboards of a service: listed, read, saved and removed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final
from urllib.parse import quote

import requests

from rave_http.client.ask import Ask
from rave_http.client.deadline import Limits
from rave_http.client.errors import BadURL, UnexpectedAnswer
from rave_http.client.options import Options
from rave_http.client.requester import Requester, problem_of
from rave_http.client.transport import read_some

_PATH: Final = "/-/dashboards"
_PART: Final = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredDashboard:
    """A dashboard as the service has it.

    Attributes:
        owner: the user whose it is.
        name: under which they keep it.
        title: in words.
        shared: with whom.
        etag: of this version.
        by: who saved it; empty if that was not told.
        modified: when, in ISO 8601; likewise.
        document: what it says, ``rave.dashboard/1``; empty in a list.
    """

    owner: str
    name: str
    title: str = ""
    shared: Sequence[str] = ()
    etag: str = ""
    by: str = ""
    modified: str = ""
    document: Mapping[str, Any] = field(default_factory=dict)

    @property
    def path(self) -> str:
        """``owner/name``, by which it is asked for."""
        return f"{self.owner}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class FrozenDashboard:
    """What was frozen of a dashboard.

    Attributes:
        as_of: the identifier by which its page is asked for.
        by: who froze it.
        frozen: when, in ISO 8601.
    """

    as_of: str
    by: str
    frozen: str


class Dashboards:
    """The dashboards of a service that its user may see. Safe for threads.

    All methods raise `ServiceError` if there is a problem, such as `NotFound` and `PreconditionFailed`,
    `ConnectionFailed` if the service can't be reached, and `UnexpectedAnswer` if something else answers.
    """

    def __init__(self, requester: Requester, base: str, options: Options) -> None:
        """Asks the service at ``base`` by ``requester``, for as long as ``options`` say."""
        self._requester = requester
        self._base = base
        self._options = options

    def list(self) -> list[StoredDashboard]:
        """The dashboards, without their documents: the user's own first, then others by title."""
        ask = Ask(f"{self._base}{_PATH}")
        listed = self._asked(ask)[0].get("documents")
        if not isinstance(listed, list):
            raise UnexpectedAnswer(f"{ask.url}: expected a list of dashboards")
        return [_stored(each) for each in listed if isinstance(each, dict)]

    def get(self, path: str, version: int | None = None) -> StoredDashboard:
        """A dashboard with its document.

        Args:
            path: ``owner/name``.
            version: the number of an earlier version; the newest by default.
        """
        ask = Ask(self._url(path) + ("" if version is None else f"?version={version}"))
        document, etag = self._asked(ask)
        owner, _, name = path.partition("/")
        told = {"owner": owner, "name": name, "title": document.get("title"), "shared": document.get("shared")}
        return replace(_stored(told), etag=etag, document=document)

    def save(
        self, path: str, document: Mapping[str, Any], *, etag: str | None = None, is_new: bool = False
    ) -> StoredDashboard:
        """Saves a dashboard.

        Args:
            path: ``owner/name``.
            document: what it says.
            etag: of the version that it replaces; by default it replaces whatever is there.
            is_new: whether there must be none yet.
        """
        condition = {"If-None-Match": "*"} if is_new else {} if etag is None else {"If-Match": etag}
        body = json.dumps(document).encode()
        ask = Ask(self._url(path), {"Content-Type": "application/json", **condition}, body, "PUT")
        return replace(_stored(self._asked(ask)[0]), document=document)

    def remove(self, path: str, *, etag: str | None = None) -> None:
        """Removes a dashboard of the user's own.

        Args:
            path: ``owner/name``.
            etag: of the version that is removed; by default whatever is there.
        """
        self._asked(Ask(self._url(path), {} if etag is None else {"If-Match": etag}, verb="DELETE"))

    def frozen(self, path: str) -> Sequence[FrozenDashboard]:
        """What was frozen of a dashboard ``owner/name``, the newest first."""
        ask = Ask(f"{self._url(path)}/frozen")
        listed = self._asked(ask)[0].get("frozen")
        if not isinstance(listed, list):
            raise UnexpectedAnswer(f"{ask.url}: expected a list of frozen dashboards")
        return [FrozenDashboard(**{name: str(each.get(name, "")) for name in ("as_of", "by", "frozen")})
                for each in listed if isinstance(each, dict)]  # fmt: skip

    def remove_frozen(self, path: str, as_of: str) -> None:
        """Removes what was frozen: for the owner of the dashboard, and for who froze it.

        Args:
            path: ``owner/name`` of the dashboard.
            as_of: by which it is asked for, as `frozen` lists it.
        """
        self._asked(Ask(f"{self._url(path)}/frozen/{quote(as_of, safe='')}", verb="DELETE"))

    def _url(self, path: str) -> str:
        owner, _, name = path.partition("/")
        if not (owner and name) or "/" in name:
            raise BadURL(f"{path[:80]!r} is no dashboard; write OWNER/NAME, such as 'ada/border'")
        return f"{self._base}{_PATH}/{quote(owner, safe='')}/{quote(name, safe='')}"

    def _asked(self, ask: Ask) -> tuple[Mapping[str, Any], str]:
        """The document that the service answers with, empty for none, and its entity tag."""
        limits = Limits.after(self._options.timeout, self._options.total_timeout)
        asked = ask.having({"Accept": "application/json"})
        response = self._requester.answer(asked, limits, tell=lambda _: None)
        if response.status_code not in (200, 204):
            raise problem_of(response)
        etag = response.headers.get("ETag", "")
        return ({} if response.status_code == 204 else _document(response)), etag


def _document(response: requests.Response) -> Mapping[str, Any]:
    parts = bytearray()
    while part := read_some(response, _PART):
        parts += part
    response.close()
    try:
        found = json.loads(parts)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise UnexpectedAnswer(f"{response.url}: the answer is not a JSON object")
    return found


def _stored(document: Mapping[str, Any]) -> StoredDashboard:
    """The dashboard that an answer describes; what is missing or odd is left out."""

    def text(name: str) -> str:
        value = document.get(name)
        return value if isinstance(value, str) else ""

    shared = document.get("shared")
    return StoredDashboard(
        owner=text("owner"),
        name=text("name"),
        title=text("title"),
        shared=tuple(map(str, shared)) if isinstance(shared, list) else (),
        etag=text("etag"),
        by=text("by"),
        modified=text("modified"),
    )
