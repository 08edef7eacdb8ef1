"""The graph of a lineage: where its boxes and lines are."""

from __future__ import annotations

from rave_http.pages.lineage_graph import BOX, MOST_NODES, graph_of


def test_what_a_result_was_made_from_is_on_its_left() -> None:
    """Each step once, left of all that were made from it; what uses the result is on its right."""
    steps = [(0, "root"), (1, "pair"), (2, "leaf"), (1, "leaf"), (1, "other")]
    graph = graph_of(steps, ["user"])
    columns = {box.key: box.across for box in graph.boxes}
    assert columns["leaf"] < columns["pair"] == columns["other"] < columns["root"] < columns["user"]
    assert ([box.key for box in graph.boxes if box.is_middle], graph.left_out) == (["root"], 0)
    places = [(box.across, box.down) for box in graph.boxes]
    assert len(set(places)) == len(places) == 5
    ends = {(box.across + BOX[0], box.down + BOX[1] // 2): box.key for box in graph.boxes}
    lines = sorted(ends[tuple(map(int, line[1:].partition("C")[0].split()))] for line in graph.lines)
    assert lines == ["leaf", "leaf", "other", "pair", "root"]


def test_a_graph_shows_the_nearest_results() -> None:
    """Sixty at most; the others are counted, and nothing leads to them."""
    steps = [(0, "root"), (1, "near"), *((2, f"far {number}") for number in range(100)), (1, "last")]
    graph = graph_of(steps, [f"user {number}" for number in range(20)])
    assert len(graph.boxes) == MOST_NODES
    assert {"root", "near", "last"} <= {box.key for box in graph.boxes}
    assert graph.left_out == 103 + 20 - MOST_NODES
    assert len(graph.lines) == MOST_NODES - 1


def test_records_that_lead_in_a_circle_are_drawn() -> None:
    """Nobody vouches for an unsealed record."""
    graph = graph_of([(0, "a"), (1, "b"), (2, "a")], ["b"])
    assert {box.key for box in graph.boxes} == {"a", "b"}
