"""Hostile values for every parameter of every operation of our plugins: a mistake of the user, never of the service."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import Any, NamedTuple

import pytest
import requests
from rave_flow.generate import Scenario, write_day

Service = Any  # RunningService of the conftest
HOSTILE = [
    *("", "nan", "-1", "9" * 30, "2024-99-99", "9999-12-31T23:59:59", "0001-01-01", "../../etc/passwd"),
    *("'; drop table flows; --", "\x00", "null", "[[]]", "{}", "\ud7ff\U0001f600", "%s%n{0}", "inf"),
]
USUAL_OF = {"fields": "sip", "id_fields": "sip", "key": "sip", "sets": "192.0.2.0/24", "addresses": "192.0.2.1"}
USUAL = {"integer": "3", "number": "0.5", "boolean": "true", "array": "1", "object": "{}"}
DAY = "2024-05-14"
FORMS = "/-/ui"
BUDGET = 10.0
"""Seconds; all questions take a minute or two, so each run asks some of them."""


@pytest.fixture(scope="module")
def service(launch_service: Callable[..., Service], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One over a small day of flows."""
    place = tmp_path_factory.mktemp("hostile")
    write_day(place / "flows", Scenario(date.fromisoformat(DAY), 300, seed=3))
    environ = {"HOME": str(place), "RAVE_FLOW_DIRECTORY": str(place / "flows")}
    running = launch_service(place, environ=environ, service={"client_share": 100, "queue": 1000})
    yield running
    running.end()


def usual(name: str, schema: Any) -> str:
    """A value that may well be right."""
    if name in USUAL_OF:
        return USUAL_OF[name]
    if schema.get("format") in ("date", "date-time") or "day" in name or "date" in name:
        return DAY
    if "enum" in schema:
        return str(schema["enum"][0])
    return USUAL.get(str(schema.get("type")), "default")


def questions(document: Any) -> Iterator[Question]:
    """Every operation with every hostile value of every parameter, in an order that mixes them."""
    for path, item in document["paths"].items():
        if not path.startswith(("/flow/", "/sql/", "/example/")):
            continue
        own = [each for each in item["get"]["parameters"] if each.get("in") == "query"]
        schemas = {each["name"]: each.get("schema") or each["content"]["application/json"]["schema"] for each in own}
        needed = {each["name"]: usual(each["name"], schemas[each["name"]]) for each in own if each["required"]}
        for name, value in itertools.product(schemas, HOSTILE):
            yield Question(path, {**needed, name: value}, name, frozenset(schemas))


class Question(NamedTuple):
    """A request with one hostile parameter, called ``name``, of ``known`` ones."""

    path: str
    arguments: dict[str, str]
    name: str
    known: frozenset[str]


def wrong(service: Service, question: Question) -> str:
    """What is wrong with the answers to a question; empty if they are right."""
    answer = asked(service, question)
    if answer.status_code < 400 or answer.status_code in (503, 504):
        return ""
    if answer.status_code >= 500:
        return f"{answer.status_code} {answer.text[:300]}"
    named = {each["parameter"] for each in answer.json().get("errors", ())}
    if not named or not named <= question.known:  # another one if it is that which then does not fit
        return f"no parameter is named: {answer.text[-400:]}"
    page = asked(service, question, Accept="text/html").text
    return "" if f'href="{FORMS}{question.path}?' in page else f"the page has no link to the form: {page[-300:]}"


def asked(service: Service, question: Question, **headers: str) -> requests.Response:
    """The answer to a question."""
    url, sent = f"{service.url}{question.path}", {**headers, "Connection": "close"}
    return requests.get(url, params=question.arguments, headers=sent, allow_redirects=False, timeout=90)


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_no_value_of_a_parameter_makes_an_operation_fail(service: Service) -> None:
    """It is answered, or refused with a 4xx problem that names the parameter; its page leads back to the form."""
    walk = list(questions(service.get("/-/openapi.json").json()))
    assert len(walk) > 1500
    random.shuffle(walk)  # as the other tests, in another order each time
    end = time.monotonic() + BUDGET

    def looked(question: Question) -> str:
        found = wrong(service, question) if time.monotonic() < end else ""
        return found and f"{question.path} {question.name}={question.arguments[question.name]!r}: {found}"

    with ThreadPoolExecutor(4) as pool:
        found = [each for each in pool.map(looked, walk) if each]
    assert not found, "\n".join(found)
