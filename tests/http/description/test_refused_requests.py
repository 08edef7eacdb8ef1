"""What every path of the OpenAPI document refuses, asked of the application itself: no process, no socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Final, NamedTuple, TypeAlias

import falcon.inspect
import pytest
from falcon.testing import ASGIConductor

from rave_core import Settings
from rave_core.operations import catalog
from rave_http.app import Application, create_app
from rave_http.settings import PERMISSIONS, ServiceSettings
from rave_http.workers.run_directory import RunDirectory

LAB = '''\
from rave_core import op, typemap

@op
@typemap(int)
def square(n: int, power: int = 2):
    """A power of a number."""
    return n ** power

__export__ = {"square": square}
'''
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
NAMES = {"ns": "lab", "op": "square", "key": "lab/square/1/2", "owner": "ann", "slug": "busy", "name": "mine"}
WRONG: Final = {"string": 1, "integer": "x", "boolean": "perhaps", "array": "x", "object": 1, "number": "x"}
JSON = "application/json"
PAGES = ("/-/ui", "/-/static/")
"""Pages and what they load: for people, so the document leaves them out."""


class Refused(NamedTuple):
    """A request that has to be refused, and how."""

    why: str
    method: str
    path: str
    statuses: tuple[int, ...]
    query: str = ""
    kind: str = ""
    body: bytes = b""


Ask: TypeAlias = Callable[[Refused], Any]


@pytest.fixture(scope="module")
def application(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Application]:
    """The application of one worker, not opened yet."""
    place = tmp_path_factory.mktemp("refused")
    (place / "lab").mkdir()
    (place / "lab" / "__init__.py").write_text(LAB)
    given = {"proxy_header": "X-User", "permissions": {"ann": list(PERMISSIONS)}, "reload": False, "max_body": 10_000}
    settings = Settings(
        cache=f"file://{place}/data",
        products=f"file://{place}/products",
        documents=f"sqlite:///{place}/documents.sqlite",
        namespaces={"lab": str(place / "lab")},
        disabled_plugins=["guestbook", "monitor", "dask", "valkey", "web", "flow", "journal"],
        service=given | {"keys_file": str(place / "keys")},
    )
    board = RunDirectory.create()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MPLBACKEND", "Agg")  # else the application sets it
        patch.setattr(catalog, "found_entry_points", lambda _: [])  # no installed namespaces
        yield create_app(settings, ServiceSettings.of(settings), board)
    board.remove()


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """The loop in which the application lives."""
    with asyncio.Runner() as runner:
        yield runner.get_loop()


@pytest.fixture(scope="module")
def ask(application: Application, loop: asyncio.AbstractEventLoop) -> Iterator[Ask]:
    """Asks the opened application, as the user ann, who may do everything."""

    async def with_lists(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if "headers" in scope:  # falcon's are iterators, which can be read once
            scope["headers"] = [tuple(each) for each in scope["headers"]]
        await application(scope, receive, send)

    conductor = ASGIConductor(with_lists)
    loop.run_until_complete(conductor.__aenter__())

    def answer(asked: Refused) -> Any:
        headers = {"X-User": "ann", "X-Forwarded-Proto": "https"} | ({"Content-Type": asked.kind} if asked.kind else {})
        asking: Awaitable[Any] = conductor.simulate_request(
            asked.method, asked.path, query_string=asked.query, body=asked.body, headers=headers
        )
        return loop.run_until_complete(asking)

    yield answer
    loop.run_until_complete(conductor.__aexit__(None, None, None))


@pytest.fixture(scope="module")
def document(ask: Ask) -> dict[str, Any]:
    """The OpenAPI document."""
    found: dict[str, Any] = ask(Refused("", "GET", "/-/openapi.json", (200,))).json
    return found


def resolved(document: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    """A part of the document, or what it refers to."""
    while "$ref" in part:
        found = document
        for name in part["$ref"].removeprefix("#/").split("/"):
            found = found[name]
        part = found
    return part


def paths(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each path with its parameters filled in, and its methods."""
    for path, item in document["paths"].items():
        address = path
        for name, text in NAMES.items():
            address = address.replace(f"{{{name}}}", text)
        yield address, {name.upper(): each for name, each in item.items() if name.upper() in METHODS}


