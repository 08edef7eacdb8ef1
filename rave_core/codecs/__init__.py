"""Codecs: how a value becomes bytes and comes back, the same value of the same type."""

from rave_core.codecs.codecs import Codec, Codecs

__all__ = ["Codec", "Codecs"]
