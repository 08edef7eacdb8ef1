"""A call, written so that it means the same later."""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite
from typing import Any

import msgspec

from rave_core.model import Call
from rave_http.description.request_arguments import Asked


def lasting(asked: Asked, call: Call) -> Asked:
    """A call as it was written, with what lasts in place of that whose meaning changes.

    What can't be written as JSON stays as the client wrote it.

    Args:
        asked: the call as it was written.
        call: the call that it meant.
    """
    written = dict(_written(call))
    if not written:
        return asked
    if asked.document is not None:
        return Asked(operation=asked.operation, document={**asked.document, **written})
    others = (pair for pair in asked.texts if pair[0] not in written)
    texts = ((name, _text(each)) for name, each in written.items())
    return Asked(operation=asked.operation, texts=(*others, *texts))


def _written(call: Call) -> Iterator[tuple[str, Any]]:
    """The arguments that have to be written, defaults included, as JSON has them."""
    typemap = call.spec.typemap
    if typemap is None:
        return
    for parameter in call.spec.parameters:
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        written = typemap.converters[parameter.name].written(call.named[parameter.name])
        if written is not None and _is_json(written):
            yield parameter.name, written


def _is_json(value: Any) -> bool:
    """Whether JSON has exactly this value."""
    if isinstance(value, dict):
        return all(isinstance(name, str) and _is_json(each) for name, each in value.items())
    if isinstance(value, list):
        return all(map(_is_json, value))
    return value is None or type(value) in (str, int, bool) or (type(value) is float and isfinite(value))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
