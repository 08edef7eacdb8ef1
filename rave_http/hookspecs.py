"""The hooks that a plugin of the service may implement, for the pluggy project ``rave_http``.

A plugin is a module or object found through the entry-point group ``rave.http``; it implements any of these hooks
under the same name, with ``hookimpl`` as decorator and any subset of the parameters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import pluggy

from rave_http.asgi.resource_context import ResourceContext
from rave_http.asgi.route import Route
from rave_http.auth.authorization import Principal
from rave_http.protocol.request_record import RequestRecord
from rave_http.representation.document_forms import Accept, DocumentForm
from rave_http.representation.renderers import Rendering

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rave_core.registry import Registry
    from rave_core.settings import Settings
    from rave_http.executors import ExecutorFactory

__all__ = [
    "Accept",
    "DocumentForm",
    "Principal",
    "Rendering",
    "RequestRecord",
    "ResourceContext",
    "Route",
    "hookimpl",
    "hookspec",
    "inline",
    "rave_http_authorize",
    "rave_http_middleware",
    "rave_http_render",
    "rave_http_represent",
    "rave_http_resources",
    "rave_register_executors",
]

T = TypeVar("T")

hookspec = pluggy.HookspecMarker("rave_http")
hookimpl = pluggy.HookimplMarker("rave_http")


def inline(promising: T) -> T:
    """Marks middleware, or an implementation of ``rave_http_authorize``, that never waits for anything.

    The event loop then calls it itself, which is faster. Whatever blocks there holds up every request of the worker.
    """
    promising.inline = True  # type: ignore[attr-defined]  # functions and classes have attributes
    return promising


@hookspec
def rave_register_executors(registry: Registry[ExecutorFactory]) -> None:
    """Adds executors by name, for the setting ``executor``: ``registry.add("dask", factory, origin=__name__)``."""


@hookspec
def rave_http_middleware(settings: Settings) -> Sequence[object] | None:
    """Falcon middleware for the service, made once in each worker; the first is the outermost.

    Its methods run in threads, ten seconds at most, unless it is marked as `inline`.

    ``req.scope["rave"]`` is the `RequestRecord` of a request: who asks, and from which address.
    """


@hookspec(firstresult=True)
def rave_http_authorize(principal: Principal, permission: str, namespace: str) -> bool | None:
    """Whether a principal has a permission in a namespace (``*`` for the service itself); ``None`` means "no opinion".

    It is called for every request, in a thread and for all permissions that may matter; ten seconds for these at most.
    One that is marked as `inline` is called in the event loop, so it must not block.
    """


@hookspec
def rave_http_render(value: Any, mime_type: str) -> Sequence[Rendering] | None:
    """Forms that a value can take beyond the built-in ones, the best first; they come before those.

    Called in a thread. ``value`` is shared, so do not change it. ``None`` means "no forms".
    """


@hookspec(firstresult=True)
def rave_http_represent(kind: str, document: Mapping[str, Any], accept: Accept) -> DocumentForm | None:
    """Another form of a document of the service; ``None`` means "not mine".

    ``kind`` is ``catalog``, ``namespace``, ``operation`` or ``product``; ``document`` is what a client gets as JSON, a
    copy; ``accept`` is what this client asks for. It is only asked about clients that want something other than JSON or
    a page. Called in a thread, for the time of any plugin's code.
    """


@hookspec
def rave_http_resources(context: ResourceContext) -> Sequence[Route] | None:
    """Paths below ``/-/`` that the plugin answers; asked once in each worker, when it starts.

    Permissions, limits, audit, metrics, problems and OpenAPI apply to them as to the service's own paths. If a route is
    wrong, or its first part belongs to another, all routes of the plugin are left out, and that is a problem of the
    plugin.
    """
