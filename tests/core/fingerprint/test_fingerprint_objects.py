"""The encoding of objects by their state: plain ones, those of libraries, and those that change when they are used."""

from __future__ import annotations

import copyreg
import ctypes
import logging
import random
import sqlite3
import threading
import typing
import weakref
from collections.abc import Callable
from functools import partial
from typing import Any

import attrs
import msgspec
import networkx
import numpy as np
import pandas as pd
import pydantic
import pytest
import scipy.sparse
import shapely
import xarray

from rave_core.errors import UnencodableError
from rave_core.fingerprint import digest
from rave_core.fingerprint.builtins import PUTS
from rave_core.fingerprint.encoder import encode


class Scale:
    """A plain object that can be called."""

    def __init__(self, by: object) -> None:
        self.by = by

    def __call__(self, value: float) -> object:
        """The scaled value."""
        return (value, self.by)


class Slots:
    """An object with slots, one of them private."""

    __slots__ = ("__by", "other")

    def __init__(self, by: object) -> None:
        self.__by = by


class Stated:
    """Says itself what its state is, and keeps a lock beside it."""

    def __init__(self, by: object) -> None:
        self.by = by
        self.lock = threading.Lock()

    def __getstate__(self) -> object:
        """All but the lock."""
        return {"by": self.by}


class Nothing:
    """An object whose class says all."""


class Config(pydantic.BaseModel):
    """A model with a field."""

    by: typing.Any
    other: int = 1


class Message(msgspec.Struct):
    """A struct with fields."""

    by: typing.Any
    other: int = 1


@attrs.frozen
class Frozen:
    """An attrs class."""

    by: object


class Noted(pd.DataFrame):  # type: ignore[misc]  # pandas shows no types
    """A frame that carries a unit."""

    _metadata = ("unit",)
    unit: object = None

    @property
    def _constructor(self) -> Any:
        return Noted


def noted(unit: object) -> Noted:
    """A frame with a unit."""
    frame = Noted({"a": [1]})
    frame.unit = unit
    return frame


def graph(kind: Any, weight: object) -> Any:
    """A graph of two edges."""
    made = kind()
    made.add_edge("a", "b", weight=weight)
    made.add_edge("b", "c")
    return made


def raised(error: BaseException, cause: BaseException | None, context: BaseException | None = None) -> BaseException:
    """An exception with what it was raised from, or while handling what."""
    error.__cause__, error.__context__ = cause, context
    error.__suppress_context__ = cause is not None
    return error


def failed(error: BaseException, note: str) -> BaseException:
    """An exception with a note."""
    error.add_note(note)
    return error


MAKERS: list[Callable[[int], object]] = [
    Scale,
    Slots,
    Stated,
    lambda n: Config(by=n),
    lambda n: Config(by=1, other=n),
    Message,
    Frozen,
    lambda n: typing.List[[int, str][n]],  # noqa: UP006  # the old way of writing it is meant
    lambda n: typing.Optional[[int, str][n]],  # noqa: UP045  # the old way of writing it is meant
    lambda n: typing.Literal["ab"[n]],
    lambda n: typing.Annotated[int, n],
    lambda n: typing.Callable[[[int, str][n]], int],
    lambda n: typing.TypeVar("T", bound=[int, str][n]),
    lambda n: typing.NewType("N", [int, str][n]),
    lambda n: ValueError("ab"[n]),
    lambda n: failed(ValueError("a"), "ab"[n]),
    lambda n: raised(ValueError("c"), KeyError(n)),
    lambda n: raised(ValueError("d"), None, KeyError(n)),
    lambda n: raised(ValueError("e"), *[(KeyError(), None), (None, KeyError())][n]),
    lambda n: [ValueError("f"), raised(ValueError("f"), KeyError())][n],
    lambda n: OSError(n, "no"),
    lambda n: ExceptionGroup("all", [ValueError(n)]),
    random.Random,
    np.random.default_rng,
    lambda n: np.random.Generator(np.random.MT19937(n)),
    np.random.RandomState,
    np.random.SeedSequence,
    lambda n: np.busdaycalendar(holidays=[f"2020-01-0{n + 1}"]),
    lambda n: partial(Scale, by=n),
    lambda n: Scale(n).__call__,
    lambda n: pd.offsets.CustomBusinessDay(holidays=[f"2020-01-0{n + 1}"]),
    lambda n: pd.DateOffset(months=n + 1),
    lambda n: pd.bdate_range("2020", periods=3, freq="C", holidays=[f"2020-01-0{n + 2}"]),
    noted,
    lambda n: scipy.sparse.csr_matrix([[n, 1.0]]),
    lambda n: scipy.sparse.coo_array([[n, 1.0]]),
    lambda n: scipy.sparse.lil_matrix([[n, 1.0]]),
    lambda n: scipy.sparse.dok_matrix([[n, 1.0]]),
    lambda n: graph(networkx.Graph, n),
    lambda n: graph(networkx.MultiDiGraph, n),
    lambda n: shapely.Point(n, 1),
    lambda n: shapely.set_srid(shapely.Point(0, 1), n + 1),
    lambda n: shapely.Polygon([(0, 0), (n + 1, 0), (0, 1)]),
    lambda n: np.array([shapely.Point(n, 1)]),
    lambda n: xarray.DataArray([n], dims="x", coords={"x": [1]}),
    lambda n: xarray.DataArray([1], dims="x", coords={"x": [n]}),
    lambda n: xarray.DataArray([1], dims="xy"[n]),
    lambda n: xarray.DataArray([1], dims="x", attrs={"unit": n}),
    lambda n: xarray.Dataset({"a": ("x", [n]), "b": 1}),
    lambda n: xarray.Variable("x", [n]),
    lambda n: logging.getLogger("ab"[n]),
    lambda n: ctypes.c_int(n),
]


