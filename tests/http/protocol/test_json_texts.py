"""Documents as JSON in UTF-8."""

from __future__ import annotations

import msgspec
import pytest

from rave_http.protocol.json_texts import to_json


class Fact(msgspec.Struct):
    """A typed document."""

    name: str
    more: dict[str, object]


def test_what_utf_8_cannot_write_becomes_a_question_mark() -> None:
    """In every text, names of members included, of plain and of typed documents."""
    document = {"a\udcff": ["\ud800", ("x\udfff", 1)], "b": "\U0001f600"}
    assert msgspec.json.decode(to_json(document)) == {"a?": ["?", ["x?", 1]], "b": "\U0001f600"}
    assert to_json(Fact("\udce9", {"at": {"\udce9": None}})) == b'{"name":"?","more":{"at":{"?":null}}}'
    assert to_json(Fact("é", {})) == '{"name":"é","more":{}}'.encode()


def test_what_json_has_no_form_for_is_refused() -> None:
    """Also beside such a text."""
    with pytest.raises(TypeError):
        to_json(["\udcff", object()])
