"""The kept versions of a result: what the same question had as its answer before."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlencode

from rave_core.model import Key
from rave_core.storage.kept_copies import KeptCopies, source_of
from rave_core.text.humanize import span
from rave_http.pages.result_view import KeptVersion
from rave_http.protocol.links import Links
from rave_http.protocol.times import iso


def versions_of(copies: KeptCopies, text: str, links: Links, *, now: float) -> Sequence[KeptVersion]:
    """The kept copies of what a call returned, newest first, whichever version of the code made them.

    It may wait for a store.

    Args:
        copies: all of them.
        text: the key of a result of the call, or of a copy of one.
        links: URLs that rows contain.
        now: Unix seconds.
    """
    key = source_of(Key.parse(text))
    found = []
    for copy in copies.all():
        source = Key.parse(copy.source)
        is_same_call = (source.operation, source.arguments) == (key.operation, key.arguments)
        if is_same_call and copies.is_there(copy):
            found.append(copy)
    found.sort(key=lambda copy: (-copy.created_at, copy.id))
    return [
        KeptVersion(
            url="" if copy.key == text else links.to(f"/-/kept/{copy.id}"),
            compare=links.to(f"/-/compare?{urlencode({'a': copy.id, 'b': text}, safe='/')}"),
            made=iso(copy.created_at),
            age=span(max(0.0, now - copy.created_at)),
            by=copy.by,
            comment=copy.comment,
            is_other_code=Key.parse(copy.source).version != key.version,
        )
        for copy in found
    ]
