"""Versions: they show whether an operation's code has changed since a result was kept."""

from rave_core.versions.annotations import strategy
from rave_core.versions.epochs import code_changed
from rave_core.versions.strategies import VersionStrategy

__all__ = ["VersionStrategy", "code_changed", "strategy"]
