"""What a converter writes for a value, so that it means the same later."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import pytest

from rave_core import list_of, one_of
from rave_core.converters import Converter
from rave_core.converters.specifiers import converter_of


@dataclass(frozen=True)
class Star:
    """What a name means today."""

    name: str


class StarName(Converter):
    """A star by its name, whose catalog grows."""

    name = "a star"
    exact = Star
    volatile = True

    def convert(self, value: Any) -> Star:
        """The star."""
        if isinstance(value, Star):
            return value
        if not isinstance(value, str) or not value.istitle():
            raise ValueError("there is no such star")
        return Star(value.partition("@")[0])

    def written(self, value: Any) -> str | None:
        """The star in this edition of the catalog."""
        return f"{value.name}@2" if isinstance(value, Star) else None


STAR = StarName()


@pytest.mark.parametrize(
    ("converter", "given", "written"),
    [
        (list_of(STAR), ["Vega", "Mira"], ["Vega@2", "Mira@2"]),
        (list_of(STAR, int), ["Vega", "7", "Mira"], ["Vega@2", 7, "Mira@2"]),
        (list_of(list_of(STAR)), [["Vega"], []], [["Vega@2"], []]),
        (list_of(STAR), [], None),
        (list_of(int), [7], None),
        (converter_of(list), ["Vega"], None),
        (converter_of(tuple[int, str]), (7, "Vega"), None),
        (one_of(None, STAR), "Vega", "Vega@2"),
        (one_of(int, STAR), "7", None),
        (one_of(STAR, str), "vega", None),
        (list_of(one_of(STAR, str)), ["Vega", "vega"], ["Vega@2", "vega"]),
        (converter_of(dict), {"a": "Vega"}, None),
    ],
)
def test_names_in_containers_are_written_too(converter: Converter, given: Any, written: object) -> None:
    """Whatever they are in; what needs none is left as it is, and nothing is written where nothing has to be."""
    value = converter.convert(given)
    assert converter.written(value) == written
    if written is not None:
        assert converter.convert(written) == value


def test_a_type_hint_with_names_in_it_writes_them() -> None:
    """In tuples of a fixed length, and as keys and values of dicts."""
    pair = converter_of(tuple[Any, date]).__class__([STAR, converter_of(date)])
    day = date(2026, 1, 2)
    assert pair.written(pair.convert(["Vega", day])) == ["Vega@2", day]
    names = converter_of(dict[str, int]).__class__(STAR, STAR)  # type: ignore[call-arg]  # a dict of stars
    assert names.written(names.convert({"Vega": "Mira"})) == {"Vega@2": "Mira@2"}
