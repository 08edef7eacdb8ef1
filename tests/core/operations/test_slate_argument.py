"""A slate as an argument: the call holds what the user keeps, never whose it is or what it is called."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rave_core import Runtime, Settings, list_of, op, typemap, using
from rave_core.documents import DocumentStore, asked_by
from rave_core.errors import ArgumentError


@op
@typemap("slate", int)
def weighed(config: Any, n: int = 1) -> list[Any]:
    """What it was called with."""
    print("runs")  # what is printed counts the runs
    return [config, n]


@op
@typemap(list_of("slate"))
def several(configs: list[Any]) -> list[Any]:
    """What it was called with."""
    return configs


@op
@typemap(list_of("slate"), int)
def preset(configs: Any = ("slate:page", 3), n: int = 1) -> Any:
    """What its default names."""
    return configs


@op
def outer() -> list[Any]:
    """Asks for a slate from inside."""
    return weighed("slate:page")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[DocumentStore]:
    """The store of a runtime in use, in which ada and bob keep pages."""
    settings = Settings(cache="memory://", documents=f"sqlite:///{tmp_path}/documents.sqlite")
    with using(Runtime(settings)) as runtime:
        documents = runtime.documents
        documents.save("slate:ada", "page", b'{"rows": [5, 1.0], "name": "\\u00e4"}', expect=0, author="ada")
        documents.save("slate:bob", "page", b'{"rows": 7}', expect=0, author="bob")
        yield documents
        runtime.close()


def test_the_name_means_what_the_user_who_asks_keeps(store: DocumentStore, capsys: pytest.CaptureFixture[str]) -> None:
    """Equal contents are one call, however they were given; an edit makes another, and what was asked stays asked."""
    with asked_by("ada"):
        first = weighed.resolve("slate:page")
        assert first.value == [{"rows": [5, 1.0], "name": "ä"}, 1]
        store.save("slate:ada", "page", b'{"rows": 8}', expect=1, author="ada")
        assert weighed("slate:page") == [{"rows": 8}, 1]
    with asked_by("bob"):
        assert weighed("slate:page") == [{"rows": 7}, 1]
    assert weighed('{"name": "ä", "rows": [5, 1.0]}') == weighed({"rows": (5, 1.0), "name": "ä"}) == first.value
    assert len(capsys.readouterr().out.splitlines()) == 3
    assert "page" not in str(first.entry and first.entry.arguments)
    with asked_by("ada"):
        assert several(["slate:page", 3, '"text"', None]) == [{"rows": 8}, 3, "text", None]


def test_what_names_no_slate_is_refused(store: DocumentStore) -> None:
    """Without a user, from inside a body, for what is not kept, and for a name within a slate."""
    store.save("slate:ada", "again", b'"slate:page"', expect=0, author="ada")
    store.save("slate:ada", "gone", b"1", expect=0, author="ada")
    store.save("slate:ada", "gone", None, expect=1, author="ada")
    for text in ("slate:page", '"slate:page"'):
        with pytest.raises(ArgumentError, match="nobody is signed in"):
            weighed(text)
    with asked_by("ada"):
        for name in ("gone", "never", "", "a/b", "a\0b", "x" * 101, "page\n", "é" * 100):
            with pytest.raises(ArgumentError, match="you keep nothing under the name"):
                weighed(f"slate:{name}")
        with pytest.raises(ArgumentError, match="is itself the name of a slate"):
            weighed("slate:again")
        with pytest.raises(ArgumentError, match="a body has no user"):
            outer()
        with asked_by(None), pytest.raises(ArgumentError, match="nobody is signed in"):
            weighed("slate:page")
    for text in ("page", "{", "NaN"):
        with pytest.raises(ArgumentError, match="neither slate:NAME nor JSON"):
            weighed(text)


def test_a_default_means_what_the_user_who_asks_keeps(store: DocumentStore) -> None:
    """It is an error where there is none, and never passed on as the text that it is; a given argument needs none."""
    with asked_by("ada"):
        assert preset() == preset(n=1) == [{"rows": [5, 1.0], "name": "ä"}, 3]
    with asked_by("bob"):
        assert preset() == [{"rows": 7}, 3]
    for user, reason in ((None, "nobody is signed in"), ("eve", "you keep nothing under the name 'page'")):
        with asked_by(user):
            with pytest.raises(ArgumentError, match=f"'configs' was left out, and its default is .*{reason}"):
                preset()
            assert preset([1]) == [1]


def test_a_description_shows_the_name_of_a_default(store: DocumentStore) -> None:
    """What a user keeps is nobody else's business."""
    assert preset.spec.typemap is not None
    with asked_by("ada"):
        assert preset.spec.typemap.schema()["properties"]["configs"]["default"] == ["slate:page", 3]
