"""Bytes that nobody vouches for, given to every codec that takes data only."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import warnings
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from rave_core.codecs import Codecs
from rave_core.errors import DamagedError, EntryError, UnstorableError

CODECS = Codecs()
VALUES = (
    np.arange(6.0).reshape(2, 3),
    np.array(["ab", "c"]),
    np.array(["2020-01-01"], "M8[s]"),
    np.zeros(2, [("a", "i4"), ("b", "S3")]),
    pa.table({"a": [1, None], "s": ["x", None], "l": [[1], []], "d": pa.array(["a", "b"]).dictionary_encode()}),
    pa.RecordBatch.from_pydict({"a": [1, 2], "b": [b"x", b"zzzz"]}),
    pl.DataFrame({"a": [1, 2], "s": ["x", "z" * 30], "c": pl.Series(["a", "b"], dtype=pl.Categorical), "l": [[1], []]}),
    pl.Series("x", [1.5, None]),
    pd.DataFrame({"a": [1, 2], "t": pd.to_datetime(["2020-01-01", "2021-01-01"]), "c": pd.Categorical(["a", "b"])}),
    pd.Series([1, 2], name="q"),
    {"n": [1, (2, 3)], 1: np.arange(3), "f": pl.DataFrame({"a": [1]})},
    "text",
    12345678901234567890,
)
ODD_BYTES = (0, 1, 2, 0x7F, 0x80, 0xFF)
ODD_WORDS = tuple(number.to_bytes(8, "little") for number in (0, 2**31, 2**62, 2**64 - 1, 2**64 - 16))


def mutate(segments: list[bytes], chance: random.Random) -> list[memoryview]:
    """The segments, with some bytes changed, cut, or put in."""
    forged = [bytearray(segment) for segment in segments]
    for _ in range(chance.randint(1, 4)):
        content = chance.choice(forged)
        if not content:
            continue
        at, way = chance.randrange(len(content)), chance.random()
        if way < 0.7:
            content[at] = chance.choice((*ODD_BYTES, chance.randrange(256)))
        elif way < 0.8:
            del content[at:]
        elif way < 0.95:
            content[at : at + 8] = chance.choice(ODD_WORDS)
        else:
            content[at:at] = bytes([chance.randrange(256)])
    return [memoryview(bytes(content)) for content in forged]


def attack(seed: int, rounds: int) -> None:
    """Decodes forged bytes of every codec; whatever comes but a value or an error of an entry escapes."""
    warnings.simplefilter("ignore")
    chance = random.Random(seed)  # the same bytes each time
    for value in VALUES:
        name, segments = CODECS.choose(value, data_only=True)
        whole = [bytes(segment) for segment in segments]
        for _ in range(rounds):
            try:
                CODECS.decode(name, mutate(whole, chance), data_only=True)
            except EntryError:
                continue


def test_forged_bytes_never_end_the_process() -> None:
    """Every data-only codec answers changed bytes with a value or as damaged, also where its library would abort."""
    code = (
        f"import sys; sys.path.insert(0, {os.path.dirname(__file__)!r}); import test_forged_data as t; t.attack(1, 150)"
    )
    # With little memory to be had, what asks for too much of it fails at once.
    limited = f"import resource; resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30)); {code}"
    ran = subprocess.run([sys.executable, "-c", limited], capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 0, ran.stderr[-2000:]


@pytest.mark.parametrize("kind", ["|S0", "<U0"])
@pytest.mark.parametrize("shape", [[3], [5000], [70, 70]])
def test_an_array_of_no_width_hands_out_no_memory(kind: str, shape: list[int]) -> None:
    """Texts without width, of which numpy makes some with one, are empty, whatever lay in that memory."""
    head = msgspec.msgpack.encode([kind, shape, "C", False])
    array: Any = CODECS.decode("numpy", [memoryview(head), memoryview(b"")], data_only=True)
    assert not any(array.tobytes())


def test_no_bytes_make_no_endless_array() -> None:
    """An entry of a few bytes can't ask for a terabyte."""
    head = msgspec.msgpack.encode(["|S0", [2**40], "C", False])
    with pytest.raises(DamagedError):
        CODECS.decode("numpy", [memoryview(head), memoryview(b"")], data_only=True)


@pytest.mark.parametrize("kind", ["|V0", "|S0", "<U0", "<i4"])
def test_an_array_without_items_or_width_holds_nothing(kind: str) -> None:
    """An array of no items, or of items without bytes, comes as that."""
    head = msgspec.msgpack.encode([kind, [3] if kind == "|V0" else [3, 0], "C", False])
    array: Any = CODECS.decode("numpy", [memoryview(head), memoryview(b"")], data_only=True)
    assert array.nbytes == 0


def test_an_array_of_texts_without_width_is_no_data() -> None:
    """What would be refused when it is read is not kept."""
    odd: Any = np.ndarray((3,), "S0", b"")
    with pytest.raises(UnstorableError):
        CODECS.choose(odd, data_only=True)


@pytest.mark.parametrize("extra", [-1, 1])
def test_an_array_has_exactly_the_bytes_of_its_shape(extra: int) -> None:
    """One byte too many or too few is damage."""
    name, segments = CODECS.choose(np.arange(4), data_only=True)
    memory = (bytes(segments[1]) + b"x")[: 32 + extra]
    with pytest.raises(DamagedError):
        CODECS.decode(name, [memoryview(segments[0]), memoryview(memory)], data_only=True)


def test_a_polars_frame_passes_as_data_only() -> None:
    """What Arrow wrote anew is the same frame to polars."""
    frame = VALUES[6]
    name, segments = CODECS.choose(frame, data_only=True)
    back: Any = CODECS.decode(name, [memoryview(segment) for segment in segments], data_only=True)
    assert back.equals(frame)
    assert back.schema == frame.schema
