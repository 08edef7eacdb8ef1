"""The graph of a lineage: columns of boxes, from what a result was made from to what was made from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

MOST_NODES: Final = 60
"""The results of a graph at most, that in the middle included; those nearest to it are shown."""
_MOST_USERS: Final = 12
BOX: Final = (180, 34)
"""Width and height of a box."""
_STEP: Final = (236, 44)
_MARGIN: Final = 2


@dataclass(frozen=True, slots=True)
class Box:
    """A result in the graph.

    Attributes:
        key: of the result.
        across, down: where the box begins, in pixels.
        is_middle: whether it is the one that the graph is about.
    """

    key: str
    across: int
    down: int
    is_middle: bool


@dataclass(frozen=True, slots=True)
class Graph:
    """A graph, ready to be drawn.

    Attributes:
        boxes: the results.
        lines: from what to what, as SVG has it.
        width, height: in pixels.
        left_out: how many results there is no room for.
    """

    boxes: Sequence[Box]
    lines: Sequence[str]
    width: int
    height: int
    left_out: int


def graph_of(steps: Sequence[tuple[int, str]], users: Sequence[str]) -> Graph:
    """The graph around the result of the first step. A result that occurs several times is one box.

    Args:
        steps: depths and keys, the result first, each followed by those that it was made from.
        users: the keys of what was made from it.
    """
    middle, edges, nearest = steps[0][1], _edges(steps), _depths(steps)
    shown = users[:_MOST_USERS]
    kept = sorted(nearest, key=lambda key: nearest[key])[: MOST_NODES - len(shown)]
    within = [(one, other) for one, other in edges if one in kept and other in kept]
    columns = _columns(kept, within)
    deepest = max(columns.values())
    places = {key: deepest - columns[key] for key in kept} | dict.fromkeys(shown, deepest + 1)
    boxes = _boxes(places, middle)
    drawn = [*((other, one) for one, other in within), *((middle, user) for user in shown)]
    return Graph(
        boxes=list(boxes.values()),
        lines=[_line(boxes[source], boxes[target]) for source, target in drawn],
        width=max(box.across for box in boxes.values()) + BOX[0] + _MARGIN,
        height=max(box.down for box in boxes.values()) + BOX[1] + _MARGIN,
        left_out=len(nearest) - len(kept) + len(users) - len(shown),
    )


def _edges(steps: Sequence[tuple[int, str]]) -> list[tuple[str, str]]:
    """Pairs of a result and one that it was made from, each once."""
    above: list[str] = []
    found: dict[tuple[str, str], None] = {}
    for depth, key in steps:
        del above[depth:]
        if above:
            found[above[-1], key] = None
        above.append(key)
    return list(found)


def _depths(steps: Sequence[tuple[int, str]]) -> dict[str, int]:
    """How near to the first one each result is, in the order in which they occur."""
    found: dict[str, int] = {}
    for depth, key in steps:
        found[key] = min(depth, found.get(key, depth))
    return found


def _columns(keys: Sequence[str], edges: Sequence[tuple[str, str]]) -> dict[str, int]:
    """The column of each result, counted from the first one: left of all that were made from it."""
    columns = dict.fromkeys(keys, 0)
    for _ in keys:  # no way is longer than there are results, even if records are forged to lead in a circle
        later = {other: max(columns[other], columns[one] + 1) for one, other in edges if columns[other] <= columns[one]}
        if not later:
            break
        columns |= later
    return columns


def _boxes(places: Mapping[str, int], middle: str) -> dict[str, Box]:
    columns: dict[int, list[str]] = {}
    for key, column in places.items():
        columns.setdefault(column, []).append(key)
    tallest = max(map(len, columns.values()))
    return {
        key: Box(key, _MARGIN + column * _STEP[0], _MARGIN + (tallest - len(keys)) * _STEP[1] // 2 + number * _STEP[1],
                 key == middle)
        for column, keys in sorted(columns.items()) for number, key in enumerate(keys)
    }  # fmt: skip


def _line(source: Box, target: Box) -> str:
    start, down = source.across + BOX[0], source.down + BOX[1] // 2
    end, lower = target.across, target.down + BOX[1] // 2
    half = (start + end) // 2
    return f"M{start} {down}C{half} {down} {half} {lower} {end} {lower}"
