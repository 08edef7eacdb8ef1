"""Documents: versioned bytes under keys, in collections. A cache may forget; documents may not."""

from rave_core.documents.document import Change, Document, Fence, Metadata
from rave_core.documents.mirror import Mirror
from rave_core.documents.opening import open_store
from rave_core.documents.slates import asked_by
from rave_core.documents.sqlite_file import make_sqlite_file, set_up_sqlite
from rave_core.documents.store import DocumentFactory, DocumentStore
from rave_core.documents.watch import News, Watch
from rave_core.errors import Conflict

__all__ = [
    "Change",
    "Conflict",
    "Document",
    "DocumentFactory",
    "DocumentStore",
    "Fence",
    "Metadata",
    "Mirror",
    "News",
    "Watch",
    "asked_by",
    "make_sqlite_file",
    "open_store",
    "set_up_sqlite",
]
