"""A document as an argument counts by its version, and a ticket keeps the version that it was asked with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from rave_journal import JournalDocument, document_of, one_of_journal

from rave_core import Runtime, Settings, list_of, op, typemap, using
from rave_core.documents import DocumentStore
from rave_core.errors import ArgumentError


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


@op
@typemap("journal", int)
def standard(config: str | JournalDocument = "standard", n: int = 1) -> list[object]:
    """What it was called with."""
    return [str(config), n]


def test_a_default_is_its_newest_version(store: DocumentStore) -> None:
    """It is an error while there is none, and never passed on as the text that it is."""
    with pytest.raises(ArgumentError, match=r"'config' was left out, and its default is 'standard'.*no document"):
        standard()
    store.save("journal:diary", "standard", b"1", expect=0, author="ada")
    assert standard() == ["standard@1", 1]
    store.save("journal:diary", "standard", b"2", expect=1, author="ada")
    assert standard(n=2) == ["standard@2", 2]


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
