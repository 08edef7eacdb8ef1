"""The service as OpenAPI 3.1 describes it."""

from rave_http.description.openapi.documents import document

__all__ = ["document"]
