"""A structure as a tree: its size is limited, and what is left out is counted."""

from __future__ import annotations

from rave_http.pages.tree import MOST_NODES, Node, tree_of


def size(node: Node) -> int:
    """The nodes of a tree."""
    return 1 + sum(map(size, node.children))


def test_members_and_items_are_nodes() -> None:
    """In their order, with their kinds."""
    found = tree_of({"a": [1, None, "x"], "b": True})
    assert (found.text, found.kind, found.is_open) == ("2 members", "object", True)
    assert [(each.name, each.text, each.kind) for each in found.children] == [
        ("a", "3 items", "list"),
        ("b", "true", "flag"),
    ]
    assert [each.text for each in found.children[0].children] == ["1", "null", "x"]


def test_a_large_tree_is_cut() -> None:
    """In width and in depth; each branch says how much it leaves out."""
    wide = tree_of([{"n": n} for n in range(5000)])
    assert size(wide) <= MOST_NODES
    assert len(wide.children) + wide.left_out == 5000
    deep: list[object] = []
    for _ in range(100):
        deep = [deep]
    found = tree_of(deep)
    while found.children:
        found = found.children[0]
    assert found.left_out == 1


def test_a_long_text_is_cut() -> None:
    """A page is no place for a book."""
    assert tree_of({"a": "x" * 5000}).children[0].text.endswith("… (5,000 characters)")
