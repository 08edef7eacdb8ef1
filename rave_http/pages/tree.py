"""A structure as a tree that people open and close, of plain HTML."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

import msgspec

MOST_NODES: Final = 1500
"""The nodes of a tree at most; what is beyond is counted."""
_DEEPEST: Final = 12
_OPEN: Final = 40  # as many nodes are seen without opening anything
_LONGEST: Final = 500


@dataclass(slots=True)
class Node:
    """A value in a tree.

    Attributes:
        name: its key or place; empty for the root.
        text: of a leaf; what a branch is, in words.
        kind: ``text``, ``number``, ``flag``, ``nothing``, ``list`` or ``object``.
        children: of a branch.
        left_out: how many children are not shown.
        is_open: whether it is shown open.
    """

    name: str
    text: str
    kind: str
    children: list[Node]
    left_out: int = 0
    is_open: bool = False


def tree_of(value: Any) -> Node:
    """The tree of a value made of dicts with text as keys, lists, and what JSON knows."""
    root = Node("", *_seen(value), [])
    waiting, count, level = [(root, value, 0)], 1, 0
    while waiting:
        node, inner, level = waiting.pop(0)
        items = _items(inner)
        room = max(0, MOST_NODES - count) if level < _DEEPEST else 0
        for name, item in islice(items, room):
            child = Node(name, *_seen(item), [])
            node.children.append(child)
            if isinstance(item, (dict, list)):
                waiting.append((child, item, level + 1))
        count += len(node.children)
        node.left_out = (len(inner) if isinstance(inner, (dict, list)) else 0) - len(node.children)
        node.is_open = level == 0 or count <= _OPEN
    return root


def _items(value: Any) -> Any:
    if isinstance(value, dict):
        return iter(value.items())
    return ((str(at), item) for at, item in enumerate(value)) if isinstance(value, list) else iter(())


def _seen(value: Any) -> tuple[str, str]:
    """What is written of a value, and its kind."""
    if isinstance(value, dict):
        return f"{len(value):,} {'member' if len(value) == 1 else 'members'}", "object"
    if isinstance(value, list):
        return f"{len(value):,} {'item' if len(value) == 1 else 'items'}", "list"
    if isinstance(value, str):
        return value if len(value) <= _LONGEST else f"{value[:_LONGEST]}… ({len(value):,} characters)", "text"
    kind = "nothing" if value is None else "flag" if isinstance(value, bool) else "number"
    return msgspec.json.encode(value).decode(), kind
