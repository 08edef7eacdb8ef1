"""Codecs: how a value becomes bytes and comes back, the same value of the same type."""

from rave_core.codecs.codecs import MAX_ITEMS, Codec, Codecs, builtin_codecs, is_immutable

__all__ = ["MAX_ITEMS", "Codec", "Codecs", "builtin_codecs", "is_immutable"]
