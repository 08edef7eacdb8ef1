"""What a plugin declares of itself, and the order in which plugins start."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

from rave_core.errors import PluginError

if TYPE_CHECKING:
    from packaging.requirements import Requirement


@dataclass(frozen=True, slots=True)
class Declaration:
    """What a plugin is, and what it needs.

    Attributes:
        name: by which other plugins require it.
        version: its own, such as ``1.2``.
        requires: the plugins that have to run before it does, such as ``journal>=1``.

    Raises:
        PluginError: the version, or a requirement, can't be read.
    """

    name: str
    version: str = "0"
    requires: Sequence[str] = ()

    def __post_init__(self) -> None:
        from packaging.requirements import InvalidRequirement  # here and below, since few programs declare anything
        from packaging.version import InvalidVersion, Version

        try:
            Version(self.version)
            self.requirements()
        except (InvalidRequirement, InvalidVersion, TypeError) as error:
            raise PluginError(f"the declaration of {self.name!r} can't be read: {error}") from error

    def requirements(self) -> list[Requirement]:
        """``requires``, parsed."""
        from packaging.requirements import Requirement

        return [Requirement(text) for text in self.requires]


def starting_order(declared: Mapping[str, Declaration]) -> tuple[list[str], dict[str, str]]:
    """The order in which plugins start, and what keeps others from it.

    Args:
        declared: by name.

    Returns:
        The names that can start, each after those that it requires, otherwise in alphabetical order; and by name, why
        the others can't: the chain of requirements that leads to what is missing, has the wrong version, or goes in a
        circle.
    """
    wrong: dict[str, str] = {}
    for name, declaration in declared.items():
        for requirement in declaration.requirements():
            reason = _unmet(requirement, declared)
            if reason is not None:
                wrong.setdefault(name, f"{name} requires {requirement}: {reason}")
    order = _sorted(declared, wrong)
    for name in order:
        for requirement in declared[name].requirements():
            if requirement.name in wrong:
                wrong.setdefault(name, f"{name} requires {requirement}: {wrong[requirement.name]}")
    return [name for name in order if name not in wrong], wrong


def _sorted(declared: Mapping[str, Declaration], wrong: dict[str, str]) -> list[str]:
    """Those that are not wrong, in order; those in a circle become wrong."""
    while True:
        graph = {
            name: [each.name for each in declaration.requirements() if each.name not in wrong]
            for name, declaration in declared.items()
            if name not in wrong
        }
        sorter = TopologicalSorter(graph)
        try:
            sorter.prepare()
        except CycleError as error:
            circle = error.args[1]
            chain = " → ".join(reversed(circle))
            wrong.update(dict.fromkeys(circle, f"the requirements go in a circle: {chain}"))
        else:
            return list(_levels(sorter))


def _levels(sorter: TopologicalSorter[str]) -> Iterator[str]:
    """The names level by level, each in alphabetical order, so that every process has the same."""
    while sorter.is_active():
        ready = sorted(sorter.get_ready())
        yield from ready
        sorter.done(*ready)


def _unmet(requirement: Requirement, declared: Mapping[str, Declaration]) -> str | None:
    found = declared.get(requirement.name)
    if found is None:
        return f"no plugin {requirement.name!r} is installed"
    if not requirement.specifier.contains(found.version, prereleases=True):
        return f"the installed version is {found.version}"
    return None
