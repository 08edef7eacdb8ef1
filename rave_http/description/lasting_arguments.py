"""A call, written so that it means the same later."""

from __future__ import annotations

from collections.abc import Iterator

from rave_core.model import Call
from rave_http.description.request_arguments import Asked


def lasting(asked: Asked, call: Call) -> Asked:
    """A call as it was written, with lasting texts in place of those whose meaning changes.

    Args:
        asked: the call as it was written.
        call: the call that it meant.
    """
    texts = dict(_written(call))
    if not texts:
        return asked
    if asked.document is not None:
        return Asked(operation=asked.operation, document={**asked.document, **texts})
    others = (pair for pair in asked.texts if pair[0] not in texts)
    return Asked(operation=asked.operation, texts=(*others, *texts.items()))


def _written(call: Call) -> Iterator[tuple[str, str]]:
    """The arguments that have lasting texts, defaults included."""
    typemap = call.spec.typemap
    if typemap is None:
        return
    for parameter in call.spec.parameters:
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        text = typemap.converters[parameter.name].written(call.named[parameter.name])
        if text is not None:
            yield parameter.name, text
