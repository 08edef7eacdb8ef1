"""What the tests share: a generated day, plain-Python readings of logs, and caches of their own."""

from __future__ import annotations

import gzip
import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import date
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from flow_rows import read
from rave_flow.generate import Scenario, write_day

from rave_core import Runtime, Settings, using
from rave_core.runtime import argument_code, version_finder
from rave_core.versions.source.closure import Closure, ClosureRequest, closure_of

DAY = date(2024, 5, 14)
REAL = Path("shared", "data", "rita-missing-host")
Row = dict[str, Any]


_walked: dict[tuple[Any, ...], tuple[ClosureRequest, Closure]] = {}


@pytest.fixture(autouse=True)
def _known_closures(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The code of rave-flow is followed once in a process, not once in each runtime; in ``test_versions.py`` as ever.

    Half the time of these tests went into it, and none of the others changes code.
    """
    if request.path.name != "test_versions.py":
        monkeypatch.setattr(version_finder, "closure_of", _closure_of)
        monkeypatch.setattr(argument_code, "closure_of", _closure_of)


def _closure_of(wanted: ClosureRequest) -> Closure:
    ids = tuple(map(id, wanted.roots))
    key = (ids, *wanted.names, *wanted.files, wanted.ignore, wanted.locality, wanted.is_captured_in_key)
    known = _walked.get(key)
    if known is None or not known[1].guards.hold():
        known = _walked[key] = (wanted, closure_of(wanted))  # with the roots, so that their ids stay theirs
    return known[1]


@pytest.fixture(scope="session")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with one generated day of 4000 flows; not to be changed."""
    directory = tmp_path_factory.mktemp("generated")
    write_day(directory, Scenario(DAY, 4000, seed=11))
    return directory


@pytest.fixture
def serving(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Path], Runtime]]:
    """Sends calls to fresh caches over the flow files in a directory, for the rest of the test."""
    monkeypatch.delenv("RAVE_FLOW_DIRECTORY", raising=False)
    with ExitStack() as stack:

        def serve(directory: Path) -> Runtime:
            return stack.enter_context(using(stack.enter_context(_runtime(tmp_path, directory))))

        yield serve


@pytest.fixture(scope="session")
def runtimes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Path], Runtime]]:
    """One runtime for each directory, so that tests which only look at answers share what was read."""
    made: dict[Path, Runtime] = {}

    def of(directory: Path) -> Runtime:
        if directory not in made:
            made[directory] = _runtime(tmp_path_factory.mktemp("caches"), directory)
        return made[directory]

    yield of
    for runtime in made.values():
        runtime.close()


Reused = Callable[[], AbstractContextManager[tuple[Path, int]]]
"""An empty directory over which a runtime answers, and a number that is part of the name of each file put into it."""


@pytest.fixture(scope="module")
def reused(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reused]:
    """One runtime for many small sets of files: opening one takes longer than most questions.

    A file is known by its name, size and time, and the times of two sets may be equal.
    """
    directory, numbers = tmp_path_factory.mktemp("reused"), count()
    products = tmp_path_factory.mktemp("products")
    plugin = {"flow": {"directory": str(directory)}}
    with Runtime(Settings(cache=["memory://"], products=[f"file://{products}"], plugins=plugin)) as runtime:

        @contextmanager
        def emptied() -> Iterator[tuple[Path, int]]:
            for path in directory.iterdir():
                path.unlink()
            with using(runtime):
                yield directory, next(numbers)

        yield emptied


def _runtime(caches: Path, directory: Path) -> Runtime:
    urls = {"cache": [f"file://{caches}/cache"], "products": [f"file://{caches}/products"]}
    return Runtime(Settings(**urls, plugins={"flow": {"directory": str(directory)}}))


@pytest.fixture
def sharing(
    runtimes: Callable[[Path], Runtime], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[Path], Runtime]]:
    """Sends calls to caches that other tests use too, over the flow files in a directory, for the rest of the test."""
    monkeypatch.delenv("RAVE_FLOW_DIRECTORY", raising=False)
    with ExitStack() as stack:
        yield lambda directory: stack.enter_context(using(runtimes(directory)))


@pytest.fixture
def runs() -> Callable[[str], int]:
    """How often the body of an operation has run, by its name."""

    def count(name: str) -> int:
        operations = vars(logging)["statistics"]["RAVE"]["Operations"]
        return sum(record["Misses"] for full, record in operations.items() if full == name)

    return count