def wrong_queries(document: dict[str, Any], operation: dict[str, Any]) -> Iterator[str]:
    """Queries with an unknown parameter, and with values that a parameter does not take."""
    found = [resolved(document, each) for each in operation.get("parameters", [])]
    queries = {each["name"]: each["schema"] for each in found if each["in"] == "query" and "schema" in each}
    if not any(schema.get("type") == "object" for schema in queries.values()):  # which stands for any name
        yield "nothing=1"
    for name, schema in queries.items():
        if schema.get("type") == "integer":
            yield from (f"{name}={text}" for text in ("x", "1.5", ""))
            yield from (f"{name}={schema[end] + by}" for end, by in (("minimum", -1), ("maximum", 1)) if end in schema)
        elif "enum" in schema or "pattern" in schema:
            yield f"{name}=!"


def wrong_bodies(document: dict[str, Any], kind: str, schema: dict[str, Any]) -> Iterator[tuple[str, bytes]]:
    """Why a body is refused, and the body."""
    if kind == "application/x-www-form-urlencoded":
        yield "no UTF-8", b"\xff=%ff"
        return
    yield "broken JSON", b'{"a":'
    yield "a member twice", b'{"a": 1, "a": 2}'
    yield "too large a number", b'{"a": 1e999}'
    schema = resolved(document, schema)
    if not schema:
        return
    for text in (b"[]", b"1", b"null", b'"x"', b'{"nobody knows this": 1}'):
        yield text.decode(), text
    if schema.get("required"):
        yield "nothing in it", b"{}"
    for name, each in schema.get("properties", {}).items():
        wrong = WRONG.get(str(resolved(document, each).get("type")), [[]])
        yield f"a wrong {name}", json.dumps({name: wrong}).encode()


def refused_methods(path: str, operations: dict[str, Any]) -> Iterator[Refused]:
    """The methods that a path does not take."""
    for method in METHODS:
        if method not in operations:
            yield Refused("the method", method, path, (405,))


def refused_requests(document: dict[str, Any], method: str, path: str, operation: dict[str, Any]) -> Iterator[Refused]:
    """Requests with a method that a path takes, which have to be refused nevertheless."""
    body = operation.get("requestBody", {"content": {}})
    kinds = {kind: content["schema"] for kind, content in body["content"].items() if kind != "*/*"}
    empty = (JSON, b"{}") if kinds else ("", b"")
    for query in wrong_queries(document, operation):
        yield Refused(query, method, path, (400, 404, 406), query, *empty)
    for kind, schema in kinds.items():
        for why, text in wrong_bodies(document, kind, schema):
            yield Refused(why, method, path, (400,), "", kind, text)
        yield Refused("too long", method, path, (413,), "", kind, b" " * 10_001)
    if kinds:
        yield Refused("the type", method, path, (415,), "", "text/csv", b"a,b")
    if body.get("required"):
        yield Refused("no body", method, path, (400, 415))


def test_what_does_not_fit_is_refused_as_the_document_says(ask: Ask, document: dict[str, Any]) -> None:
    """Wrong methods, parameters, values, types, members and sizes: with a problem and a status that is documented."""
    wrong, count = [], 0
    for path, operations in paths(document):
        asked = [(each, None) for each in refused_methods(path, operations)]
        for method, operation in operations.items():
            asked += [(each, operation["responses"]) for each in refused_requests(document, method, path, operation)]
        for request, told in asked:
            answer = ask(request)
            is_told = told is None or str(answer.status_code) in told
            is_problem = answer.headers.get("content-type") == "application/problem+json"
            if answer.status_code not in request.statuses or not is_told or not is_problem:
                wrong.append((request, answer.status_code, answer.text[:300]))
        count += len(asked)
    assert not wrong, "\n".join(map(str, wrong))
    assert count > 300


def test_each_path_says_which_methods_it_takes(ask: Ask, document: dict[str, Any]) -> None:
    """405 and OPTIONS list those of the document; wherever GET is allowed, so is HEAD."""
    for path, operations in paths(document):
        expected = {*operations, *(["HEAD"] if "GET" in operations else [])}
        for method in ("TRACE", "OPTIONS"):
            answer = ask(Refused("", method, path, (405, 204)))
            assert set(answer.headers["allow"].split(", ")) - {"OPTIONS"} == expected, (path, method)


def test_a_stream_of_events_has_a_head(ask: Ask) -> None:
    """HEAD says what GET would send, and no length: nobody knows it."""
    answer = ask(Refused("", "HEAD", "/-/events", (200,)))
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/event-stream")
    assert "content-length" not in answer.headers


def test_the_document_has_every_path_that_is_not_for_people(application: Application, document: dict[str, Any]) -> None:
    """No route is forgotten in it."""
    routes = {
        route.path.replace("{name:path}", "{ns}/{op}").replace("{namespace}", "{ns}").replace(":path}", "}")
        for route in falcon.inspect.inspect_routes(application.falcon)
        if not route.path.startswith(PAGES)
    }
    assert routes <= document["paths"].keys()
