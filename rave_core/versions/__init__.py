"""Versions: what decides whether an operation's code changed since a result was kept."""

from rave_core.versions.annotations import ByStrategy, Explicit, Pinned, explicit, strategy
from rave_core.versions.strategies import BUILTIN, Code, VersionStrategy, stamp

__all__ = [
    "BUILTIN",
    "ByStrategy",
    "Code",
    "Explicit",
    "Pinned",
    "VersionStrategy",
    "explicit",
    "stamp",
    "strategy",
]
