"""The fingerprint: one encoding per value, alike in every process, out of which a key's arguments are made."""

from rave_core.fingerprint.encoder import digest, register

__all__ = ["digest", "register"]
