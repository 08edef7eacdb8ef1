"""Defaults of every type: the document is valid with them, for validators that insist on RFC 3339 too."""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import ipaddress
import json
import math
import pathlib
import uuid
from collections.abc import Mapping
from typing import Any, Literal

import msgspec
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from rave_core import list_of, one_of, op, typemap
from rave_core.operations.operation import Operation
from rave_http.description.defaults import exactly, with_default
from rave_http.description.openapi import document
from rave_http.description.schema_validator import SchemaValidator

ID, ADDRESS = uuid.UUID(int=1), ipaddress.IPv4Address("192.0.2.1")
pytestmark = pytest.mark.usefixtures("runtime")


class Colour(enum.Enum):
    RED = "red"
    SECOND = 2


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


@op(name="zoo/times")
@typemap(
    text=dt.datetime,
    aware=dt.datetime,
    real=dt.datetime,
    day=dt.date,
    midnight=dt.date,
    clock=dt.time,
    real_clock=dt.time,
    span=dt.timedelta,
    real_span=dt.timedelta,
    named="iso_date",
)
def times(
    text: Any = "2024-01-01T00:00:00",
    aware: Any = "2024-01-01T00:00:00Z",
    real: Any = dt.datetime(2024, 1, 1),
    day: Any = "2024-01-01",
    midnight: Any = "2024-01-01T00:00",
    clock: Any = "12:30",
    real_clock: Any = dt.time(12, 30),
    span: Any = "2h",
    real_span: Any = dt.timedelta(hours=2),
    named: Any = dt.date(2024, 1, 1),
) -> None:
    """Times, written and real."""


@op(name="zoo/scalars")
@typemap(
    nan=float,
    endless=float,
    truth=int,
    exact=decimal.Decimal,
    raw=bytes,
    colour=Colour,
    level=Level,
    id=uuid.UUID,
    address=ipaddress.IPv4Address,
    path=pathlib.Path,
    wave=complex,
)
def scalars(
    nan: Any = math.nan,
    endless: Any = -math.inf,
    truth: Any = True,
    exact: Any = decimal.Decimal("1.5"),
    raw: Any = b"\xff",
    colour: Any = Colour.SECOND,
    level: Any = Level.HIGH,
    id: Any = ID,
    address: Any = ADDRESS,
    path: Any = pathlib.Path("/x"),
    wave: Any = 1j,
) -> None:
    """Scalars that JSON has no form for, or another."""


@op(name="zoo/containers")
@typemap(
    pair=tuple[int, str],
    some=set[int],
    table=dict[str, int],
    holes=list[float],
    maybe=int | None,
    word=Literal["a", 1, None],
    day=dt.date | None,
    many=list_of(int),
    either=one_of(int, str),
    moments=list[dt.datetime],
    none=tuple[int, ...],
    wrong=list_of(int),
)
def containers(
    pair: Any = (1, "a"),
    some: Any = frozenset({1}),
    table: Mapping[str, int] | None = None,
    holes: Any = (math.nan,),
    maybe: Any = None,
    word: Any = None,
    day: Any = None,
    many: Any = (1, 2),
    either: Any = "x",
    moments: Any = ("2024-01-01T00:00",),
    none: Any = (),
    wrong: Any = ({"deep": [1, None]}, "x"),
) -> None:
    """Containers, also with defaults that their own types refuse."""


@op(name="zoo/untyped")
def untyped(
    nan: Any = math.nan,
    raw: Any = b"x",
    pair: Any = (1, 2),
    some: Any = frozenset({1}),
    day: Any = dt.date(2024, 1, 1),
    kind: Any = object,
    colour: Any = Colour.RED,
    none: Any = None,
    large: Any = 10**400,
    broken: Any = "\ud800",
    table: Any = None,
    holes: Any = ([math.inf],),
) -> None:
    """Nothing is known of these."""


ZOO: list[Operation[..., Any]] = [times, scalars, containers, untyped]


def made() -> dict[str, Any]:
    """The document, as it goes over the wire."""
    found = document(
        [(each.spec.name, each) for each in ZOO], base="", version="2.0", title="RAVE", may_view=lambda _: True
    )
    return dict(json.loads(msgspec.json.encode(found)))


def test_the_document_with_defaults_of_every_type_is_valid() -> None:
    """Each default fits its own schema, strictly read, wherever it stands."""
    OpenAPIV31SpecValidator(made()).validate()


def test_a_default_that_is_not_strict_stands_beside_what_is() -> None:
    """A time without a zone is one of RAVE's, and the very text that is accepted."""
    found = {each["name"]: each.get("schema") for each in made()["paths"]["/zoo/times"]["get"]["parameters"][:10]}
    assert found["text"]["anyOf"] == [{"type": "string", "format": "date-time"}, {"const": "2024-01-01T00:00:00"}]
    assert found["aware"]["format"] == "date-time"
    assert found["aware"]["default"] == "2024-01-01T00:00:00Z"
    assert "default" not in found["real"]


def test_values_of_several_types_stand_apart() -> None:
    """Generators of clients have no type for an enum of a text and a number."""
    parameters = made()["paths"]["/zoo/scalars"]["get"]["parameters"]
    [colour] = [each["schema"] for each in parameters if each.get("name") == "colour"]
    assert colour["anyOf"] == [{"type": "string", "enum": ["red"]}, {"type": "integer", "enum": [2]}]
    assert colour["default"] == 2


def test_a_wrong_default_deep_inside_is_left_out() -> None:
    """A property that is called ``default`` is none."""
    inner = {"type": "object", "properties": {"default": {"type": "integer"}, "at": {"format": "date", "default": "x"}}}
    found = with_default({"anyOf": [inner]})
    assert found["anyOf"][0]["properties"] == {"default": {"type": "integer"}, "at": {"format": "date"}}


@pytest.mark.parametrize("value", [None, 1, "a", [], [1, [None]], {}, {"a": [1, {"b": None}]}])
def test_the_schema_of_one_value_takes_it_alone(value: Any) -> None:
    """Without ``const`` for lists and objects."""
    validator = SchemaValidator(exactly(value))
    assert validator.accepts(value)
    assert not any(validator.accepts(other) for other in (2, "b", [2], [1, [1]], {"a": [1, {}]}, {"c": 1}))
