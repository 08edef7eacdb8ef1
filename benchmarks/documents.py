"""Documents: what a commit costs, how soon others hear of it, and what reading a large store takes.

python benchmarks/documents.py                                      SQLite
python benchmarks/documents.py --url postgresql+psycopg://…         an empty database of PostgreSQL
python benchmarks/documents.py --documents 1000 --rounds 50         quickly
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import sqlalchemy as sql

from rave_backends.documents.database import Mode
from rave_backends.documents.tables import DOCUMENTS, STATE
from rave_core.documents import DocumentStore, Mirror, open_store

PAYLOAD = b"x" * 500
VERSIONS = 10
READS = 500
"""Documents of the large store that are read one by one."""
ADVANCE = "UPDATE rave_store SET sequence = sequence + 1 RETURNING sequence"
COLUMNS = "INSERT INTO rave_documents (sequence, collection, key, version, author, comment, time, payload) VALUES"


def milliseconds(act: Callable[[], object]) -> float:
    """The milliseconds that a call takes."""
    began = time.perf_counter()
    act()
    return (time.perf_counter() - began) * 1e3


def sqlite_by_hand(path: str) -> Callable[[int], object]:
    """The transaction of a save, by the module of the standard library."""
    connection = sqlite3.connect(path, isolation_level=None, timeout=30)
    connection.execute("PRAGMA synchronous = FULL")

    def save(number: int) -> None:
        connection.execute("BEGIN IMMEDIATE")
        (sequence,) = connection.execute(ADVANCE).fetchone()
        row = (sequence, "hand", f"k{number}", 1, "ada", "", time.time(), PAYLOAD)
        connection.execute(f"{COLUMNS} (?, ?, ?, ?, ?, ?, ?, ?)", row)
        connection.execute("COMMIT")

    return save


def postgresql_by_hand(url: str) -> Callable[[int], object]:
    """The same by psycopg, with the notification."""
    import psycopg

    connection = psycopg.connect(sql.make_url(url).set(drivername="postgresql").render_as_string(hide_password=False))

    def save(number: int) -> None:
        (sequence,) = connection.execute(ADVANCE).fetchone() or (0,)
        row = (sequence, "hand", f"k{number}", 1, "ada", "", time.time(), PAYLOAD)
        notify = "RETURNING pg_notify('rave_documents', sequence::text)"
        connection.execute(f"{COLUMNS} (%s, %s, %s, %s, %s, %s, %s, %s) {notify}", row)
        connection.commit()

    return save


def commits(url: str, store: DocumentStore, rounds: int) -> dict[str, float]:
    """A save, and the same transaction by hand, in turn, so that the same disk is under both."""
    by_hand = sqlite_by_hand(url.removeprefix("sqlite:///")) if url.startswith("sqlite") else postgresql_by_hand(url)
    ours, hand = [], []
    for number in range(rounds):
        hand.append(milliseconds(partial(by_hand, number)))
        save = partial(store.save, "ours", f"k{number}", PAYLOAD, expect=0, author="ada")
        ours.append(milliseconds(save))
    return {"by_hand_ms": statistics.median(hand), "save_ms": statistics.median(ours)}


def _listen(url: str, pipe: Connection) -> None:
    """In another process: when each commit was heard of."""
    heard: list[float] = []
    with open_store(url) as store, store.watch(store.sequence(), lambda _: heard.append(time.time())) as watch:
        while watch.age() > 0.1:  # until it has read for the first time
            time.sleep(0.01)
        pipe.send(store.sequence())
        watch.reach(pipe.recv(), 60)
    pipe.send(heard)


def latency(url: str, store: DocumentStore, rounds: int, collection: str) -> float:
    """The median of the milliseconds from a commit to the callback in another process."""
    ours, theirs = multiprocessing.Pipe()
    child = multiprocessing.get_context("spawn").Process(target=_listen, args=(url, theirs))
    child.start()
    ours.recv()
    committed = []
    for number in range(rounds):
        saved = store.save(collection, f"k{number}", PAYLOAD, expect=0, author="ada")
        committed.append(time.time())
        time.sleep(0.013 * (number % 17))
    ours.send(saved.sequence)
    heard = ours.recv()
    child.join()
    return statistics.median(max(there - here, 0.0) for here, there in zip(committed, heard, strict=True)) * 1e3


def mirrored(store: DocumentStore) -> float:
    """The microseconds of a read of a mirror."""
    store.save("mirrored", "k", PAYLOAD, expect=0, author="ada")
    with Mirror(store, ["mirrored"]) as mirror:
        began = time.perf_counter()
        for _ in range(100_000):
            mirror.get("mirrored", "k")
        return (time.perf_counter() - began) * 10


def fill(store: Any, documents: int) -> None:
    """Adds many documents in versions, past the store, which would take a transaction for each."""
    engine = store._database.make_engine(Mode.WRITE)
    with engine.begin() as connection:
        sequence = connection.execute(sql.select(STATE.c.sequence)).scalar_one()
        for start in range(0, documents, 1000):
            rows = [
                {
                    "sequence": sequence + (start + number) * VERSIONS + version,
                    "collection": "large",
                    "key": f"document {start + number:08}",
                    "version": version,
                    "author": "ada",
                    "comment": "",
                    "time": 0.0,
                    "payload": PAYLOAD[:100],
                }
                for number in range(min(1000, documents - start))
                for version in range(1, VERSIONS + 1)
            ]
            connection.execute(sql.insert(DOCUMENTS), rows)
        connection.execute(sql.update(STATE).values(sequence=sequence + documents * VERSIONS))
    engine.dispose()


def _read_heads(url: str, pipe: Connection) -> None:
    """In a process of its own, whose memory nobody else uses."""
    with open_store(url) as store:
        next(store.heads("large"))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        began = time.perf_counter()
        heads = store.heads("large")
        next(heads)
        first = time.perf_counter() - began
        count = 1 + sum(1 for _ in heads)
        seconds = time.perf_counter() - began
        growth = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        keys = [f"document {number * count // READS:08}" for number in range(READS)]
        pipe.send(
            {
                "heads": count,
                "first_ms": first * 1e3,
                "seconds": seconds,
                "growth_mib": growth,
                "get_ms": statistics.median(milliseconds(partial(store.get, "large", key)) for key in keys),
                "old_get_ms": statistics.median(milliseconds(partial(store.get, "large", key, 1)) for key in keys),
                "history_ms": statistics.median(milliseconds(partial(_history, store, key)) for key in keys),
            }
        )


def _history(store: DocumentStore, key: str) -> None:
    assert sum(1 for _ in store.history("large", key)) == VERSIONS


def large(url: str, store: DocumentStore, documents: int) -> dict[str, float]:
    """Reading the heads of a large store, and single documents in it."""
    fill(store, documents)
    ours, theirs = multiprocessing.Pipe()
    child = multiprocessing.get_context("spawn").Process(target=_read_heads, args=(url, theirs))
    child.start()
    found: dict[str, float] = ours.recv()
    child.join()
    assert found["heads"] == documents
    return found


def report(url: str, rounds: int, documents: int) -> dict[str, Any]:
    """All figures of one store."""
    with closing(open_store(url)) as store:
        for number in range(20):  # what is slow at first
            store.save("warm", f"k{number}", PAYLOAD, expect=0, author="ada")
        found: dict[str, Any] = commits(url, store, rounds)
        found["ratio"] = found["save_ms"] / found["by_hand_ms"]
        found["callback_ms"] = latency(url, store, rounds, "heard")
        found["mirror_read_us"] = mirrored(store)
        found["large"] = large(url, store, documents)
        found["large"]["callback_ms"] = latency(url, store, rounds, "heard among many")
    return found


def main() -> None:
    """Measures, and prints JSON; exits with 1 where a figure is over its limit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", help="of an empty database; an SQLite file by default")
    parser.add_argument("--rounds", type=int, default=200, help="of commits")
    parser.add_argument("--documents", type=int, default=100_000, help="in the large store, in ten versions each")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        url = given.url or f"sqlite:///{folder}/documents.sqlite"
        found = report(url, given.rounds, given.documents)
    print(json.dumps(found, indent=2))
    soon = 250 if url.startswith("sqlite") else 5
    is_good = found["ratio"] <= 1.5 and found["mirror_read_us"] <= 5 and found["callback_ms"] < soon
    sys.exit(not (is_good and found["large"]["growth_mib"] < 30))


if __name__ == "__main__":
    main()
