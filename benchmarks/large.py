"""What large values cost on a disk, private or signed, beside peers that check nothing.

python benchmarks/large.py
"""

from __future__ import annotations

import itertools
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import diskcache
import joblib
import numpy as np
import pyarrow as pa
from pairs import Comparison, compare

from rave_core import Runtime, Settings, op, using

PLACE = Path(__file__).resolve().parent.parent / ".bench"
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


def arrays(place: Path, kind: str, runtime: Runtime, limits: tuple[float, float, float]) -> Iterator[Comparison]:
    """An array of 8 MiB: stored, and read again, with a sum over what was read so that every byte is used."""
    peer = diskcache.Cache(str(place / f"diskcache-{kind}"))
    theirs = peer.memoize()(array.function)
    memory = joblib.Memory(str(place / f"joblib-{kind}"), verbose=0).cache(array.function)
    ours_new, theirs_new = itertools.count(1), itertools.count(1)
    with using(runtime):
        yield compare(
            f"8 MiB, {kind}: store",
            "diskcache",
            lambda: array(next(ours_new)),
            lambda: theirs(next(theirs_new)),
            limit=limits[0],
        )
        array(0), theirs(0), memory(0)

        def ours() -> object:
            return array(0).sum()

        yield compare(f"8 MiB, {kind}: hit", "diskcache", ours, lambda: theirs(0).sum(), limit=limits[1], number=3)
        yield compare(f"8 MiB, {kind}: hit", "joblib", ours, lambda: memory(0).sum(), limit=limits[2], number=3)
    peer.close()


def tables(place: Path, kind: str, runtime: Runtime, limit: float) -> Iterator[Comparison]:
    """A table of 100 MB, read again by its bytes, beside Arrow's own file that nothing checks."""
    path = place / f"{kind}.arrow"
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, TABLE.schema) as writer:
        writer.write(TABLE)

    def theirs() -> object:
        with pa.OSFile(str(path)) as source, pa.ipc.open_stream(source) as reader:
            return reader.read_all()

    with using(runtime):
        yield compare(f"100 MB table, {kind}: hit", "pyarrow", table, theirs, limit=limit, pairs=5)


def measured(place: Path) -> Iterator[Comparison]:
    """All comparisons, in stores below ``place``."""
    (place / "signing").write_bytes(b"0123456789abcdef" * 4)
    (place / "signing").chmod(0o600)
    private = Runtime(Settings(cache=[f"file://{place}/private"], products=[f"file://{place}/p"]))
    signed = Runtime(
        Settings(
            cache=[f"file://{place}/signed?mode=2770"],
            products=[f"file://{place}/p"],
            signing_key_file=place / "signing",
        )
    )
    yield from arrays(place, "private", private, (1.5, 0.5, 0.5))
    yield from arrays(place, "signed", signed, (2.0, 3.0, 3.0))
    yield from tables(place, "private", private, 1.0)
    yield from tables(place, "signed", signed, 12.0)


def main() -> int:
    """Prints the table; 1 if a limit is passed."""
    PLACE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="large-", dir=PLACE) as directory:
        results = list(measured(Path(directory)))
    for each in results:
        times = f"{each.rave_us:11.0f} µs{each.peer_us:11.0f} µs"
        print(f"{each.name:28}{times}{each.ratio:8.2f}  limit {each.limit}  {each.peer}")
    return int(any(each.ratio > each.limit for each in results))


if __name__ == "__main__":
    sys.exit(main())
