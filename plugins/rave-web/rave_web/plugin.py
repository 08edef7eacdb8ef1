"""What this package adds to the service: each hook of the group ``rave.http``, once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rave_http.hookspecs import hookimpl, inline
from rave_web.gate import Gate, granted

if TYPE_CHECKING:
    from rave_core.registry import Registry
    from rave_core.settings import Settings
    from rave_http.executors import Executor, ExecutorContext, ExecutorFactory
    from rave_http.hookspecs import Accept, DocumentForm, Principal, Rendering


@hookimpl
def rave_register_executors(registry: Registry[ExecutorFactory]) -> None:
    """Adds ``coroutines``."""
    registry.add("coroutines", open_coroutines, origin=__name__)


def open_coroutines(context: ExecutorContext) -> Executor:
    """Provides room for as many coroutines as ``[plugins.web]`` says."""
    from rave_web.coroutines import CoroutineExecutor
    from rave_web.settings import WebSettings

    return CoroutineExecutor(WebSettings.of(context.settings).coroutines)


@hookimpl
def rave_http_middleware(settings: Settings) -> Sequence[object] | None:
    """The gate for every request; none if it would have nothing to do, because it costs some time."""
    from rave_web.settings import WebSettings

    own = WebSettings.of(settings)
    return [Gate()] if own.networks or own.headers or own.hsts is not None else None


@hookimpl
@inline
def rave_http_authorize(principal: Principal, permission: str) -> bool | None:
    """Grants what the request's network grants; has no opinion on anything else."""
    return True if principal.kind == "anonymous" and permission in granted.get() else None


@hookimpl
def rave_http_render(value: Any, mime_type: str) -> Sequence[Rendering] | None:
    """Offers tables as Markdown."""
    from rave_web.markdown import forms_of

    return forms_of(value, mime_type)


@hookimpl
def rave_http_represent(kind: str, document: Mapping[str, Any], accept: Accept) -> DocumentForm | None:
    """Offers the catalog, and descriptions of operations, as Markdown."""
    from rave_web.catalog_markdown import form_of

    return form_of(kind, document, accept)
