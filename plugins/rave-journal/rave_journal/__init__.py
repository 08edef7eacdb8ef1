"""Journals: versioned documents with a history, over HTTP as Rainer has them, and as arguments of operations."""

from rave_journal.arguments import JournalDocument, document_of, one_of_journal

__all__ = ["JournalDocument", "document_of", "one_of_journal"]
