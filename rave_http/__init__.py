"""The service over HTTP."""

from rave_http.protocol.tracing import traceparent

__all__ = ["traceparent"]
