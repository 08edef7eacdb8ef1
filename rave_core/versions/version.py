"""The version of an operation: the part of its keys that says which code made a result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rave_core.versions.epochs import code_changed
from rave_core.versions.guards import Guards
from rave_core.versions.loaded_files import loaded_files

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
        surprises: the number of `LoadedFiles.surprises` when the version was found.
    """

    text: str
    note: str
    nodes: Mapping[str, str] = field(default_factory=dict)
    untracked: Mapping[str, str] = field(default_factory=dict)
    guards: Guards = _NO_GUARDS
    packages: Mapping[str, str] = field(default_factory=dict)
    surprises: int = 0

    def holds(self) -> bool:
        """Whether everything that counts is as it was, now that a body ran, which may have loaded other code.

        If it loaded other code than counted, an epoch begins.
        """
        if self.guards.each and not self.guards.hold():
            return False
        loaded_files.note()
        if self.surprises != loaded_files.surprises:
            code_changed()
            return False
        return True
