"""Docstrings as prose: what people write is understood, and what they did not mean is left alone."""

from __future__ import annotations

import inspect

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rave_http.description import docstrings
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


NUMPY = """The largest.

    More of it.

    Parameters
    ----------
    n : int, optional
        How many,
        at most.
    by, over
        What they are *ordered* by.
    *rest : str
        Others.
    silent : int

    Returns
    -------
    DataFrame
        A ``table``.

    Raises
    ------
    ValueError
        If there is none.

    Notes
    -----
    Some notes.

    Examples
    --------
    >>> top(1)
    2
    """

SPHINX = """The largest.

    More of it.

    :param n: how many,
        at most
    :type n: int
    :param int m: what they are ordered by
    :param \\*rest: others
    :returns: a
        table
    :rtype: DataFrame
    :raises ValueError: if there is none
    """


def test_the_style_of_numpy_is_read() -> None:
    """Parameters, one text for several of them, the result, and the other sections under their titles."""
    found = prose(inspect.cleandoc(NUMPY))
    assert found.summary == "The largest."
    by = "What they are *ordered* by."
    assert found.parameters == {"n": "How many, at most.", "by": by, "over": by, "rest": "Others."}
    assert found.returns == "DataFrame: A table."
    assert texts(found.blocks) == [
        ("text", ["More of it."]),
        ("heading", ["Returns"]),
        ("text", ["DataFrame: A table."]),
        ("heading", ["Raises"]),
        ("text", ["ValueError: If there is none."]),
        ("heading", ["Notes"]),
        ("text", ["Some notes."]),
        ("heading", ["Examples"]),
        ("code", [">>> top(1)\n2"]),
    ]


def test_the_style_of_sphinx_is_read() -> None:
    """Parameters and the result; the fields that are not of parameters stay as they are written."""
    found = prose(inspect.cleandoc(SPHINX))
    assert {name: found.parameters[name] for name in ("n", "m")} == {
        "n": "how many, at most",
        "m": "what they are ordered by",
    }
    assert found.returns.endswith("a table")
    assert texts(found.blocks) == [
        ("text", ["More of it."]),
        ("text", [":returns: a table"]),
        ("text", [":raises ValueError: if there is none"]),
    ]


def test_the_result_is_told() -> None:
    """In one line, whatever colons are in it."""
    assert prose(inspect.cleandoc(DOC)).returns == "A table."
    said = prose("First.\n\nReturns:\n    dict[str, int]: bytes,\n    by name.\n").returns
    assert said == "dict[str, int]: bytes, by name."
    assert prose("First.\n\nMore.").returns == ""


@pytest.mark.parametrize(
    ("doc", "parameters", "shown"),
    [
        ("First.\n\nArgs:\n    n: many\n    without a colon\n", {"n": "many"}, ""),
        ("First.\n\nArgs:\n", {}, "Args:"),
        ("First.\nText\nArgs:\n    n: many\n", {"n": "many"}, "Text"),
        ("First.\n\nParameters\n----------\n", {}, ""),
        ("First.\n\nParameters\n----------\nn : int\n    many\n\nReturns\n-------\n", {"n": "many"}, ""),
        ("First.\n\nParameters\n----------\n    n\n", {}, ""),
        ("First.\n\n:param n: many\n:returns\n", {"n": "many"}, ""),
        ("First.\n\n:param n\n", {}, ":param n"),
        ("First.\n\nlike this:\n    code\n", {}, "like this:"),
    ],
)
def test_a_malformed_docstring_is_read_as_far_as_it_goes(
    doc: str, parameters: dict[str, str], shown: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Of each style; nothing fails, and nobody is warned of what an author wrote."""
    found = prose(doc)
    assert found.summary == "First."
    assert found.parameters == parameters
    assert shown in " ".join(text for _, items in texts(found.blocks) for text in items)
    assert caplog.records == []


def test_without_griffe_a_docstring_is_shown_as_it_is_written(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Parameters have no texts, and the log says once what to install."""
    monkeypatch.setattr(docstrings, "find_spec", lambda name: None)
    docstrings._has_griffe.cache_clear()
    prose.cache_clear()
    try:
        found = prose("First.\n\nArgs:\n    n: many\n")
        prose("First.\n\nArgs:\n    m: many\n")
    finally:
        docstrings._has_griffe.cache_clear()
        prose.cache_clear()
    assert (found.summary, found.parameters) == ("First.", {})
    assert texts(found.blocks) == [("text", ["Args: n: many"])]
    (record,) = caplog.records
    assert "pip install 'rave-framework[http]'" in record.getMessage()


def test_a_docstring_is_read_once() -> None:
    """Whoever asks again gets the same."""
    assert prose("First.\n\nArgs:\n    n: x") is prose("First.\n\nArgs:\n    n: x")


def test_a_line_that_ends_in_a_colon_is_no_section_by_itself() -> None:
    """Only what is indented below a title belongs to it."""
    found = prose("First.\n\nColumns:\nn, bytes.\n")
    assert texts(found.blocks) == [("text", ["Columns: n, bytes."])]


def test_an_absent_docstring_is_empty_prose() -> None:
    """There is nothing to say, and no error."""
    assert (prose("").summary, prose("").blocks, dict(prose("").parameters)) == ("", (), {})


@given(
    st.text(alphabet=" \n`:-*>abN.()\t", max_size=200)
    | st.lists(
        st.sampled_from(["Args:", "    n: x", "Parameters", "----------", "n : int", ":param n: x", ":returns:", ""])
    ).map("\n".join)
)
def test_any_text_can_be_read(text: str) -> None:
    """Whatever is in a docstring, reading it gives blocks that are not empty."""
    found = prose(text)
    assert "\n" not in found.summary
    assert all(block.items for block in found.blocks)


def test_plain_text_is_one_line() -> None:
    """Marks of code and line breaks are gone."""
    assert plain_text(" The ``n``\n largest ") == "The n largest"
