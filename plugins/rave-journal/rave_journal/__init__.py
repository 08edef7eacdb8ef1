"""Journals: versioned documents with a history, over HTTP as Rainer has them."""
