"""What the service costs, as ratios to its peers within one run: `make bench` runs this after the core's.

- requests/s of a cached small JSON product, against an empty Falcon application under the same gunicorn worker;
- bytes/s of a 100 MB product that nginx sends for the service (X-Accel), against the same file out of nginx alone;
- the 99th percentile of a cached hit beside 50 event streams and 200 waiting requests, against the idle service;
- milliseconds until a small product is computed, and until a ticket arrives, against the same call in this process.

Each pair takes turns, and the best round of each side counts: a noisy machine only ever makes one slower.
"""

from __future__ import annotations

import asyncio
import http.client
import itertools
import json
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import requests
from running import Started, free_port, start_service

from rave_core import Runtime, Settings, op, using

PLACE = Path(__file__).resolve().parent.parent / ".bench"
ROUNDS = 5
SIZE = 100 << 20

EMPTY = """\
import falcon.asgi


class Nothing:
    async def on_get(self, req, resp):
        resp.content_type = "application/json"
        resp.data = b'{"n":7,"square":49}'


app = falcon.asgi.App()
app.add_route("/lab/square", Nothing())
"""

LAB = """\
import time

from rave_core import mime_type, op, op_file, typemap


@op
@typemap(int)
@mime_type("application/json")
def square(n: int):
    return {"n": n, "square": n * n}


@op
@typemap(str, float)
def slow(name: str, seconds: float) -> str:
    time.sleep(seconds)
    return name


@op_file
@typemap(int)
@mime_type("application/pdf")
def document(out, size: int) -> None:
    with open(out, "wb") as file:
        for _ in range(size >> 20):
            file.write(bytes(1 << 20))


__export__ = {"square": square, "slow": slow, "document": document}
"""

NGINX = """\
daemon off;
pid {place}/nginx.pid;
error_log {place}/error.log;
user root;
worker_processes 1;
events {{}}
http {{
    access_log off;
    client_body_temp_path {place}/body;
    proxy_temp_path {place}/proxy;
    fastcgi_temp_path {place}/fastcgi;
    uwsgi_temp_path {place}/uwsgi;
    scgi_temp_path {place}/scgi;
    sendfile on;
    server {{
        listen 127.0.0.1:{port};
        location / {{ proxy_pass http://127.0.0.1:{service}; }}
        location /alone/ {{ alias {place}/alone/; }}
        location /-/files/ {{ internal; alias {place}/products/; etag off; }}
    }}
}}
"""


@dataclass(frozen=True)
class Result:
    """One comparison; ``is_least`` says whether the limit is the least or the greatest ratio allowed.

    ``None``: it is for information.
    """

    name: str
    unit: str
    rave: float
    peer: float
    limit: float = 0.0
    is_least: bool | None = None

    @property
    def ratio(self) -> float:
        """Ours by theirs."""
        return self.rave / self.peer

    @property
    def is_met(self) -> bool:
        """Whether the limit is kept."""
        if self.is_least is None:
            return True
        return self.ratio >= self.limit if self.is_least else self.ratio <= self.limit


def in_turns(ours: Callable[[], float], theirs: Callable[[], float], rounds: int = ROUNDS) -> tuple[float, float]:
    """The best of both sides, which take turns; more is better."""
    best = [0.0, 0.0]
    for _ in range(rounds):
        for side, measure in enumerate((ours, theirs)):
            best[side] = max(best[side], measure())
    return best[0], best[1]


def requests_per_second(url: str) -> float:
    """What wrk gets out of a URL in two seconds over 32 connections."""
    command = ["wrk", "-t1", "-c32", "-d2s", url]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert "Non-2xx" not in text, text
    found = re.search(r"Requests/sec:\s+([0-9.]+)", text)
    assert found is not None, text
    return float(found[1])


def hits(place: Path) -> Iterator[Result]:
    """Requests/s of a cached product, with one worker and with two."""
    for workers in (1, 2):
        ours_at, theirs_at = place / f"ours-{workers}", place / f"theirs-{workers}"
        ours_at.mkdir()
        theirs_at.mkdir()
        (theirs_at / "empty.py").write_text(EMPTY)
        port = free_port()
        gunicorn = [str(Path(sys.executable).parent / "gunicorn"), "-k", "asgi", "-w", str(workers)]
        command = [*gunicorn, "-b", f"127.0.0.1:{port}", "empty:app"]
        with (
            start_service(ours_at, {"lab": LAB}, {"workers": workers}) as service,
            Started.of(command, port, theirs_at) as empty,
        ):
            ours, theirs = f"{service.url}/lab/square?n=7", f"{empty.url}/lab/square"
            for _ in range(20):
                requests.get(ours, timeout=10)
            fast, peer = in_turns(partial(requests_per_second, ours), partial(requests_per_second, theirs))
            yield Result(
                f"cached hits, {workers} worker{'s' if workers > 1 else ''}", "/s", fast, peer, 0.6, is_least=True
            )


def files(place: Path) -> Iterator[Result]:
    """Bytes/s of a large product through X-Accel."""
    at = place / "files"
    at.mkdir()
    (at / "alone").mkdir()
    with (at / "alone" / "file.pdf").open("wb") as file:
        for _ in range(SIZE >> 20):
            file.write(bytes(1 << 20))
    settings = {"workers": 1, "sendfile": "x-accel"}
    with start_service(at, {"lab": LAB}, settings) as service:
        port = free_port()
        (at / "nginx.conf").write_text(NGINX.format(place=at, port=port, service=service.port))
        with Started.of(["nginx", "-p", str(at), "-c", str(at / "nginx.conf")], port, at) as nginx:
            ours = f"{nginx.url}/lab/document?size={SIZE}"
            assert int(requests.get(ours, timeout=60).headers["Content-Length"]) == SIZE
            (worker,) = service.workers()
            before = worker.memory_info().rss
            fast, peer = in_turns(lambda: _megabytes(ours), lambda: _megabytes(f"{nginx.url}/alone/file.pdf"))
            grown = (worker.memory_info().rss - before) / 1e6
            yield Result("100 MB through X-Accel", "MB/s", fast, peer, 0.8, is_least=True)
            print(f"the worker's memory grew by {grown:.1f} MB meanwhile", file=sys.stderr)