@pytest.mark.parametrize("make", MAKERS)
def test_values_that_analysts_pass_count_by_what_they_are(make: Callable[[int], object]) -> None:
    """Made alike they have one encoding, made otherwise another."""
    assert encode(make(0)) == encode(make(0)) != encode(make(1))


def test_each_kind_differs_from_the_others() -> None:
    """The class counts beside the state."""
    assert len({encode(make(0)) for make in MAKERS}) == len(MAKERS)


@pytest.mark.parametrize("make", [random.Random, np.random.default_rng, np.random.RandomState])
def test_a_generator_that_was_used_differs(make: Callable[[int], Any]) -> None:
    """What comes next decides, so the state counts and not the seed."""
    used = make(0)
    used.random()
    assert encode(used) != encode(make(0))


def test_a_generator_counts_with_the_seeds_of_its_children() -> None:
    """Two generators of one state can have different children."""
    parent = np.random.default_rng(0)
    parent.spawn(1)
    assert encode(parent) != encode(np.random.default_rng(0))


def test_an_object_without_state_counts_by_its_class() -> None:
    """Methods of such a class are kept too."""
    assert encode(Nothing()) == encode(Nothing()) != encode(Scale(1))


def test_what_libraries_remember_on_their_objects_does_not_count() -> None:
    """Looking at a graph, a matrix or a frame changes nothing."""
    edges, matrix, frame = graph(networkx.Graph, 1), scipy.sparse.csr_matrix([[1.0, 2.0]]), noted(1)
    before = [encode(value) for value in (edges, matrix, frame)]
    assert list(edges.adj) == list(edges.nodes)
    assert networkx.to_numpy_array(edges).size
    assert matrix.has_sorted_indices
    assert matrix.has_canonical_format
    assert frame["a"].sum() == 1
    assert [encode(value) for value in (edges, matrix, frame)] == before


def test_the_encoding_of_an_xarray_is_that_of_its_content() -> None:
    """Neither how a dataset is to be written nor what it caches counts."""
    one, other = (xarray.Dataset({"a": ("x", [1])}, coords={"x": [1]}) for _ in range(2))
    other.encoding["unlimited_dims"] = {"x"}
    assert other.a.sel(x=1).item() == 1
    assert encode(one) == encode(other)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (object(), "known by its identity"),
        (iter([1]), "used up by being read"),
        (threading, "a module is known by its name"),
        (threading.Lock(), "cannot pickle '_thread.lock'"),
        (sqlite3.connect(":memory:"), "cannot pickle 'sqlite3.Connection'"),
        (weakref.ref(Scale), "cannot pickle"),
        (threading.local(), "cannot pickle"),
    ],
)
def test_what_has_no_encoding_says_why(value: object, reason: str) -> None:
    """One sentence with the reason and what can be done, under the path."""
    with pytest.raises(UnencodableError, match=reason) as caught:
        digest([("model", Scale([value]))])
    assert caught.value.path == "args.model.by[0]"
    assert "rave_core.fingerprint.register" in caught.value.reason
    assert "__rave_key__" not in caught.value.reason


def test_a_mapped_array_is_an_array(tmp_path: Any) -> None:
    """Where the items lie does not count: worker processes get large arrays by memory maps."""
    array = np.arange(10_000.0)
    np.save(tmp_path / "array.npy", array)
    mapped = np.load(tmp_path / "array.npy", mmap_mode="r")
    assert encode([mapped, mapped[3:]]) == encode([array, array[3:]])


def test_what_an_exception_does_not_show_is_no_part_of_it() -> None:
    """What it was raised ``from None`` while handling."""
    hidden = raised(ValueError("a"), None, KeyError())
    hidden.__suppress_context__ = True
    assert encode(hidden) == encode(ValueError("a"))


class Replaced(Exception):
    """Of which only one test makes any."""


def test_an_exception_counts_alike_where_its_pickling_has_been_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """As tblib does, which Dask uses: keys must not depend on what else a process has imported."""
    error = raised(Replaced("a"), KeyError())
    before = encode(error)
    del PUTS[Replaced]
    monkeypatch.setitem(copyreg.dispatch_table, Replaced, lambda error: (str, (id(error),)))
    assert encode(error) == before
