"""The signature that an operation shows."""

from __future__ import annotations

import inspect

from rave_core.model import OperationSpec


def signature_of(spec: OperationSpec) -> inspect.Signature:
    """That of the function without an output path, which gives the path of the file."""
    try:
        returned = inspect.signature(spec.function).return_annotation
    except (TypeError, ValueError):
        returned = inspect.Signature.empty
    if spec.kind.is_written:
        returned = str
    return spec.signature.replace(return_annotation=returned)
