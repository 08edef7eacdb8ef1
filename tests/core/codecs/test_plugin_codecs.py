"""Codecs of plugins: asked first, checked when they are added, named when they fail."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from rave_core.codecs import Codec, Codecs
from rave_core.codecs.codecs import builtin_codecs
from rave_core.errors import DuplicateError, PluginError, SealError, UnstorableError
from tests.core.codecs.sample_values import (
    CODECS,
    RAN,
    record,
)


class Greedy:
    """A plugin's codec, with a name and a wish."""

    def __init__(self, name: str = "greedy", data_only: Any = True, wish: type = str) -> None:
        self.name = name
        self.data_only = data_only
        self.wish = wish

    def encode(self, value: object) -> list[Any] | None:
        """A codec that takes its wish."""
        return [b"!"] if isinstance(value, self.wish) else None

    def decode(self, segments: list[memoryview]) -> object:
        """A codec that has one answer."""
        return "mine"


def test_plugins_are_asked_before_the_builtins_in_order() -> None:
    """A plugin's codec takes even text, the first registered first."""
    codecs = Codecs()
    codecs.add(Greedy("one", wish=bytes), "plugin one")
    codecs.add(Greedy("two", wish=object), "plugin two")
    assert [codec.name for codec in codecs][:3] == ["one", "two", "text"]
    assert codecs.choose(b"a", data_only=False)[0] == "one"
    assert codecs.choose("a", data_only=False)[0] == "two"
    assert codecs.decode("two", [], data_only=True) == "mine"
    assert codecs.origin("two") == "plugin two"


def test_a_plugin_that_can_run_code_is_left_out_of_data_only_mode() -> None:
    """The mode holds for plugins too."""
    codecs = Codecs()
    codecs.add(Greedy(data_only=False), "a plugin")
    assert codecs.choose("a", data_only=True)[0] == "text"
    with pytest.raises(SealError, match="greedy"):
        codecs.decode("greedy", [], data_only=True)


def test_two_codecs_of_one_name_are_an_error_naming_both() -> None:
    """A clash names both origins, and the first stays."""
    codecs = Codecs()
    with pytest.raises(DuplicateError, match=r"'numpy' of a plugin .*rave_core"):
        codecs.add(Greedy("numpy"), "a plugin")
    assert codecs.origin("numpy") == "rave_core"


@pytest.mark.parametrize("codec", [Greedy(""), Greedy(data_only="yes"), object()])
def test_a_codec_without_name_or_flag_is_refused(codec: Any) -> None:
    """What can't stand in a header is refused at registration."""
    with pytest.raises(PluginError, match="a plugin"):
        Codecs().add(codec, "a plugin")


def test_a_codec_that_fails_is_named() -> None:
    """A plugin's fault is reported as the plugin's."""

    class Failing(Greedy):
        def encode(self, value: object) -> list[Any] | None:
            raise KeyError("oops")

    codecs = Codecs()
    codecs.add(Failing(), "a plugin")
    with pytest.raises(UnstorableError, match="'greedy' of a plugin failed on int"):
        codecs.choose(1, data_only=False)


def test_pickling_does_not_run_on_what_an_earlier_codec_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    """An array is not pickled as well."""
    monkeypatch.setattr(pickle, "dumps", record)
    RAN.clear()
    for value in (np.arange(3), "a", b"a", 1, pa.table({"a": [1]}), pl.DataFrame({"a": [1]})):
        CODECS.choose(value, data_only=False)
    assert RAN == []


def test_the_names_of_the_builtins_are_stable() -> None:
    """Entries out there name these codecs."""
    names = "text bytes bytearray scalar numpy arrow arrow.batch polars polars.series pickle pandas pandas.series plain"
    assert [codec.name for codec in builtin_codecs()] == names.split()
    codecs: tuple[Codec, ...] = builtin_codecs()
    assert [codec.name for codec in codecs if not codec.data_only] == ["pickle"]
