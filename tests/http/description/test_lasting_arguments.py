"""A ticket keeps arguments as they will always be meant."""

from __future__ import annotations

from datetime import date
from typing import Any

from rave_core import list_of, op, typemap
from rave_core.converters import Converter
from rave_http.description.lasting_arguments import lasting
from rave_http.description.request_arguments import Asked


class Edition(Converter):
    """A name in its edition of today."""

    name = "a name"
    volatile = True

    def convert(self, value: Any) -> str:
        """The name with its edition."""
        return value if "@" in value else f"{value}@2"

    def written(self, value: Any) -> str:
        """The same."""
        return str(value)


@op(name="tests/lasting")
@typemap(list_of(Edition()), Edition(), list_of(Edition(), date))
def bound(names: list[str], best: str = "Vega", seen: Any = (), n: int = 0) -> None:
    """Takes names."""


def test_a_query_keeps_texts_and_lists_as_json() -> None:
    """In place of what the client wrote; defaults too, and others as they are."""
    asked = Asked(operation="tests/lasting", texts=(("names", "Vega,Mira"), ("n", "3")))
    found = dict(lasting(asked, bound.bind(["Vega", "Mira"], n=3)).texts)
    assert found == {"n": "3", "names": '["Vega@2","Mira@2"]', "best": "Vega@2"}


def test_a_document_keeps_values() -> None:
    """A list stays a list."""
    asked = Asked(operation="tests/lasting", document={"names": ["Vega"], "best": "Mira@1"})
    found = lasting(asked, bound.bind(["Vega"], "Mira@1")).document
    assert found == {"names": ["Vega@2"], "best": "Mira@1"}


def test_what_json_does_not_have_stays_as_it_was_written() -> None:
    """The key of the ticket tells whether it still means the same."""
    asked = Asked(operation="tests/lasting", texts=(("names", "Vega"), ("seen", "Mira,2026-01-02")))
    call = bound.bind(["Vega"], seen=["Mira", date(2026, 1, 2)])
    assert dict(lasting(asked, call).texts)["seen"] == "Mira,2026-01-02"
