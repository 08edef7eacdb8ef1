"""The fingerprint: one encoding per value, the same in every process, from which a key's arguments are made."""

from rave_core.fingerprint.encoder import digest, register

__all__ = ["digest", "register"]
