"""What RAVE adds to an object store: `python benchmarks/object_store.py [--endpoint URL --bucket NAME]`.

Without an endpoint it starts moto's S3 emulator; with one, it uses the environment's credentials. It compares a hit of
4 KiB with a bare GET by the same client, in turns. A process of its own stores and fetches a product of 64 MB, while
the benchmark watches its memory. A figure over its limit makes the run fail.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from running import free_port, is_listening, wait_until

from rave_core import Runtime, Settings, op, op_file, using

ROUNDS = 400
RATIO = 1.2
MEGABYTES = 64
GROWTH_MB = 48
"""Parts of 8 MB: two in flight, with what the client keeps of each."""


@op(version="1", name="bench:kibibytes")
def kibibytes(number: int) -> bytes:
    """4 KiB."""
    return bytes([number]) * 4096


@op_file(version="1", name="bench:product", mime_type="application/octet-stream")
def product(path: str, number: int) -> None:
    """64 MB."""
    with open(path, "wb") as file:
        for _ in range(MEGABYTES):
            file.write(bytes([number]) + os.urandom((1 << 20) - 1))


def seconds(call: Callable[[], object]) -> float:
    """How long one call takes."""
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def hit(url: str) -> tuple[float, float]:
    """Medians, in seconds: of a hit, and of a bare GET of the very same object."""
    import obstore

    with using(Runtime(Settings(cache=[url], data_only=True, products=["file:///nowhere"]))) as runtime:
        kibibytes(1)
        backend = runtime.cache.backend
        (store,) = backend.layers
        client, name = store._bucket._client(), store._name(next(backend.keys()))

        def bare() -> object:
            return obstore.get(client, name).bytes()

        ours, theirs = [], []
        for _ in range(ROUNDS):
            ours.append(seconds(lambda: kibibytes(1)))
            theirs.append(seconds(bare))
        return statistics.median(ours), statistics.median(theirs)


STREAM = f"""
import os, sys, threading, time
sys.path[:0] = {[str(Path(__file__).parent)]!r}
from object_store import product
from rave_core import Runtime, Settings, using

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE") / 1e6

def watched(home):
    os.environ["XDG_CACHE_HOME"] = home
    with using(Runtime(Settings(cache=["memory://"], products=[sys.argv[1]]))) as runtime:
        runtime.products.backend.check()  # so that the client is loaded
        before, peak, over = resident(), [0.0], threading.Event()
        def watch():
            while not over.wait(0.005):
                peak[0] = max(peak[0], resident())
        watcher = threading.Thread(target=watch)
        watcher.start()
        started = time.perf_counter()
        status = product.resolve(number=1).status.value
        took = time.perf_counter() - started
        over.set()
        watcher.join()
    print(status, round(took, 2), round(peak[0] - before, 1))

watched(sys.argv[2])
"""


def stream(url: str) -> Iterator[tuple[str, float, float]]:
    """Status, seconds and growth in MB: of the host that makes the product, and of one that fetches it."""
    for _ in range(2):
        with tempfile.TemporaryDirectory() as home:
            command = [sys.executable, "-c", STREAM, url, home]
            told = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
        yield told[0], float(told[1]), float(told[2])


@contextmanager
def emulator() -> Iterator[tuple[str, str]]:
    """The endpoint and a bucket of moto."""
    port, bucket = free_port(), f"rave-{uuid.uuid4().hex}"
    os.environ.update(AWS_ACCESS_KEY_ID="any", AWS_SECRET_ACCESS_KEY="any")
    command = [str(Path(sys.executable).parent / "moto_server"), "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: is_listening(port), what="moto")
        endpoint = f"http://127.0.0.1:{port}"
        urllib.request.urlopen(urllib.request.Request(f"{endpoint}/{bucket}", method="PUT")).close()
        yield endpoint, bucket
    finally:
        process.terminate()
        process.wait()


def measure(endpoint: str, bucket: str) -> bool:
    """Prints every figure beside its limit; whether all are within."""
    url = f"s3://{bucket}/{uuid.uuid4().hex}?endpoint={endpoint}"
    ours, theirs = hit(url)
    good = ours <= RATIO * theirs
    print(f"hit of 4 KiB    {ours * 1e3:7.2f} ms, bare GET {theirs * 1e3:.2f} ms: {ours / theirs:.2f} (limit {RATIO})")
    for (status, took, growth), wanted in zip(stream(url), ("miss", "hit"), strict=True):
        good = good and growth <= GROWTH_MB and status == wanted
        print(f"{MEGABYTES} MB, {status:4}     {took:7.2f} s, memory +{growth:.1f} MB (limit {GROWTH_MB})")
    return good


def main() -> int:
    """Measures; returns 1 if a figure exceeds its limit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--endpoint", help="the URL of a store that speaks S3; default: moto's emulator, started here")
    parser.add_argument("--bucket", default="rave", help="a bucket of it (default: rave)")
    given = parser.parse_args()
    if given.endpoint:
        return 0 if measure(given.endpoint, given.bucket) else 1
    with emulator() as (endpoint, bucket):
        return 0 if measure(endpoint, bucket) else 1


if __name__ == "__main__":
    raise SystemExit(main())
