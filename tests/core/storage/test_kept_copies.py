"""Kept copies: what was copied stays as it is, whatever becomes of the result."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rave_core import Runtime, op, op_file, using
from rave_core.errors import OptionError
from rave_core.model import Key
from rave_core.storage.kept_copies import KeptCopies, copy_key, source_of
from rave_core.testing.clock import FakeClock

BODY = {"n": 0}


@op(expires=100)
def counted(name: str) -> list[object]:
    """Something else each time."""
    BODY["n"] += 1
    return [name, BODY["n"]]


@op_file(mime_type="text/plain", expires=100)
def script(out: str, text: str = "hello") -> None:
    """An executable file."""
    Path(out).write_text(text)
    os.chmod(out, 0o755)


@op_file(kind="directory", expires=100)
def folder(out: str) -> None:
    """A directory."""
    Path(out, "one.txt").write_text("one")


@pytest.fixture(autouse=True)
def used(make_runtime: Callable[..., Runtime], clock: FakeClock) -> Iterator[Runtime]:
    """A runtime whose clock the test turns."""
    with using(make_runtime(clock=clock)) as entered:
        yield entered


def copies_of(runtime: Runtime) -> KeptCopies:
    """The kept copies of a runtime."""
    return KeptCopies(runtime.cache, runtime.products, runtime.clock)


def kept(runtime: Runtime, operation: Any, *args: object, until: float | None = None, **facts: Any) -> Any:
    """The copy of the answer to a call, which is computed if need be."""
    operation(*args)
    resolved, key = runtime.container.resolved(operation.spec), operation.key(*args)
    return copies_of(runtime).keep(resolved.cache, key, until=until, **facts)


def test_a_copy_outlives_the_result(used: Runtime, clock: FakeClock) -> None:
    """It has the bytes and the record of the result, but another key and time."""
    first = counted("a")
    copy = kept(used, counted, "a", until=clock.now() + 1000, by="ada", comment="the outage")
    clock.advance(200)
    used.purge()
    assert counted("a") != first
    found = used.cache.find(Key.parse(copy.key))
    assert found is not None
    assert (found.value, found.entry.arguments) == (first, {"name": "'a'"})
    assert found.entry.created_at == copy.created_at < clock.now() - 199
    assert source_of(Key.parse(copy.key)).text == copy.source
    assert copies_of(used).find(copy.id) == copy
    assert [each.comment for each in copies_of(used).all()] == ["the outage"]


def test_a_copy_goes_when_its_time_is_over(used: Runtime, clock: FakeClock) -> None:
    """And not before: nothing else is evicted in its place, since it is pinned."""
    copy = kept(used, counted, "b", until=clock.now() + 1000)
    clock.advance(1001)
    assert copies_of(used).find(copy.id) is None
    assert list(copies_of(used).all()) == []
    used.purge()
    assert used.cache.find(Key.parse(copy.key)) is None


def test_files_and_directories_are_copied(used: Runtime) -> None:
    """With the permission to run them; the file of the result is another one."""
    copy = kept(used, script)
    found = used.products.find(Key.parse(copy.key))
    assert found is not None
    assert found.value != script()
    assert Path(found.value).read_text() == "hello"
    assert os.access(found.value, os.X_OK)
    copy = kept(used, folder)
    found = used.container.resolved(folder.spec).cache.find(Key.parse(copy.key))
    assert found is not None
    assert Path(found.value, "one.txt").read_text() == "one"


def test_keeping_again_only_makes_it_longer(used: Runtime, clock: FakeClock) -> None:
    """The same result has one copy, with the first one's name; a shorter time changes nothing."""
    first = kept(used, counted, "c", until=clock.now() + 500, by="ada")
    assert kept(used, counted, "c", until=clock.now() + 10, by="bob") == first
    longer = kept(used, counted, "c", until=clock.now() + 900, by="bob")
    assert (longer.id, longer.by, longer.until) == (first.id, "ada", clock.now() + 900)
    assert kept(used, counted, "c", until=None).until is None
    assert len(list(copies_of(used).all())) == 1


def test_only_the_result_that_was_meant_is_copied(used: Runtime) -> None:
    """Never one that replaced it, nor one that is not there."""
    counted("d")
    assert kept(used, counted, "d", digest="0" * 32) is None
    key = counted.key("never asked")
    assert key is not None
    assert copies_of(used).keep(used.cache, key, until=None) is None


def test_a_removed_copy_is_gone(used: Runtime) -> None:
    """The result stays."""
    copy = kept(used, script, "x")
    copies_of(used).remove(copy)
    assert copies_of(used).find(copy.id) is None
    assert used.products.find(Key.parse(copy.key)) is None
    assert used.products.find(Key.parse(copy.source)) is not None


def test_a_copy_whose_bytes_were_removed_is_not_there(used: Runtime) -> None:
    """Its record stays, and keeping the same result again copies it again."""
    copy = kept(used, script, "y")
    assert copies_of(used).is_there(copy)
    used.products.forget(Key.parse(copy.key))
    assert copies_of(used).find(copy.id) == copy
    assert not copies_of(used).is_there(copy)
    assert kept(used, script, "y", until=used.clock.now() + 10) == copy  # never shorter
    assert copies_of(used).is_there(copy)


def test_a_store_that_forgets_keeps_no_copies(make_runtime: Callable[..., Runtime]) -> None:
    """Memory evicts what it likes."""
    runtime = make_runtime(cache=["memory://"])
    with using(runtime), pytest.raises(OptionError, match="directories and buckets can"):
        kept(runtime, counted, "e")


def test_keys_of_copies_lead_back() -> None:
    """Also where a key has dashes."""
    key = Key("lab/some-thing", "v-1", "a-b_c")
    assert source_of(copy_key(key, "digest")) == key
    assert source_of(key) == key
