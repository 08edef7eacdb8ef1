"""A document as an argument counts by its version, and a ticket keeps the version that it was asked with."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from rave_journal import JournalDocument, document_of, one_of_journal

from rave_core import Runtime, Settings, list_of, op, typemap, using
from rave_core.documents import DocumentStore
from rave_core.errors import ArgumentError

LAB = '''\
"""A namespace for tests."""

import pathlib
import threading

from rave_core import op, typemap
from rave_journal import one_of_journal

PLACE = pathlib.Path(__file__).parents[1]


@op
@typemap("journal", int)
def scaled(config, n: int = 1) -> str:
    """A number, as its configuration says."""
    with (PLACE / "runs.log").open("a") as file:
        file.write(f"{config} {n}\\n")
    gate = PLACE / "gate"
    while config.json().get("slow") and not gate.exists():
        threading.Event().wait(0.02)
    return f"{config}: {config.json()['factor'] * n}"


@op
@typemap(one_of_journal("sites"))
def of_site(site: str) -> str:
    """Something of one site."""
    return site


__export__ = {"scaled": scaled, "of_site": of_site}
'''


@op
@typemap("journal", int)
def scaled(config: JournalDocument, n: int) -> int:
    """A number, as its configuration says."""
    print(config)  # noqa: T201  # what is printed counts the runs
    factor: int = config.json()["factor"]
    return factor * n


@pytest.fixture
def store(tmp_path: Path) -> Iterator[DocumentStore]:
    """The store of a runtime in use."""
    settings = Settings(
        cache="memory://",
        documents=f"sqlite:///{tmp_path}/documents.sqlite",
        plugins={"journal": {"journals": ["diary", "sites"]}},
    )
    with using(Runtime(settings)) as runtime:
        yield runtime.documents
        runtime.close()


def test_an_operation_runs_once_for_each_version(store: DocumentStore, capsys: pytest.CaptureFixture[str]) -> None:
    """The newest by its key, an earlier one by its number; each is kept under its own key."""
    store.save("journal:diary", "cfg", b'{"factor": 2}', expect=0, author="ada")
    assert [scaled("cfg", 10), scaled("cfg", 10)] == [20, 20]
    store.save("journal:diary", "cfg", b'{"factor": 3}', expect=1, author="ada")
    assert [scaled("cfg", 10), scaled("cfg@2", 10), scaled("cfg@1", 10)] == [30, 30, 20]
    assert capsys.readouterr().out.splitlines() == ["cfg@1", "cfg@2"]
    for unknown in ("cfx", "cfg@3", "cfg@0", 7):
        with pytest.raises(ArgumentError):
            scaled(unknown, 10)
    store.save("journal:diary", "cfg", None, expect=2, author="ada")
    with pytest.raises(ArgumentError, match="was deleted in its version 3"):
        scaled("cfg", 10)


def test_a_document_of_another_journal_and_choices_out_of_one(store: DocumentStore) -> None:
    """A list, an object, or lines; what is not in it is refused with the next best."""
    store.save("journal:sites", "north", b"\xff", expect=0, author="ada")
    assert document_of("sites").convert("north").payload == b"\xff"
    with pytest.raises(ValueError, match="no journal 'nowhere'"):
        document_of("nowhere").convert("north")
    several = list_of(document_of("sites"))
    assert several.written(several.convert(["north", "north@1"])) == ["north@1", "north@1"]
    choice = one_of_journal("list", journal="sites")
    with pytest.raises(ValueError, match="'list' does not exist"):
        choice.convert("north")
    for version, payload in enumerate(
        (b'["north", "south"]', b'{"north": 1, "south": 2}', b"# all\nnorth\n\n south\n")
    ):
        store.save("journal:sites", "list", payload, expect=version, author="ada")
        assert [choice.convert(each) for each in ("north", "south")] == ["north", "south"]
        with pytest.raises(ValueError, match="did you mean 'south'"):
            choice.convert("sout")


def test_a_ticket_outlives_a_restart_and_a_commit(
    launch_service: Callable[..., Any], tmp_path: Path, wait_until: Callable[..., Any]
) -> None:
    """It gives the result of the version that it was asked with; an unknown document is a 400."""
    running = launch_service(tmp_path, lab=LAB)
    try:
        running.commit("/-/journal/cfg/1", b'{"factor": 2, "slow": true}')
        unknown = running.get("/lab/scaled?config=cfx&n=1")
        assert (unknown.status_code, "no document 'cfx'" in unknown.json()["detail"]) == (400, True)
        ticket = running.get("/lab/scaled?config=cfg&n=10", headers={"Prefer": "respond-async"})
        assert ticket.status_code == 202
        wait_until(lambda: (tmp_path / "runs.log").exists(), what="the body")
        running.commit("/-/journal/cfg/2", b'{"factor": 5}')
        assert running.get("/lab/scaled?config=cfg&n=10").text == "cfg@2: 50"
        running.commit("/-/journal/sites/1", b"north\n")
        assert running.get("/lab/of_site?site=north").text == "north"
        assert running.get("/lab/of_site?site=south").status_code == 400
    finally:
        family = psutil.Process(running.process.pid).children(recursive=True)
        running.stop(signal.SIGKILL)
        for each in family:
            each.kill()
        psutil.wait_procs(family, timeout=10)
    (tmp_path / "gate").touch()
    again = launch_service(tmp_path, lab=LAB)
    try:
        place = ticket.json()["href"]
        found = wait_until(lambda: (got := again.get(place)).status_code == 200 and got, what="the product")
        assert found.text == "cfg@1: 20"
        assert again.get("/lab/scaled?config=cfg@1&n=10").text == "cfg@1: 20"
        assert (tmp_path / "runs.log").read_text().splitlines() == ["cfg@1 10", "cfg@2 10", "cfg@1 10"]
    finally:
        again.stop()
