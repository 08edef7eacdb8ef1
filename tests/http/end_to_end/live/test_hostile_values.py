"""Hostile values for every parameter of every operation of our plugins: a mistake of the user, never of the service."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import Any

import pytest
import requests
from rave_flow.generate import Scenario, write_day

Service = Any  # RunningService of the conftest
HOSTILE = [
    *("", "nan", "-1", "9" * 30, "2024-99-99", "9999-12-31T23:59:59", "0001-01-01", "../../etc/passwd"),
    *("'; drop table flows; --", "\x00", "null", "[[]]", "{}", "\ud7ff\U0001f600", "%s%n{0}", "inf"),
]
USUAL = {"integer": "3", "number": "0.5", "boolean": "true", "array": "1", "object": "{}"}
DAY = "2024-05-14"


@pytest.fixture(scope="module")
def service(launch_service: Callable[..., Service], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One over a small day of flows."""
    place = tmp_path_factory.mktemp("hostile")
    write_day(place / "flows", Scenario(date.fromisoformat(DAY), 300, seed=3))
    environ = {"HOME": str(place), "RAVE_FLOW_DIRECTORY": str(place / "flows")}
    running = launch_service(place, environ=environ, service={"client_share": 100, "queue": 1000})
    yield running
    running.stop()


def usual(name: str, schema: Any) -> str:
    """A value that may well be right."""
    if schema.get("format") in ("date", "date-time") or "day" in name or "date" in name:
        return DAY
    if "enum" in schema:
        return str(schema["enum"][0])
    return USUAL.get(str(schema.get("type")), "default")


def questions(document: Any) -> Iterator[tuple[str, dict[str, str], str]]:
    """Every operation with one parameter hostile, and the name of that parameter; each takes its turn of the values."""
    values = itertools.cycle(HOSTILE)
    for path, item in document["paths"].items():
        if not path.startswith(("/flow/", "/sql/", "/example/")):
            continue
        own = [each for each in item["get"]["parameters"] if each.get("in") == "query"]
        schemas = {each["name"]: each.get("schema") or each["content"]["application/json"]["schema"] for each in own}
        needed = {each["name"]: usual(each["name"], schemas[each["name"]]) for each in own if each["required"]}
        for name in schemas:
            for value in itertools.islice(values, 3):
                yield path, {**needed, name: value}, name


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_no_value_of_a_parameter_makes_an_operation_fail(service: Service) -> None:
    """It is answered, or refused with a 4xx problem that says what is wrong."""
    asked = list(questions(service.get("/-/openapi.json").json()))
    assert len(asked) > 300

    def wrong(question: tuple[str, dict[str, str], str]) -> str:
        path, arguments, name = question
        answer = requests.get(f"{service.url}{path}", params=arguments, allow_redirects=False, timeout=90)
        if answer.status_code < 500 or answer.status_code in (503, 504):
            return ""
        return f"{path} {name}={arguments[name]!r}: {answer.status_code} {answer.json().get('detail', '')[:200]}"

    with ThreadPoolExecutor(4) as pool:
        found = [each for each in pool.map(wrong, asked) if each]
    assert not found, "\n".join(found)