@pytest.fixture(scope="session")
def parsed() -> Callable[[Path], list[Row]]:
    """Reads Zeek logs line by line, independently of the code under test."""

    def parse(directory: Path) -> list[Row]:
        return [row for path in sorted(directory.rglob("conn*.log.gz")) for row in _rows(path)]

    return parse


def _rows(path: Path) -> Iterator[Row]:
    fields: list[str] = []
    with gzip.open(path, "rt") as lines:
        for line in lines:
            if line.startswith("#fields"):
                fields = line.rstrip("\n").split("\t")[1:]
            if line.startswith("#"):
                continue
            raw = dict(zip(fields, line.rstrip("\n").split("\t"), strict=True))
            yield {
                "us": round(float(raw["ts"]) * 10**6),
                "src": raw["id.orig_h"],
                "dst": raw["id.resp_h"],
                # Of ICMP a log has types and codes there, which are no ports.
                "src_port": None if raw["proto"] == "icmp" else int(raw["id.orig_p"]),
                "dst_port": None if raw["proto"] == "icmp" else int(raw["id.resp_p"]),
                "proto": "icmp6" if raw["proto"] == "icmp" and ":" in raw["id.orig_h"] else raw["proto"],
                "service": "(unknown)" if raw["service"] == "-" else raw["service"],
                "bytes": int(raw["orig_ip_bytes"]) + int(raw["resp_ip_bytes"]),
                "packets": int(raw["orig_pkts"]) + int(raw["resp_pkts"]),
            }


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Two days of one internet-facing host, where the data lie beside the repository."""
    for folder in Path(__file__).resolve().parents:
        if (folder / REAL).is_dir():
            return folder / REAL
    pytest.skip(f"the recorded traffic is not here: no {REAL} beside the repository (it is not part of it)")


@pytest.fixture(scope="session")
def lines(generated: Path) -> list[Row]:
    """The flows of the generated day, read line by line."""
    return list(read(generated))


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """An empty directory for logs."""
    path = tmp_path / "logs"
    path.mkdir()
    return path


@pytest.fixture
def zeek(tmp_path: Path) -> Callable[..., Path]:
    """Writes a small Zeek log, gzip or plain by its name, and gives its directory."""

    def write(lines: list[str], *, name: str = "conn.log", fields: str = FIELDS) -> Path:
        directory = tmp_path / "logs"
        directory.mkdir(exist_ok=True)
        text = "\n".join(["#separator \\x09", "#path\tconn", "#fields\t" + "\t".join(fields.split()), *lines, ""])
        content = text.encode()
        (directory / name).write_bytes(gzip.compress(content, mtime=0) if name.endswith(".gz") else content)
        return directory

    return write


FIELDS = (
    "ts id.orig_h id.orig_p id.resp_h id.resp_p proto service duration orig_bytes resp_bytes conn_state "
    "orig_pkts orig_ip_bytes resp_pkts resp_ip_bytes"
)


@pytest.fixture(scope="session")
def line() -> Callable[..., str]:
    """One line of such a log: at a time, from an address, with so many IP bytes sent."""

    def make(ts: float = 1715680800.5, src: str = "10.0.0.1", sent: int = 100, proto: str = "tcp") -> str:
        values = [f"{ts:.6f}", src, 40000, "192.0.2.80", 443, proto, "ssl", 0.5, 10, 20, "SF", 3, sent, 2, 50]
        return "\t".join(map(str, values))

    return make


NETFLOW = "ts,duration,src,src_port,dst,dst_port,proto,bytes,packets,flags\n"


@pytest.fixture
def netflow(serving: Callable[[Path], Runtime], tmp_path: Path) -> Callable[[Iterable[str]], None]:
    """Serves flows of one direction each: ``second duration src sport dst dport proto flags``."""

    def serve(flows: Iterable[str]) -> None:
        directory = tmp_path / "netflow"
        directory.mkdir()
        lines = []
        for flow in flows:
            second, *rest, flags = flow.split()
            lines.append(",".join([str(1715680800 + float(second)), *rest, "100", "2", flags.strip("-")]))
        (directory / "a.csv").write_text(NETFLOW + "\n".join([*lines, ""]))
        serving(directory)

    return serve
