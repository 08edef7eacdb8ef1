"""What clients do: each act asks for something, checks the answer, and returns a word for how it ended."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from soaking.asking import BUSY, LATER, Answer, Client
from soaking.editions import Editions
from soaking.sources import stretch, weight

_SIZES: Final = (1000, 70_000, 700_000)


@dataclass
class Actor:
    """One client of the crowd, with its own chances."""

    client: Client
    editions: Editions
    chance: random.Random
    name: str
    count: int = 0

    def unique(self) -> str:
        """An argument that nobody else uses."""
        self.count += 1
        return f"{self.name}-{self.count}"


Act: TypeAlias = Callable[[Actor], str]


def hit(actor: Actor) -> str:
    """A small product that is nearly always kept."""
    n = actor.chance.randrange(40)
    started = time.perf_counter()
    answer = actor.client.get("/lab/square", {"n": n})
    if answer.headers.get("cache-status") == "rave; hit":
        actor.client.tally.hit(time.perf_counter() - started)
    return _squared(answer, n)


def miss(actor: Actor) -> str:
    """A small product that is computed first."""
    n = actor.chance.randrange(10**12)
    return _squared(actor.client.get("/lab/square", {"n": n}), n)


def _squared(answer: Answer, n: int) -> str:
    if answer.status in LATER:
        return "later" if answer.status == 202 else "busy"
    answer.need(200)
    if answer.json != {"n": n, "square": n * n}:
        raise answer.wrong("another square expected")
    if not answer.headers["etag"].startswith('"'):
        raise answer.wrong("expected a strong validator")
    return "ok"


def post(actor: Actor) -> str:
    """The same question in a body."""
    n = actor.chance.randrange(60)
    form = actor.chance.random() < 0.3
    body = f"n={n}".encode() if form else json.dumps({"n": n}).encode()
    kind = "application/x-www-form-urlencoded" if form else "application/json"
    return _squared(actor.client.ask("POST", "/lab/square", body=body, Content_Type=kind), n)


def head(actor: Actor) -> str:
    """What GET would send, without the bytes."""
    size = actor.chance.choice(_SIZES)
    answer = actor.client.ask("HEAD", "/lab/files/document", {"seed": actor.chance.randrange(8), "size": size})
    if answer.status in LATER:
        return "later"
    answer.need(200)
    if answer.body or answer.headers["content-length"] != str(size):
        raise answer.wrong(f"expected a length of {size} and no bytes")
    return "ok"


def document(actor: Actor) -> str:
    """A file, or a blob of memory, whole."""
    seed, size = actor.chance.randrange(8), actor.chance.choice(_SIZES)
    path = actor.chance.choice(("/lab/files/document", "/lab/blob"))
    answer = actor.client.get(path, {"seed": seed, "size": size})
    if answer.status in LATER:
        return "later"
    answer.need_body(stretch(seed, 0, size))
    return "ok"


def part(actor: Actor) -> str:
    """A range of it, or one that lies beyond its end."""
    seed, size = actor.chance.randrange(8), actor.chance.choice(_SIZES)
    start = actor.chance.randrange(size + size // 8)
    stop = start + actor.chance.randrange(1, 50_000)
    arguments = {"seed": seed, "size": size}
    path = actor.chance.choice(("/lab/files/document", "/lab/blob"))
    answer = actor.client.get(path, arguments, Range=f"bytes={start}-{stop - 1}")
    if answer.status in LATER:
        return "later"
    if start >= size:
        answer.need(416)
        return "beyond"
    answer.need(206)
    if answer.body != stretch(seed, start, min(stop, size)):
        raise answer.wrong(f"bytes {start} to {stop} of {size} expected")
    return "ok"


def condition(actor: Actor) -> str:
    """Nothing new for a client that already has it."""
    path = f"/lab/square?n={actor.chance.randrange(40)}"
    first = actor.client.get(path)
    if first.status != 200:
        return "later"
    again = actor.client.get(path, If_None_Match=first.headers["etag"])
    if again.status in LATER:
        return "later"
    again.need(304)
    if again.body or again.headers["etag"] != first.headers["etag"]:
        raise again.wrong("expected the same validator and no bytes")
    return "ok"


def table(actor: Actor) -> str:
    """A table in one of its forms."""
    n = actor.chance.randrange(1, 50)
    form = actor.chance.choice(("csv", "json", "html", "arrow"))
    answer = actor.client.get("/lab/rows", {"n": n, "rave.f": form})
    if answer.status in LATER:
        return "later"
    answer.need(200)
    if form == "json" and answer.json != [{"i": i, "half": i / 2, "name": f"row {i}"} for i in range(n)]:
        raise answer.wrong("another table expected")
    if form == "csv" and (len(answer.body.splitlines()) != n + 1 or f"row {n - 1}".encode() not in answer.body):
        raise answer.wrong(f"{n} lines and their names expected")
    return form


def brief(actor: Actor) -> str:
    """A product that is good for two seconds, and may be served for six more."""
    name = f"b{actor.chance.randrange(4)}"
    answer = actor.client.get("/lab/brief", {"name": name})
    if answer.status in LATER:
        return "later"
    answer.need(200)
    found, _, made_at = answer.body.decode().partition(" ")
    age = answer.asked_at - float(made_at)
    is_stale = "ttl=-" in answer.headers["cache-status"]
    if found != name or age > 8.1 or (age > 2.1 and not is_stale):
        raise answer.wrong(f"expected {name}, at most 2 s old, or 8 s where it is told to be stale; it is {age:.3f} s")
    return "stale" if is_stale else "ok"


def failure(actor: Actor) -> str:
    """The operation's own exception."""
    message = f"no luck {actor.chance.randrange(20)}"
    answer = actor.client.get("/lab/fails", {"message": message})
    if answer.status in BUSY:
        return "busy"
    if answer.status == 202:
        return "later"
    answer.need(500)
    if answer.json["detail"] != f"ValueError: {message}" or b"Traceback" in answer.body:
        raise answer.wrong("class and message, and nothing else, expected")
    return "ok"


