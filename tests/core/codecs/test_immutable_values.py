"""Which values nobody can change, so that they may be shared."""

from __future__ import annotations

import datetime as dt
import ipaddress
import pathlib
from decimal import Decimal
from fractions import Fraction
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from rave_core.codecs.immutability import is_immutable
from tests.core.codecs.sample_values import (
    Colour,
    Point,
    Text,
    type_of,
)


@pytest.mark.parametrize(
    "value",
    [
        None,
        1,
        "a",
        b"a",
        1j,
        (),
        (1, ("a", frozenset({2}))),
        Decimal(1),
        Fraction(1, 2),
        dt.date(2024, 1, 1),
        dt.datetime(2024, 1, 1, tzinfo=dt.UTC),
        dt.datetime(2024, 1, 1, tzinfo=ZoneInfo("UTC")),
        dt.time(1),
        dt.timedelta(1),
        dt.UTC,
        UUID(int=1),
        ipaddress.ip_address("::1"),
        ipaddress.ip_network("10.0.0.0/8"),
        range(3),
        pathlib.Path("a"),
        pathlib.PurePosixPath("a"),
        Colour.RED,
        np.float64(1),
        pa.table({"a": [1]}),
        tuple(range(1000)),
    ],
    ids=type_of,
)
def test_what_nobody_can_change_is_immutable(value: object) -> None:
    """One such object may be handed to many callers."""
    assert is_immutable(value)


class Zone(dt.tzinfo):
    """A time zone with state of its own."""


@pytest.mark.parametrize(
    "value",
    [
        [],
        {},
        set(),
        bytearray(),
        ([],),
        (1, (2, {})),
        frozenset({Point(1)}),
        Point(1),
        Text("a"),
        dt.datetime(2024, 1, 1, tzinfo=Zone()),
        np.arange(3),
        np.zeros(1, [("a", "i4")])[0],
        pd.DataFrame(),
        pl.DataFrame(),
        tuple(range(1001)),
        tuple((each,) for each in range(600)),
        object(),
        Colour,
    ],
    ids=type_of,
)
def test_what_may_change_or_is_unknown_is_not_immutable(value: object) -> None:
    """Subclasses, mutable parts and very long tuples are decoded afresh instead."""
    assert not is_immutable(value)
