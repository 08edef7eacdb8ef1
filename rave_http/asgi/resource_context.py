"""The context: what the service offers to resources of plugins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from falcon.asgi import Request, Response

from rave_core.documents import DocumentStore
from rave_core.events import Events
from rave_core.leadership import Leadership
from rave_core.operations.operation import AnyOperation
from rave_core.runtime.runtime import Runtime
from rave_core.settings import Settings
from rave_http.asgi.leaderships import Leaderships
from rave_http.auth.authorization import SERVICE, Principal
from rave_http.auth.authorizer import Authorizer
from rave_http.protocol.json_bodies import from_json
from rave_http.protocol.links import Links
from rave_http.protocol.problems import Problem
from rave_http.protocol.responses import Page, prefers, send_json, send_page

BODY: Final = "rave_body"
"""The attribute of ``req.context`` that holds the body of a request."""


@dataclass(frozen=True, slots=True)
class ResourceContext:
    """What a resource of a plugin gets from the service. Safe for threads.

    Attributes:
        runtime: the service's, with its caches, documents and events.
        links: build the URLs that an answer contains.
    """

    runtime: Runtime
    links: Links
    _authorizer: Authorizer
    _page: Callable[..., Page]
    _leaderships: Leaderships
    _find: Callable[[str], AnyOperation | None]
    _is_stopping: Callable[[], bool]

    Problem = Problem

    @property
    def settings(self) -> Settings:
        """The settings of the runtime, with the table of every plugin."""
        return self.runtime.settings

    @property
    def documents(self) -> DocumentStore:
        """The document store of the service, opened when it is first used.

        It waits for a database: call it in a function, or by `asyncio.to_thread` in a coroutine. Let its errors pass:
        a `Conflict` becomes a 409, an `InvalidDocumentError` a 400, and a `StoreAwayError` a 503 with ``Retry-After``.

        Raises:
            ConfigurationError: the setting ``documents`` is wrong, or the store's driver is not installed.
            StoreAwayError: the store can't be reached.
            LaterSchemaError: a later version of RAVE made it.
        """
        return self.runtime.documents

    @property
    def events(self) -> Events:
        """Where to publish what happens, and to subscribe to it; publishing never waits."""
        return self.runtime.events

    @property
    def is_stopping(self) -> bool:
        """Whether the worker is about to stop. A stream that looks every second and ends then, delays no stop."""
        return self._is_stopping()

    def operation(self, name: str) -> AnyOperation | None:
        """The operation that the service serves as ``namespace/operation`` now; ``None`` if there is none.

        A call runs in the worker itself. It asks for no permission.
        """
        return self._find(name)

    def leadership(self, name: str) -> Leadership:
        """Competes to lead ``name`` among all workers and hosts that share the cache, until this worker stops.

        The same name gives the same object. Do not close it.

        Raises:
            ConfigurationError: the cache has no leases that other processes could see.
        """
        return self._leaderships.named(name)

    def principal(self, req: Request) -> Principal:
        """Who asks.

        Raises:
            Problem: the credentials are not valid.
        """
        return self._authorizer.principal(req)

    def may(self, req: Request, permission: str, namespace: str = SERVICE) -> bool:
        """Whether the principal has a permission.

        Raises:
            Problem: the credentials are not valid.
        """
        return self._authorizer.may(req, permission, namespace)

    def require(self, req: Request, permission: str, namespace: str = SERVICE) -> None:
        """Returns if the principal has a permission; the audit log records a refusal.

        Raises:
            Problem: they do not have it; ``not-found`` if they may not even view the namespace.
        """
        self._authorizer.require(req, permission, namespace)

    def audit(self, req: Request, action: str, *, allowed: bool = True) -> None:
        """Records in the audit log that a request changes something, or was refused."""
        self._authorizer.audit(req, action, allowed=allowed)

    def read_body(self, req: Request) -> bytes:
        """The whole body of a request, as it was sent; never above the route's limit."""
        body: bytes = getattr(req.context, BODY, b"")
        return body

    def read_json(self, req: Request) -> Any:
        """The body of a request as JSON.

        Raises:
            Problem: it is not JSON, or has a member twice.
        """
        return from_json(self.read_body(req))

    def prefers(self, req: Request, *offered: str) -> str:
        """The offered media type that a client prefers; the first if it accepts none of them."""
        return prefers(req, *offered)

    def send_json(self, resp: Response, document: Any, *, status: str = "200 OK") -> None:
        """Answers with a document as JSON, which no cache may keep."""
        send_json(resp, document, status=status)

    def send_page(self, resp: Response, title: str, content: str, *, status: str = "200 OK", style: str = "") -> None:
        """Answers with a page in the style of the service.

        Args:
            resp: the answer.
            title: its heading, as plain text.
            content: HTML below the heading. Escape all text in it that comes from outside, with `html.escape`.
            status: of HTTP.
            style: CSS for this page. A browser ignores styles and scripts within ``content``.
        """
        page = self._page("plugin.html", base=self.links.base, title=title, content=content, style=style)
        send_page(resp, page, status=status)