def only_kept(actor: Actor) -> str:
    """What is kept, or a 504: nothing is computed."""
    n = actor.chance.choice((actor.chance.randrange(40), actor.chance.randrange(10**12)))
    answer = actor.client.get("/lab/square", {"n": n}, Cache_Control="only-if-cached")
    if answer.status == 504:
        return "nothing"
    return _squared(answer, n)


def refresh(actor: Actor) -> str:
    """Computed again, and then gone for good."""
    n = 10**13 + actor.chance.randrange(10)
    answer = actor.client.get("/lab/square", {"n": n, "rave.refresh": 1})
    if answer.status != 200:
        return "later"
    found = _squared(answer, n)
    ticket = actor.client.get("/lab/square", {"n": n}, Prefer="return=minimal")
    if ticket.status == 303:
        actor.client.ask("DELETE", ticket.headers["location"]).need(204, 404)
    return found


def heavy(actor: Actor) -> str:
    """Work in a process of its own."""
    n = actor.chance.randrange(10**6)
    answer = actor.client.get("/lab/heavy", {"n": n})
    if answer.status in LATER:
        return "later"
    answer.need(200)
    if answer.json != {"n": n, "total": weight(n)}:
        raise answer.wrong("another total expected")
    return "ok"


def edition(actor: Actor) -> str:
    """The code as it is now, or was a moment ago."""
    n = actor.chance.randrange(5)
    answer = actor.client.get("/trial/edition", {"n": n})
    return _edited(actor, answer, {"n": n})


def _edited(actor: Actor, answer: Answer, rest: dict[str, Any]) -> str:
    if answer.status in LATER:
        return "later"
    if answer.status == 404 and actor.editions.may_be_away(answer):
        return "away"
    answer.need(200)
    found = answer.json
    actor.editions.check(answer, found.pop("edition"))
    if found != rest:
        raise answer.wrong(f"expected {rest}")
    return "ok"


def look_around(actor: Actor) -> str:
    """The service's own pages."""
    pages = ("/", "/lab", "/-/ops", "/-/ops/lab/slow", "/-/openapi.json", "/-/metrics", "/-/statistics", "/-/cache")
    page = actor.chance.choice((*pages, "/-/livez", "/-/readyz", "/-/namespaces", "/-/version", "/-/problems/busy"))
    answer = actor.client.get(page, Accept=actor.chance.choice(("application/json", "text/html", "*/*")))
    if answer.status in BUSY and page == "/-/readyz":
        return "stopping"
    answer.need(200, 406)
    return "ok"


def wrong_request(actor: Actor) -> str:
    """What no service can answer."""
    method, path, status, body, headers = actor.chance.choice(_WRONG)
    answer = actor.client.ask(method, path, body=body, **headers)
    answer.need(status)
    return str(status)


_JSON: Final = {"Content_Type": "application/json"}
_WRONG: Final[tuple[tuple[str, str, int, bytes | None, dict[str, str]], ...]] = (
    ("GET", "/lab/square?n=many", 400, None, {}),
    ("GET", "/lab/square?m=1", 400, None, {}),
    ("GET", "/lab/square?n=1&n=2", 400, None, {}),
    ("GET", "/lab/square?n=%ff", 400, None, {}),
    ("GET", "/lab/square", 400, None, {}),
    ("GET", "/lab/square?n=1&rave.nothing=1", 400, None, {}),
    ("GET", "/lab/slow?name=a&seconds=soon", 400, None, {}),
    ("GET", "/lab/nothing", 404, None, {}),
    ("GET", "/lab/..%2f..%2fetc/passwd", 404, None, {}),
    ("GET", "/-/products/lab/square/1/2", 404, None, {}),
    ("GET", "/-/nothing", 404, None, {}),
    ("PUT", "/lab/square?n=1", 405, None, {}),
    ("GET", "/lab/square?n=1", 406, None, {"Accept": "image/png"}),
    ("POST", "/lab/square", 400, b'{"n": ', _JSON),
    ("POST", "/lab/square", 400, b'{"n": "1"}', _JSON),
    ("POST", "/lab/square", 415, b"<n>1</n>", {"Content_Type": "application/xml"}),
    ("POST", "/lab/square", 413, b'{"n": 1' + b" " * (1 << 20) + b"}", _JSON),
)
