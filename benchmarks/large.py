"""What large values cost: on a disk, private or shared, beside peers that check nothing; and as arguments."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import diskcache
import joblib
import numpy as np
import pandas as pd
import pyarrow as pa
from pairs import Comparison, compare

from rave_core import Runtime, Settings, op, using

ARRAY = np.random.default_rng(1).random(1 << 20)
"""8 MiB."""
TABLE = pa.table({name: np.random.default_rng(2).random(1_250_000) for name in "abcdefghij"})
"""100 MB."""


@op(version="1")
def array(_number: int) -> Any:
    """8 MiB, as made anew."""
    return ARRAY


@op(version="1")
def table() -> Any:
    """100 MB in ten columns."""
    return TABLE


@op(version="1")
def length(values: Any) -> int:
    """A small result of a large argument."""
    return len(values)


def arrays(place: Path) -> Iterator[Comparison]:
    """An array of 8 MiB: stored, and read again, with a sum over what was read so that every byte is used."""
    for kind, limits in (("private", (1.5, 0.5, 0.5)), ("shared, signed", (2.0, 3.0, 3.0))):
        peer = diskcache.Cache(str(place / f"diskcache {kind}"))
        with peer, using(_runtime(place, kind)):
            theirs = peer.memoize()(array.function)
            memory = joblib.Memory(str(place / f"joblib {kind}"), verbose=0).cache(array.function)
            store = f"8 MiB array, {kind}: store"
            yield compare(store, "diskcache", _storing(array), _storing(theirs), limit=limits[0], is_steady=False)
            for name, its, limit in (("diskcache", theirs, limits[1]), ("joblib", memory, limits[2])):
                hit = f"8 MiB array, {kind}: hit"
                yield compare(hit, name, _summing(array), _summing(its), limit=limit, number=3)


def _storing(call: Callable[[int], Any]) -> Callable[[], object]:
    """Calls with a new number each time."""
    numbers = itertools.count(1)
    return lambda: call(next(numbers))


def _summing(call: Callable[[int], Any]) -> Callable[[], object]:
    """Reads one value, and every byte of it."""
    return lambda: call(0).sum()


def tables(place: Path) -> Iterator[Comparison]:
    """A table of 100 MB, read again, beside Arrow's own file that nothing checks."""
    path = str(place / "table.arrow")
    with pa.OSFile(path, "wb") as sink, pa.ipc.new_stream(sink, TABLE.schema) as writer:
        writer.write(TABLE)

    def theirs() -> object:
        with pa.OSFile(path) as source, pa.ipc.open_stream(source) as reader:
            return reader.read_all()

    for kind, limit in (("private", 1.0), ("shared, signed", 12.0)):
        with using(_runtime(place, kind)):
            yield compare(f"100 MB table, {kind}: hit", "pyarrow", table, theirs, limit=limit, pairs=5)


def keys(place: Path) -> Iterator[Comparison]:
    """The key of a large argument, with the hit in memory that it gives, beside a digest of the bytes alone."""
    frame = pd.DataFrame({"number": np.arange(200_000), "text": [f"row {n % 5000}" for n in range(200_000)]})
    with using(Runtime(Settings(cache=["memory://"], products=[f"file://{place}/products"]))):
        yield compare(
            "key of an 8 MiB array, and the hit",
            "sha256",
            lambda: length(ARRAY),
            lambda: hashlib.sha256(ARRAY.data).digest(),
            limit=1.0,
        )
        yield compare(
            "key of a frame of 200,000 rows with text, and the hit",
            "joblib.hash",
            lambda: length(frame),
            lambda: joblib.hash(frame),
            limit=0.8,
            pairs=5,
        )


def _runtime(place: Path, kind: str) -> Runtime:
    if kind == "private":
        return Runtime(Settings(cache=[f"file://{place}/private"], products=[f"file://{place}/products"]))
    key = place / "signing"
    key.write_bytes(b"0123456789abcdef" * 4)
    key.chmod(0o600)
    url = f"file://{place}/shared?mode=2770"
    return Runtime(Settings(cache=[url], products=[f"file://{place}/products"], signing_key_file=key))
