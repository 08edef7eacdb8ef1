"""Docstrings as prose: what people write is understood, and what they did not mean is left alone."""

from __future__ import annotations

import inspect

from hypothesis import given
from hypothesis import strategies as st

from rave_http.description.docstrings import Block, BlockKind, Span, plain_text, prose

DOC = """The ``n`` largest of
    all.

    A paragraph with `code`
    in two lines::

        top(n=1)

        top(n=2)

    - one
      and more
    - two ``things``

    Args:
        n (int): how many,
            at most.
        by, over: what they are ordered by.
        **others: whatever else.

    Returns:
        A table.

    Behind the sections.
    """


def texts(blocks: tuple[Block, ...]) -> list[tuple[str, list[str]]]:
    """The blocks as kinds and plain texts."""
    return [(block.kind.value, ["".join(span.text for span in item) for item in block.items]) for block in blocks]


def test_a_docstring_is_read_as_people_meant_it() -> None:
    """Paragraphs, code, lists and sections come out as what they are, the parameters apart."""
    found = prose(inspect.cleandoc(DOC))
    assert found.summary == "The n largest of"
    assert texts(found.blocks) == [
        ("text", ["all."]),
        ("text", ["A paragraph with code in two lines:"]),
        ("code", ["top(n=1)\n\ntop(n=2)"]),
        ("list", ["one and more", "two things"]),
        ("heading", ["Returns"]),
        ("text", ["A table."]),
        ("text", ["Behind the sections."]),
    ]
    assert found.parameters == {
        "n": "how many, at most.",
        "by": "what they are ordered by.",
        "over": "what they are ordered by.",
        "others": "whatever else.",
    }


def test_code_between_backticks_is_told_from_text() -> None:
    """One or two of them; one that stands alone is a character like any other."""
    (block,) = prose("First.\n\nUse ``a`b`` or `c`, it's 5` long.").blocks
    assert block.kind is BlockKind.TEXT
    assert block.items[0] == (
        Span("Use "),
        Span("a`b", is_code=True),
        Span(" or "),
        Span("c", is_code=True),
        Span(", it's 5` long."),
    )


def test_the_fields_of_restructuredtext_are_parameters() -> None:
    """``:param name:``, with or without a type, over several lines."""
    found = prose("First.\n\n:param n: how\n    many\n:param int m: more\n:returns: a table\n")
    assert found.parameters == {"n": "how many", "m": "more"}
    assert texts(found.blocks) == [("text", [":returns: a table"])]


def test_a_line_that_ends_in_a_colon_is_no_section_by_itself() -> None:
    """Only what is indented below a title belongs to it."""
    found = prose("First.\n\nColumns:\nn, bytes.\n")
    assert texts(found.blocks) == [("text", ["Columns: n, bytes."])]


def test_an_absent_docstring_is_empty_prose() -> None:
    """There is nothing to say, and no error."""
    assert (prose("").summary, prose("").blocks, dict(prose("").parameters)) == ("", (), {})


@given(st.text(alphabet=" \n`:-*>abN.()\t", max_size=200))
def test_any_text_can_be_read(text: str) -> None:
    """Whatever is in a docstring, reading it gives blocks that are not empty."""
    found = prose(text)
    assert "\n" not in found.summary
    assert all(block.items for block in found.blocks)


def test_plain_text_is_one_line() -> None:
    """Marks of code and line breaks are gone."""
    assert plain_text(" The ``n``\n largest ") == "The n largest"
