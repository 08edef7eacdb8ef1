"""The version of an operation: the part of its keys that says which code made a result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rave_core.versions.source.guards import Guards

_NO_GUARDS = Guards()


@dataclass(frozen=True, slots=True)
class Version:
    """The version of an operation in one runtime.

    Attributes:
        text: as it stands in keys.
        note: what decided it, as an entry records it.
        nodes: what counts, by label; see `Closure`. Empty if no code was followed.
        untracked: what does not count, or only coarsely, and why.
        guards: what may change without notice.
        packages: the installed packages that were reached, with their releases, whether these count or not.
    """

    text: str
    note: str
    nodes: Mapping[str, str] = field(default_factory=dict)
    untracked: Mapping[str, str] = field(default_factory=dict)
    guards: Guards = _NO_GUARDS
    packages: Mapping[str, str] = field(default_factory=dict)
