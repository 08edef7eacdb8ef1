"""The service over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rave_http.protocol.tracing import traceparent

__all__ = ["traceparent"]


def __getattr__(name: str) -> object:
    """Imports what the body of an operation asks for only then: the client and the arbiter import next to nothing."""
    if name == "traceparent":
        from rave_http.protocol.tracing import traceparent

        return traceparent
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
