"""OpenAPI: a valid document that promises no more and no less than the service keeps."""

from __future__ import annotations

import inspect
import json
import re
import time
from collections.abc import Callable, Iterator
from typing import Any, Literal

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from rave_core import list_of, op, op_file
from rave_core.operations.catalog import Catalog
from rave_core.operations.operation import Operation
from rave_core.typemap import typemap
from rave_http.description.openapi import document
from rave_http.description.openapi.plugin_paths import plugin_path
from rave_http.description.operation_documents import Operations
from rave_http.description.request_arguments import CONTROLS
from rave_http.protocol.problems import PROBLEMS

pytestmark = pytest.mark.usefixtures("runtime")


@op(name="zoo/typed")
@typemap(
    n=int,
    day="iso_datetime",
    many=list_of(int),
    some=set[int],
    nested=dict[str, int],
    pair=tuple[int, str],
    sure=bool,
    mode=Literal["a", "b"],
)
def typed(
    n: Any,
    many: Any,
    day: Any = None,
    some: Any = frozenset(),
    nested: Any = None,
    pair: Any = (1, "a"),
    sure: Any = True,
    mode: Any = "a",
) -> None:
    """Typed parameters.

    Args:
        n: how many.
    """


@op(name="zoo/free")
def free(value: Any, key: Any = 5) -> None:
    """Untyped parameters."""


@op(name="zoo/variadic")
@typemap(rest=int, others=float)
def variadic(*rest: Any, **others: Any) -> None:
    """Any number of them."""


@op_file(name="zoo/picture", mime_type="image/png")
def picture(out: str) -> None:
    """A picture."""


ZOO: list[tuple[str, Operation[..., Any]]] = [
    ("zoo/typed", typed),
    ("zoo/free", free),
    ("zoo/variadic", variadic),
    ("zoo/deep/er/picture", picture),
    ("zoo/a-b", free),
    ("zoo/a_b", free),
    ("zoo/a.b", free),
    ("zoo/a/b", free),
    ("zoo/{x} <ü>?#", free),
]


def made(catalog: Operations | None = None, *, base: str = "", hidden: str = "") -> dict[str, Any]:
    """The document of the installed namespaces and of the zoo, as it comes out of JSON."""
    chosen = [*Catalog.installed(), *ZOO] if catalog is None else catalog
    found = document(chosen, base=base, version="1.0", title="RAVE", may_view=lambda space: space != hidden)
    whole: dict[str, Any] = json.loads(json.dumps(found, allow_nan=False))
    return whole


