"""The reference of the service is complete, as `test_reference` has it of all else."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

import falcon.inspect
import pytest

from rave_core import Settings
from rave_http import client
from rave_http.app import Application, create_app
from rave_http.client import ClientError
from rave_http.description.request_arguments import CONTROLS
from rave_http.protocol.problems import PROBLEMS
from rave_http.resources import operations, products
from rave_http.settings import PERMISSIONS, ServiceSettings
from rave_http.workers.metrics import Metrics
from rave_http.workers.run_directory import RunDirectory

Page: TypeAlias = Callable[[str], str]
Rows: TypeAlias = Callable[[str, str], list[list[str]]]


@pytest.fixture
def rows(page: Page) -> Rows:
    """Gives the cells of the rows of all tables below a heading of a page, up to the next heading."""

    def found(name: str, heading: str) -> list[list[str]]:
        section = re.search(rf"^#+ {re.escape(heading)}$(.*?)(?=^#|\Z)", page(name), re.MULTILINE | re.DOTALL)
        assert section, f"no heading {heading!r}"
        lines = [line for line in section[1].splitlines() if line.startswith("| `")]
        return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]

    return found


def test_every_kind_of_problem_has_a_row_with_status_title_and_advice(rows: Rows) -> None:
    """In the words of the page that the service itself gives."""
    told = rows("reference/http.md", "Kinds of problems")
    assert told == [[f"`{slug}`", str(kind.status), f"{kind.title}. {kind.advice}"] for slug, kind in PROBLEMS.items()]


def test_every_control_parameter_and_permission_has_a_row(rows: Rows) -> None:
    """In the order of the code."""
    assert [cells[0].strip("`") for cells in rows("reference/http.md", "Control parameters")] == list(CONTROLS)
    assert [cells[0].strip("`") for cells in rows("reference/http.md", "Permissions")] == list(PERMISSIONS)


@pytest.fixture
def application() -> Iterator[Application]:
    """The application, which was never opened."""
    board = RunDirectory.create()
    made = create_app(Settings(cache="memory://"), ServiceSettings(), board)
    yield made
    made.service.runtime.close()
    board.remove()


def test_every_path_has_a_row_with_its_methods(application: Application, rows: Rows) -> None:
    """Those of the routes, of operations and of products; the paths of plugins are on pages of their own."""
    others = application._plugin_routes.paths
    routes = falcon.inspect.inspect_routes(application.falcon)
    views = {f"/-/products/{{key}}{f'/{view}' if view else ''}": each for view, each in products.VIEWS.items()}
    expected = {
        **{_written(route.path): _methods(route) for route in routes if route.path not in others},
        "/{ns}": {"GET", "HEAD"},
        "/{ns}/{op}": {*operations.METHODS, "QUERY"},
        **{path: {*methods, "OPTIONS"} for path, methods in views.items()},
    }
    told = {cells[0].strip("`"): set(re.findall(r"[A-Z]+", cells[1])) for cells in rows("reference/http.md", "Paths")}
    assert told == expected


def _written(path: str) -> str:
    """A route as the page writes it."""
    return path.replace("{name:path}", "{ns}/{op}").replace(":path}", "}").replace("{namespace}", "{ns}")


def _methods(route: Any) -> set[str]:
    return {method.method for method in route.methods if not method.internal}


def test_every_metric_has_a_row_with_its_type_and_labels(rows: Rows) -> None:
    """And no row is of another."""
    told = {}
    for heading in ("Requests", "Computations", "The service"):
        for cells in rows("reference/metrics.md", heading):
            if cells[0].startswith("`rave_"):
                told[cells[0].strip("`")] = cells[1], tuple(re.findall(r"`(\w+)`", cells[2]))
    expected = {}
    collectors: Mapping[Any, object] = Metrics()._source._collector_to_names  # type: ignore[attr-defined]  # a registry
    for collector in collectors:
        [family] = collector.collect()
        name = f"{family.name}_total" if family.type == "counter" else family.name
        expected[name] = family.type, tuple(collector._labelnames)
    assert told == expected


def test_every_name_of_the_client_is_described(page: Page) -> None:
    """By a description made of its docstring; of the errors by a row with their bases."""
    text = page("reference/python-client.md")
    described = set(re.findall(r"autoclass:: rave_http\.client\.(\w+)", text))
    kinds = {name: getattr(client, name) for name in client.__all__}
    errors = {name: kind for name, kind in kinds.items() if issubclass(kind, ClientError)}
    assert described == kinds.keys() - errors.keys()
    told = dict(re.findall(r"^\| `(\w+)` \| (.*?) \|", text, re.MULTILINE))
    assert told.keys() == errors.keys() - {"ClientError"}
    for name, bases in told.items():
        assert bases == ", ".join(f"`{base.__name__}`" for base in errors[name].__bases__), name
    assert "`ClientError` is the root" in text
