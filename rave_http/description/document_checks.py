"""The bodies of the service's own paths, checked against the documents that the OpenAPI document names."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from rave_http.description.openapi.schemas import SCHEMAS
from rave_http.description.schema_validator import SchemaValidator
from rave_http.protocol.problems import Problem


def check_document(name: str, given: Mapping[str, Any]) -> None:
    """Returns if ``given``, a JSON object or the texts of a form, is a document as `SCHEMAS` has it under ``name``.

    Raises:
        Problem: it does not fit. The problem names the wrong member (empty for the whole body), and says what fits.
    """
    misfit = _validator(name).outermost(given)
    if misfit is None:
        return
    detail = f"{misfit.path!r}: {misfit.detail}" if misfit.steps else f"the body: {misfit.detail}"
    error = {"pointer": misfit.pointer, "detail": detail, "schema": SCHEMAS[name]}
    parameter = str(misfit.steps[0])[:80] if misfit.steps else ""
    raise Problem("bad-arguments", detail, errors=[{"parameter": parameter} | error])


@cache
def _validator(name: str) -> SchemaValidator:
    return SchemaValidator(SCHEMAS[name])
