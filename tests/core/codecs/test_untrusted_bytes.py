"""Bytes from elsewhere run nothing in data-only mode, and decode or are damaged."""

from __future__ import annotations

import contextlib
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rave_core.errors import DamagedError, EntryError, SealError
from tests.core.codecs.sample_values import (
    CODECS,
    RAN,
    private,
    record,
)


class Malicious:
    def __reduce__(self) -> tuple[Any, ...]:
        return record, ("ran",)


MALICIOUS = pickle.dumps(Malicious(), protocol=5)


@given(
    name=st.sampled_from([codec.name for codec in CODECS]),
    tail=st.lists(st.binary(max_size=20), max_size=2),
    prefix=st.binary(max_size=3),
)
def test_a_malicious_pickle_never_runs_in_data_only_mode(name: str, tail: list[bytes], prefix: bytes) -> None:
    """Whatever codec an unsealed entry names, its bytes stay bytes."""
    RAN.clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pickle, "loads", record)
        with pytest.raises(SealError) if name == "pickle" else contextlib.suppress(DamagedError):
            CODECS.decode(name, private([prefix + MALICIOUS, *tail]), data_only=True)
    assert RAN == []


def test_a_malicious_pickle_does_run_where_pickle_is_allowed() -> None:
    """The bytes of the tests around are truly malicious."""
    RAN.clear()
    CODECS.decode("pickle", private([MALICIOUS]), data_only=False)
    assert RAN == ["ran"]


def test_pickle_hidden_as_a_leaf_of_plain_data_is_damaged() -> None:
    """The tree of a data-only entry can't name a codec that runs code."""
    import msgspec

    leaf = msgspec.msgpack.encode(["pickle", MALICIOUS])
    tree = msgspec.msgpack.encode(msgspec.msgpack.Ext(0, leaf))
    RAN.clear()
    with pytest.raises(DamagedError):
        CODECS.decode("plain", private([tree]), data_only=True)
    assert RAN == []


@given(name=st.sampled_from([c.name for c in CODECS if c.data_only]), segments=st.lists(st.binary(max_size=60)))
def test_arbitrary_bytes_decode_or_are_damaged(name: str, segments: list[bytes]) -> None:
    """No bytes make a data-only codec fail in any other way."""
    with contextlib.suppress(EntryError):
        CODECS.decode(name, private(segments), data_only=True)


def test_an_unknown_codec_is_named_with_the_nearest() -> None:
    """An entry of a missing plugin says which codec it wants."""
    with pytest.raises(EntryError, match=r"unknown codec 'numpyy'.*did you mean 'numpy'"):
        CODECS.decode("numpyy", [], data_only=False)


def test_a_missing_library_is_not_damage() -> None:
    """An entry whose library is missing here is left as it is for those who have it."""
    absent = b"\x80\x05\x8c\x0brave_absent\x8c\x04Name\x93."
    with pytest.raises(EntryError, match="rave_absent") as caught:
        CODECS.decode("pickle", private([absent]), data_only=False)
    assert not isinstance(caught.value, DamagedError)
