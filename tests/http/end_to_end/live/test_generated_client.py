"""Clients that tools generate from the document of the service and of all our plugins."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

Service = Any  # RunningService of the conftest
NAME = "generated_client"


@pytest.fixture(scope="module")
def place(shared_service: Service, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the document."""
    place = tmp_path_factory.mktemp("generated")
    (place / "openapi.json").write_bytes(shared_service.get("/-/openapi.json").content)
    return place


@pytest.fixture(scope="module")
def api(place: Path) -> Iterator[Any]:
    """Imports a module of the generated client: ``api("lab.get_lab_square")``."""
    (place / "config.yml").write_text(f"package_name_override: {NAME}\nproject_name_override: generated\n")
    command = [
        *(Path(sys.executable).parent / "openapi-python-client", "generate", "--path", place / "openapi.json"),
        *("--output-path", place / "made", "--config", place / "config.yml"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, cwd=place)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said[-4000:]
    # Of pictures and files it can read no body; everything else it has to understand.
    troubles = [line for line in said.splitlines() if "annot parse" in line or "not be generated" in line]
    assert not [line for line in troubles if "Unsupported content_type" not in line], said[-4000:]
    sys.path.insert(0, str(place / "made"))

    def module(name: str) -> ModuleType:
        return importlib.import_module(f"{NAME}.{name}")

    yield module
    sys.path.remove(str(place / "made"))
    for name in [name for name in sys.modules if name.partition(".")[0] == NAME]:
        del sys.modules[name]


@pytest.fixture
def client(api: Any, shared_service: Service) -> Iterator[Any]:
    """A generated client of the service, whose connections are closed afterwards."""
    with api("client").Client(base_url=shared_service.url) as client:
        yield client


def test_there_is_a_function_for_every_operation(api: Any, shared_service: Service) -> None:
    """By GET and by POST; of the namespace of the tests and of all plugins."""
    document = shared_service.get("/-/openapi.json").json()
    spaces = {path.split("/")[1] for path in document["paths"] if not path.startswith(("/-/", "/{"))} - {""}
    assert {"example", "flow", "lab"} <= spaces
    for space in spaces:
        package = Path(api(f"api.{space}").__file__).parent
        made = {path.stem for path in package.glob("*_*.py") if path.stem != "__init__"}
        assert len(made) == 2 * sum(path.startswith(f"/{space}/") for path in document["paths"])


def test_the_generated_client_asks_the_service(api: Any, client: Any) -> None:
    """It gives results and problems, by query and by body, and finds its way to the system's paths."""
    fibonacci = api("api.example.get_example_fibonacci")
    answer = fibonacci.sync_detailed(client=client, n=20)
    assert (answer.status_code, answer.content) == (200, b"6765")
    square = api("api.lab.post_lab_square")
    body = api("models").PostLabSquareJsonBody(n=9)
    assert b'"square":81' in square.sync_detailed(client=client, body=body).content
    problem = api("api.lab.get_lab_square").sync(client=client, n="x")
    assert (type(problem).__name__, problem.status) == ("Problem", 400)
    assert api("api.tag.list_jobs").sync(client=client).jobs == []


def test_the_generated_client_follows_and_stops_a_ticket(api: Any, client: Any) -> None:
    """By the key of the ticket, which has slashes in it."""
    slow = api("api.lab.get_lab_slow")
    ticket = slow.sync(client=client, name="generated", seconds=9.0, prefer="respond-async")
    assert (type(ticket).__name__, ticket.operation) == ("Ticket", "lab/slow")
    assert ticket.key in [job.key for job in api("api.tag.list_jobs").sync(client=client).jobs]
    assert api("api.tag.cancel_job").sync(client=client, key=ticket.key).done == "ended"
    assert api("api.tag.get_product").sync(client=client, key=ticket.key).status == 409


def test_types_for_typescript_are_generated(place: Path, needed: Callable[[str, str], str]) -> None:
    """Every path is in them."""
    program = needed("openapi-typescript", "openapi-typescript (npm)")
    done = subprocess.run([program, "openapi.json", "-o", "made.d.ts"], capture_output=True, text=True, cwd=place)
    assert done.returncode == 0, done.stdout + done.stderr
    made = (place / "made.d.ts").read_text()
    assert [
        path for path in json.loads((place / "openapi.json").read_text())["paths"] if f'"{path}": {{' not in made
    ] == []
