"""Sankey diagrams: what goes from the values of one column to those of another, as wide as it is much."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from rave_http.pages.axis import column_at
from rave_http.pages.cells import cell_of
from rave_http.pages.chart import Chart, Flow, FlowNode
from rave_http.pages.points import Drawn, amount_of, largest_first, number_of, require_positive

_MOST_NODES: Final = 8
_GAP: Final = 5.0
_COLORS: Final = 8
_UNIT: Final = 10
"""Of the drawing of flows for each of a hundred parts of its height."""


def sankey_of(columns: Sequence[str], rows: Sequence[Sequence[Any]], drawn: Drawn) -> Chart:
    """The sankey diagram of a table. Values of one pair add up; the smallest ends are one together.

    Raises:
        ValueError: it has no column of targets, or nothing that can be drawn.
    """
    if not drawn.series:
        raise ValueError(f"a sankey diagram needs the column of its targets as series; there are {', '.join(columns)}")
    pairs = _pairs(columns, rows, drawn)
    if not pairs:
        raise ValueError(f"nothing to draw: {drawn.y!r} holds no numbers above 0, or there are no rows")
    renamed = [_few(_sums(pairs, side)) for side in (0, 1)]
    few: dict[tuple[str, str], float] = {}
    for (source, target), value in pairs.items():
        pair = renamed[0][source], renamed[1][target]
        few[pair] = few.get(pair, 0.0) + value
    sources, targets = (_nodes(_sums(few, side), drawn.y) for side in (0, 1))
    most = amount_of(max(few.values()), drawn.y)
    return Chart(
        mark="sankey",
        about=f"{drawn.y} from {drawn.x} to {drawn.series}; the largest is {most}",
        sources=list(sources.values()),
        targets=list(targets.values()),
        flows=_flows(few, sources, targets, drawn.y),
        most=most,
    )


def _pairs(columns: Sequence[str], rows: Sequence[Sequence[Any]], drawn: Drawn) -> dict[tuple[str, str], float]:
    ends = [(column_at(name, columns), name) for name in (drawn.x, drawn.series)]
    height = column_at(drawn.y, columns)
    pairs: dict[tuple[str, str], float] = {}
    for row in rows:
        value = number_of(row[height])
        if value:
            require_positive([value], drawn.y, "drawn as flows")
            source, target = (cell_of(row[at], name).text for at, name in ends)
            pairs[source, target] = pairs.get((source, target), 0.0) + value
    return pairs


def _sums(pairs: Mapping[tuple[str, str], float], side: int) -> dict[str, float]:
    sums: dict[str, float] = {}
    for pair, value in pairs.items():
        sums[pair[side]] = sums.get(pair[side], 0.0) + value
    return sums


def _few(sums: Mapping[str, float]) -> dict[str, str]:
    """The name under which each end is drawn: its own, or that of all for which there is no room."""
    if len(sums) <= _MOST_NODES:
        return {name: name for name in sums}
    names = set(largest_first(sums, _MOST_NODES - 1))
    others = f"{len(sums) - len(names)} others"
    return {name: name if name in names else others for name in sums}


def _nodes(sums: Mapping[str, float], column: str) -> dict[str, FlowNode]:
    """The ends of one side, the largest on top."""
    share = (100 - _GAP * (len(sums) - 1)) / sum(sums.values())
    down, found = 0.0, {}
    for number, name in enumerate(largest_first(sums, len(sums))):
        height = sums[name] * share
        found[name] = FlowNode(name, amount_of(sums[name], column), round(down, 2), round(height, 2), number % _COLORS)
        down += height + _GAP
    return found


def _flows(
    pairs: Mapping[tuple[str, str], float], sources: Mapping[str, FlowNode], targets: Mapping[str, FlowNode],
    column: str,
) -> list[Flow]:  # fmt: skip
    """The flows, those of an end below each other in the order of the ends on the other side."""
    shares = [sum(node.height for node in side.values()) / sum(pairs.values()) for side in (sources, targets)]
    left, right = ({name: node.down for name, node in side.items()} for side in (sources, targets))
    found = []
    for source in sources:
        for target in targets:
            value = pairs.get((source, target))
            if value is None:
                continue
            tops = left[source], right[target]
            left[source], right[target] = tops[0] + value * shares[0], tops[1] + value * shares[1]
            text = f"{source} → {target}: {amount_of(value, column)}"
            found.append(Flow(_ribbon(tops, (left[source], right[target])), text, sources[source].color))
    return found


def _ribbon(tops: tuple[float, float], ends: tuple[float, float]) -> str:
    (a, b), (c, d) = ([round(each * _UNIT, 1) for each in pair] for pair in (tops, ends))
    return f"M0 {a:g}C500 {a:g} 500 {b:g} 1000 {b:g}L1000 {d:g}C500 {d:g} 500 {c:g} 0 {c:g}Z"
