"""What this package adds to the service: the paths of journals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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

    journals = MirroredJournals([own.journal(name, store) for name in own.journals], store)
    desk = JournalDesk(context, journals, own.default)
    return [
        *_routes(desk, "/-/journal", collection_of(own.default)),
        *_routes(desk, "/-/journal:{name}", collection_of("{name}")),
    ]


def _routes(desk: object, base: str, namespace: str) -> Iterator[Route]:
    from rave_journal.history_resources import CommitDifference, CommitLog
    from rave_journal.resources import CommitList, CommitMetadata, CommitResource, JournalDesk

    assert isinstance(desk, JournalDesk)
    commits, metadata = CommitList(desk), CommitMetadata(desk)
    commit = CommitResource(desk, commits)

    def route(path: str, resource: object, permissions: dict[str, str], openapi: described.Item) -> Route:
        return Route(
            f"{base}{path}",
            resource,
            permissions,
            namespace=namespace,
            openapi=openapi,
            limit=_LIMIT,
            inline=True,
            plain_problems=True,
        )

    yield route("", commits, _READ, described.listing(base))
    yield route("/{key}", commit, _WRITE, described.commit(base, has_version=False))
    yield route("/{key}/meta", metadata, _READ, described.metadata(base, has_version=False))
    yield route("/{key}/log", CommitLog(desk), _READ, described.history(base))
    yield route("/{key}/diff/{span}", CommitDifference(desk), _READ, described.difference(base))
    yield route("/{key}/{version}", commit, _WRITE, described.commit(base, has_version=True))
    yield route("/{key}/{version}/meta", metadata, _READ, described.metadata(base, has_version=True))
