"""Answers a call without a runtime, if the call interrupts the opening of the runtime itself."""

from __future__ import annotations

import os
import tempfile
from typing import Any

from rave_core.arguments.binder import Binder
from rave_core.model import Kind, OperationSpec
from rave_core.operations.options import take_options
from rave_core.storage.written import suffix_of


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
    if not spec.kind.is_written:
        return spec.function(*given, **call.kwargs)
    suffix = suffix_of(spec.mime_type) if spec.kind is Kind.FILE else ""
    path = os.path.join(tempfile.mkdtemp(prefix="rave-"), f"product{suffix}")
    if spec.kind is Kind.DIRECTORY:
        os.mkdir(path)
    spec.function(*given[:at], path, *given[at:], **call.kwargs)
    return path
