"""JSON Schema in words."""

from __future__ import annotations

from typing import Any

import pytest

from rave_http.description.json_schema import accepts_anything, in_words


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "integer", "minimum": 1, "maximum": 10}, "an integer from 1 to 10"),
        ({"type": "number", "minimum": 0}, "a number from 0 on"),
        ({"enum": ["a", 1]}, 'one of "a", 1'),
        ({"type": "array", "items": {"type": "string"}}, "a list, each a text"),
        ({"type": "array", "prefixItems": [{"type": "integer"}, {"type": "string"}]}, "a list of an integer, a text"),
        ({"title": "n"}, "any value"),
    ],
)
def test_a_schema_is_told_in_words(schema: dict[str, Any], words: str) -> None:
    """Shorter than JSON, and for everybody."""
    assert in_words(schema) == words


def test_annotations_refuse_nothing() -> None:
    """A title alone accepts anything; a type does not."""
    assert accepts_anything({"title": "n", "default": 1, "examples": [2]})
    assert not accepts_anything({"type": "integer"})
