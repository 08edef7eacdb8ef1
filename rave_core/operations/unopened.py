"""Answers a call without a runtime, if the call interrupts the opening of the runtime itself."""

from __future__ import annotations

import os
import tempfile
from typing import Any

from rave_core.arguments.binder import Binder
from rave_core.model import Kind, OperationSpec
from rave_core.operations.options import take_options
from rave_core.storage.product_cache import suffix_of


def answered_alone(spec: OperationSpec, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Returns the body's result; nothing is looked up or kept. A file operation writes to a temporary directory.

    Raises:
        ArgumentError: the arguments do not fit, or one can't be converted.
        Exception: what the body raises.
    """
    _, plain = take_options(spec.name, kwargs)
    binder = Binder(spec, spec.name, "", typemap=spec.typemap, unencodable=lambda _: None)
    call = binder.bind(args, plain)
    given, at = call.args, spec.output_at
    if spec.kind is not Kind.FILE:
        return spec.function(*given, **call.kwargs)
    path = os.path.join(tempfile.mkdtemp(prefix="rave-"), f"product{suffix_of(spec.mime_type)}")
    spec.function(*given[:at], path, *given[at:], **call.kwargs)
    return path
