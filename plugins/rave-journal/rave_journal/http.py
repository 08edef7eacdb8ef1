"""What this package adds to the service: the paths of journals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Final

from rave_core.documents import DocumentStore
from rave_http.hookspecs import ResourceContext, Route, hookimpl
from rave_journal import described

_READ: Final = {"GET": "view"}
_WRITE: Final = {"GET": "view", "POST": "write"}
_LIMIT: Final = 256


@hookimpl
def rave_http_resources(context: ResourceContext) -> Sequence[Route]:
    """``/-/journal`` for the default journal, and ``/-/journal:NAME`` for each."""
    from rave_journal.journal import collection_of
    from rave_journal.mirrored import MirroredJournals
    from rave_journal.resources import JournalDesk
    from rave_journal.settings import JournalSettings

    own = JournalSettings.of(context.settings)

    def store() -> DocumentStore:
        return context.documents

    journals = MirroredJournals([own.journal(name, store, context.operation) for name in own.journals], store)
    desk = JournalDesk(context, journals, own.default)
    return [
        *_routes(desk, "/-/journal", collection_of(own.default)),
        *_routes(desk, "/-/journal:{name}", collection_of("{name}")),
    ]


def _routes(desk: object, base: str, namespace: str) -> Iterator[Route]:
    from rave_journal.commit_stream import CommitStream
    from rave_journal.history_resources import CommitDifference, CommitLog
    from rave_journal.resources import CommitList, CommitMetadata, CommitResource, JournalDesk

    assert isinstance(desk, JournalDesk)
    commits, metadata = CommitList(desk), CommitMetadata(desk)
    commit = CommitResource(desk, commits)

    route = partial(Route, namespace=namespace, limit=_LIMIT, inline=True, plain_problems=True)
    yield route(base, commits, _READ, openapi=described.listing(base))
    yield route(f"{base}/events", CommitStream(desk, commit), _WRITE, openapi=described.events(base))
    yield route(f"{base}/{{key}}", commit, _WRITE, openapi=described.commit(base))
    yield route(f"{base}/{{key}}/meta", metadata, _READ, openapi=described.metadata(base))
    yield route(f"{base}/{{key}}/log", CommitLog(desk), _READ, openapi=described.history(base))
    yield route(f"{base}/{{key}}/diff/{{span}}", CommitDifference(desk), _READ, openapi=described.difference(base))
    of_one = f"{base}/{{key}}/{{version}}"
    yield route(of_one, commit, _WRITE, openapi=described.commit(base, has_version=True))
    yield route(f"{of_one}/meta", metadata, _READ, openapi=described.metadata(base, has_version=True))
