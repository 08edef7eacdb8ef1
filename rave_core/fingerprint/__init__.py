"""The fingerprint: one encoding per value, alike in every process, out of which a key's arguments are made."""

from rave_core.fingerprint.encoder import digest, encode, register, short_digest

__all__ = ["digest", "encode", "register", "short_digest"]
