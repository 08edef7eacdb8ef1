"""Notes of results: sentences that go with every answer."""

from __future__ import annotations

import pyarrow
import pytest

from rave_core.rendering import NOTES, notes_of


def noted(content: str) -> pyarrow.Table:
    """A table with that in its metadata."""
    return pyarrow.table({"a": [1]}).replace_schema_metadata({NOTES: content})


def test_notes_are_those_of_the_schema() -> None:
    """In order."""
    assert notes_of(noted('["one", "two"]')) == ("one", "two")


@pytest.mark.parametrize("value", [noted("no JSON"), noted('{"a": 1}'), pyarrow.table({"a": [1]}), 7, None, [{"a": 1}]])
def test_everything_else_has_no_notes(value: object) -> None:
    """Also where the metadata are no list: that is somebody else's."""
    assert notes_of(value) == ()
