"""Versions of one operation that alternate: programs with different code that share a cache."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

from rave_core.model import Entry, Key
from rave_core.versions.manifests import changes, manifests

_RETURNS = 2


@dataclass(frozen=True, slots=True)
class Alternation:
    """An operation whose results come from several versions in turn.

    Attributes:
        operation: its full name.
        versions: how many there are.
        returns: how often a version came back after another one.
        differing: labels of what differs between the latest two, as far as this user's cache knows; at most three.
    """

    operation: str
    versions: int
    returns: int
    differing: tuple[str, ...]


def alternations(entries: Iterable[Entry]) -> Iterator[Alternation]:
    """The operations of which an earlier version came back at least twice, by the times of their entries.

    An edit makes a new version once, and undoing it brings one back once. Versions that come back again and again are
    those of programs with different code, or of a value that counts and differs from process to process.
    """
    made: dict[str, list[tuple[float, str]]] = defaultdict(list)
    for entry in entries:
        key = Key.parse(entry.key)
        made[key.operation].append((entry.created_at, key.version))
    for operation, results in sorted(made.items()):
        turns = [version for version, _ in groupby(version for _, version in sorted(results))]
        returns = len(turns) - len(set(turns))
        if returns >= _RETURNS:
            yield Alternation(operation, len(set(turns)), returns, _differing(operation, *turns[-2:]))


def _differing(operation: str, one: str, other: str) -> tuple[str, ...]:
    first, second = manifests.read(operation, one), manifests.read(operation, other)
    if first is None or second is None:
        return ()
    return tuple(label for label, _, _ in changes(first, second))[:3]