def operations_of(found: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Path, method and operation."""
    for path, item in found["paths"].items():
        for method, operation in item.items():
            if method != "parameters":
                yield path, method, operation


def query_of(found: dict[str, Any], path: str) -> dict[str, dict[str, Any]]:
    """The parameters of a GET that are not references, by name."""
    return {each["name"]: each for each in found["paths"][path]["get"]["parameters"] if "name" in each}


def test_the_document_is_valid() -> None:
    """By the validator of the specification, with real namespaces and a zoo of parameters."""
    OpenAPIV31SpecValidator(made()).validate()
    OpenAPIV31SpecValidator(made([])).validate()


def test_every_schema_is_a_schema() -> None:
    """JSON Schema 2020-12 is what OpenAPI 3.1 speaks."""

    def schemas(part: Any) -> Iterator[Any]:
        for key, inner in part.items() if isinstance(part, dict) else enumerate(part if isinstance(part, list) else ()):
            if key == "schema":
                yield inner
            yield from schemas(inner)

    found = made()
    for schema in [*schemas(found["paths"]), *found["components"]["schemas"].values()]:
        Draft202012Validator.check_schema(schema)


def test_every_reference_leads_somewhere_and_every_path_is_there() -> None:
    """No dangling reference; the system's own paths beside the operations."""
    found = made()
    text = json.dumps(found)
    for group, name in set(re.findall(r'"#/components/(\w+)/([^"]+)"', text)):
        assert name in found["components"][group], f"{group}/{name}"
    system = {path for path in found["paths"] if path.startswith("/-/")}
    assert system == {
        "/-/ops",
        "/-/ops/{ns}/{op}",
        "/-/products/{key}",
        "/-/explain/{ns}/{op}",
        "/-/plan/{ns}/{op}",
        "/-/products/{key}/meta",
        "/-/products/{key}/rows",
        "/-/products/{key}/events",
        "/-/products/{key}/job",
        "/-/jobs",
        "/-/events",
        "/-/cache/pins",
        "/-/calls",
        "/-/calls/{owner}/{name}",
        "/-/dashboards",
        "/-/dashboards/{owner}/{name}",
        "/-/dashboards/{owner}/{name}/frozen",
        "/-/dashboards/{owner}/{name}/frozen/{as_of}",
        "/-/compare",
        "/-/kept",
        "/-/kept/{name}",
        "/-/log",
        "/-/me",
        "/-/me/{name}",
        "/-/session",
        "/-/cache",
        "/-/cache/purge",
        "/-/namespaces",
        "/-/namespaces/{ns}/reload",
        "/-/openapi.json",
        "/-/livez",
        "/-/readyz",
        "/-/metrics",
        "/-/statistics",
        "/-/version",
        "/-/problems/{slug}",
    }
    assert {"/", "/{ns}", "/flow/top", "/zoo/deep/er/picture", "/zoo/%7Bx%7D%20%3C%C3%BC%3E%3F%23"} < set(
        found["paths"]
    )


def test_the_catalog_has_forms_by_name() -> None:
    """Those that the service has by itself; only some paths are pages as well."""
    paths = made()["paths"]
    for path, is_page in (("/", True), ("/{ns}", True), ("/-/ops", False), ("/-/ops/{ns}/{op}", False)):
        [form] = [each["schema"]["enum"] for each in paths[path]["get"]["parameters"] if each["name"] == "rave.f"]
        assert {"json", "shoji", "application/shoji+json"} < set(form), path
        assert ("html" in form) is is_page, path


def test_operation_ids_are_unique_and_stable() -> None:
    """No two names give the same one, and none depends on what else there is."""
    identifiers = {(path, method): operation["operationId"] for path, method, operation in operations_of(made())}
    assert len(set(identifiers.values())) == len(identifiers)
    alone = made([("flow/top", Catalog.installed().find("flow/top"))])
    assert alone["paths"]["/flow/top"]["get"]["operationId"] == "get.flow.top" == identifiers["/flow/top", "get"]


def test_equal_catalogs_give_equal_documents() -> None:
    """In whatever order the operations come, byte for byte."""
    catalog = [*Catalog.installed(), *ZOO]
    assert json.dumps(made(catalog)) == json.dumps(made(catalog[::-1]))
    assert list(made()["paths"]) == sorted(made()["paths"])


def test_what_may_not_be_seen_is_not_told() -> None:
    """Neither paths nor tags nor schemas name it."""
    assert "flow" not in json.dumps(made(hidden="flow"))


def test_tags_are_namespaces() -> None:
    """And one for the service, whose name no namespace can have."""
    found = made()
    assert [tag["name"] for tag in found["tags"]] == ["example", "flow", "monitor", "sql", "zoo", "-"]
    assert found["paths"]["/flow/top"]["post"]["tags"] == ["flow"]


def test_parameters_are_written_as_the_service_reads_them() -> None:
    """Scalars as they are, lists repeated, the rest as JSON; a list that is required has an item at least."""
    query = query_of(made(), "/zoo/typed")
    assert query["n"] == {
        "name": "n",
        "in": "query",
        "required": True,
        "description": "how many.",
        "schema": {"title": "n", "description": "how many.", "type": "integer"},
    }
    assert (query["many"]["style"], query["many"]["explode"], query["many"]["schema"]["minItems"]) == ("form", True, 1)
    assert query["day"]["schema"]["anyOf"][-2:] == [{"type": "null"}, {"const": ""}]
    assert query["nested"]["content"]["application/json"]["schema"]["anyOf"][0]["type"] == "object"
    assert query["pair"]["explode"] is True
    assert "uniqueItems" not in json.dumps(query["some"])
    others = query_of(made(), "/zoo/variadic")
    assert others["rest"]["schema"] == {"title": "rest", "type": "array", "items": {"type": "integer"}}
    assert others["others"]["schema"]["additionalProperties"] == {"type": "number"}


def test_a_body_is_json_or_a_form() -> None:
    """With the whole schema; what a form can't hold has none."""
    paths = made()["paths"]
    body = paths["/zoo/free"]["post"]["requestBody"]
    assert body["required"] is True
    schema = body["content"]["application/json"]["schema"]
    assert (schema["required"], schema["additionalProperties"]) == (["value"], False)
    form = body["content"]["application/x-www-form-urlencoded"]["schema"]
    assert form["properties"]["value"]["type"] == "string"
    assert list(paths["/zoo/typed"]["post"]["requestBody"]["content"]) == ["application/json"]
    assert paths["/flow/top"]["post"]["requestBody"]["required"] is False


def test_responses_name_every_status_that_can_come() -> None:
    """Of each kind of problem that an operation can end in."""
    item = made()["paths"]["/flow/top"]
    statuses = (200, 202, 303, 400, 401, 403, 404, 406, 409, 410, 412, 414, 422, 429, 500, 503, 504)
    shared = {str(status) for status in statuses}
    assert set(item["get"]["responses"]) == shared | {"206", "304", "416"}
    assert set(item["post"]["responses"]) == shared | {"413", "415"}
    known = {f"Problem{kind.status}" for kind in PROBLEMS.values()}
    assert known < set(made()["components"]["responses"])
    assert set(item["get"]["responses"]["200"]["content"]) >= {"application/vnd.apache.arrow.stream", "text/csv"}


def test_control_parameters_are_told_once() -> None:
    """All that the service reads are components; operations refer to them, but to the one whose answer is a 504."""
    found = made()
    components = found["components"]["parameters"]
    assert set(CONTROLS) == {each["name"] for each in components.values() if each["name"].startswith("rave.")}
    referred = {
        each["$ref"].rpartition("/")[2] for each in found["paths"]["/flow/top"]["get"]["parameters"] if "$ref" in each
    }
    assert {components[name]["name"] for name in referred} == {*CONTROLS, "Prefer"} - {"rave.only_cached"}
    forms = [components[name] for name in referred if components[name]["name"] == "rave.f"]
    assert {"csv", "arrow", "text/html"} < set(forms[0]["schema"]["enum"])


def test_a_ticket_links_to_its_product() -> None:
    """So that tools can follow it."""
    found = made()
    links = found["components"]["responses"]["Ticket"]["links"]
    known = {operation["operationId"] for _, _, operation in operations_of(found)}
    assert {link["operationId"] for link in links.values()} < known


def test_the_base_is_where_the_service_is() -> None:
    """Paths are relative to it."""
    assert made(base="https://host/rave")["servers"] == [{"url": "https://host/rave"}]
    assert made()["servers"] == [{"url": "/"}]


def test_credentials_are_optional() -> None:
    """What nobody may do without shows by a 401."""
    found = made()
    assert {} in found["security"]
    assert found["components"]["securitySchemes"]["apiKey"]["name"] == "X-API-Key"


def test_a_large_catalog_is_described_quickly() -> None:
    """200 operations with 30 parameters in less than a second of computing; it is kept until something changes."""
    many = [(f"{name}{place}", operation) for place in range(200) for name, operation in Catalog.installed()]
    catalog = many[:200]
    made_once: Callable[[], object] = lambda: document(  # noqa: E731  # said twice below
        catalog, base="", version="1", title="RAVE", may_view=lambda _: True
    )
    made_once()
    started = time.process_time()
    made_once()
    assert time.process_time() - started < 1


def test_the_document_says_how_head_and_errors_work() -> None:
    """What holds everywhere is said once, in words."""
    description = made()["info"]["description"]
    assert "HEAD" in description
    assert "RFC 9457" in description
    assert inspect.cleandoc(description) == description


def test_a_path_of_a_plugin_has_the_problems_of_the_service() -> None:
    """Whatever responses the plugin describes; as plain text too where its route says so."""
    given = {"get": {"responses": {"200": {"description": "A note."}, "404": {"description": "There is none."}}}}
    path, item = plugin_path("/-/notes/{name:path}", {"GET": "One note.", "PUT": "Writes one."}, given)
    assert (path, item["get"]["summary"]) == ("/-/notes/{name}", "One note.")
    assert item["get"]["responses"]["404"] == {"description": "There is none."}
    assert item["get"]["responses"]["429"] == {"$ref": "#/components/responses/Problem429"}
    assert {"200", "400", "401", "403", "404", "413", "429", "503"} <= item["put"]["responses"].keys()
    _, plain = plugin_path("/-/notes", {"GET": ""}, {}, has_plain_problems=True)
    forms = plain["get"]["responses"]["400"]["content"]
    assert list(forms) == ["application/problem+json", "text/html", "text/plain"]
