"""The service as OpenAPI 3.1 describes it."""

from rave_http.openapi.documents import document

__all__ = ["document"]