def _megabytes(url: str) -> float:
    command = ["curl", "-s", "-o", "/dev/null", "-w", "%{speed_download} %{size_download} %{http_code}", url]
    speed, size, code = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    assert (int(float(size)), code) == (SIZE, "200")
    return float(speed) / 1e6


def crowd(place: Path) -> Iterator[Result]:
    """The 99th percentile of a cached hit beside a crowd that waits."""
    at = place / "crowd"
    at.mkdir()
    with start_service(at, {"lab": LAB}, {"workers": 1, "wait": "60s"}) as service:
        hit = f"{service.url}/lab/square?n=7"
        for _ in range(20):
            requests.get(hit, timeout=10)
        idle = min(_percentile(hit) for _ in range(3))
        busy = asyncio.run(_beside_a_crowd(service, hit))
        yield Result("p99 of a hit beside a crowd", "ms", busy, idle, 2.0, is_least=False)


@op(version="1")
def square(n: int) -> dict[str, int]:
    """What the service computes as well."""
    return {"n": n, "square": n * n}


def misses(place: Path) -> Iterator[Result]:
    """Milliseconds until a product is computed and until a ticket is given, beside the same call in this process."""
    at, numbers = place / "misses", itertools.count()
    at.mkdir()
    settings = Settings(cache=["memory://", f"file://{at}/own"], products=[f"file://{at}/own-products"])
    with start_service(at, {"lab": LAB}, {"workers": 1}) as service, using(Runtime(settings)):
        connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=10)

        def ask(path: str, status: int, **headers: str) -> None:
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            answer.read()
            assert answer.status == status, answer.status

        here = min(_median(lambda: square(next(numbers))) for _ in range(ROUNDS))
        computed = min(_median(lambda: ask(f"/lab/square?n={next(numbers)}", 200)) for _ in range(ROUNDS))
        yield Result("a miss, computed and kept", "ms", computed, here)
        path = "/lab/slow?name=ticket{}&seconds=0"
        promised = min(
            _median(lambda: ask(path.format(next(numbers)), 202, Prefer="respond-async")) for _ in range(ROUNDS)
        )
        yield Result("a ticket", "ms", promised, here)
        connection.close()


def _median(call: Callable[[], object], count: int = 50) -> float:
    """Milliseconds that half of the calls take at most."""
    took = []
    for _ in range(count):
        started = time.perf_counter()
        call()
        took.append((time.perf_counter() - started) * 1000)
    return statistics.median(took)


def _percentile(url: str, count: int = 1500) -> float:
    """Milliseconds that all but one in a hundred requests stay below, over one connection."""
    took = []
    with requests.Session() as session:
        for _ in range(count):
            started = time.perf_counter()
            session.get(url, timeout=10)
            took.append((time.perf_counter() - started) * 1000)
    return statistics.quantiles(took, n=100)[98]


async def _beside_a_crowd(service: Started, hit: str) -> float:
    """Like `_percentile`, while 200 requests wait and 50 streams are open."""
    href = requests.get(
        f"{service.url}/lab/slow?name=crowd&seconds=40", headers={"Prefer": "respond-async"}, timeout=10
    )
    paths = ["/lab/slow?name=crowd&seconds=40"] * 200 + [f"{href.json()['href']}/events"] * 50
    writers = []
    for path in paths:
        _, writer = await asyncio.open_connection("127.0.0.1", service.port)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        await writer.drain()
        writers.append(writer)
    await asyncio.sleep(2)
    best = min([await asyncio.to_thread(_percentile, hit) for _ in range(3)])
    for writer in writers:
        writer.close()
    return best


def main() -> int:
    """Prints the table, or JSON with ``--json``; 1 if a limit is passed."""
    results: list[Result] = []
    PLACE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="service-", dir=PLACE) as directory:
        for measure, needed in ((hits, "wrk"), (files, "nginx"), (crowd, None), (misses, None)):
            if needed is not None and shutil.which(needed) is None:
                print(f"{measure.__name__}: left out, since there is no {needed}: apt-get install {needed}")
                continue
            results.extend(measure(Path(directory)))
    if "--json" in sys.argv:
        print(json.dumps([asdict(result) | {"ratio": result.ratio} for result in results], indent=2))
    else:
        print(f"{'what':30}{'RAVE':>15}{'peer':>15}{'ratio':>8}{'limit':>10}")
        for r in results:
            limit = "" if r.is_least is None else f"{'≥' if r.is_least else '≤'} {r.limit:g}"
            verdict = "" if r.is_least is None else "  met" if r.is_met else "  MISSED"
            ours, theirs = (f"{value:10.2f} {r.unit:4}" for value in (r.rave, r.peer))
            print(f"{r.name:30}{ours}{theirs}{r.ratio:8.2f}{limit:>10}{verdict}")
    over = [result.name for result in results if not result.is_met]
    if over:
        print(f"missed: {', '.join(over)}", file=sys.stderr)
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main())
