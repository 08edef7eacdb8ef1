"""Questions that results answer, as a query would ask them: what is tried, since only the key shows whether it is."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from rave_http.description.request_arguments import Asked
from rave_http.worker.questions import as_texts, recorded_as


@pytest.mark.parametrize(
    ("value", "texts"),
    [(4, ["4"]), (True, ["true"]), (None, []), ("a b", ["a b"]), ([1, "x"], ["1", "x"]), (0.5, ["0.5"])],
)
def test_values_of_json_are_tried_as_texts(value: Any, texts: list[str]) -> None:
    """A list as several of one name, and null as nothing."""
    found = as_texts(Asked(operation="lab/a", document={"n": value}))
    assert found == Asked(operation="lab/a", texts=tuple(("n", text) for text in texts))


@pytest.mark.parametrize(
    ("short", "texts"),
    [
        ("'bytes'", ["bytes"]), ("None", []), ("3600", ["3600"]), ("IPv4Address('10.0.0.1')", ["10.0.0.1"]),
        ("Source(name='branch', files=(SourceFile(...), ...))", ["branch"]), ("[1, 2]", ["1", "2"]),
        ("2024-05-14 06:00:00+00:00", ["2024-05-14 06:00:00+00:00"]),
    ],
)  # fmt: skip
def test_short_forms_are_tried_as_texts(short: str, texts: list[str]) -> None:
    """A value that begins with a text, such as a named source, may have been asked for by that text."""
    entry = cast("Any", SimpleNamespace(arguments={"n": short}))
    assert recorded_as("lab/a", entry).texts == tuple(("n", text) for text in texts)
