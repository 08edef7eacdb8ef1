"""Entries are found, read whole, verified and repaired."""

from __future__ import annotations

from pathlib import Path

import pytest

from rave_core import Runtime, op, op_file
from rave_core.errors import DamagedError, UnknownNameError
from rave_core.storage.listing import Health, check_entry, entries_of, find_entry, short_id, verify
from tests.core.introspection.explained import files, scaled


def test_an_entry_is_found_by_the_beginning_of_its_key_or_digest(runtime: Runtime) -> None:
    """What is unique is enough; what is not is refused with its candidates."""
    scale = scaled()
    keys = [scale.key(value) for value in (1.0, 2.0)]
    scale(1.0)
    scale(2.0)
    for key in keys:
        assert key is not None
        for name in (key.text, key.text[:-5], short_id(key.text), short_id(key.text)[:8]):
            assert find_entry([runtime.cache], name).entry.key == key.text
    with pytest.raises(UnknownNameError, match="means 2 entries"):
        find_entry([runtime.cache], "test/scale")
    with pytest.raises(UnknownNameError, match="no entry is called 'nope'"):
        find_entry([runtime.cache], "nope")


def test_operations_whose_names_begin_alike_are_kept_apart(runtime: Runtime) -> None:
    """Entries of a/b/c are none of a/b."""
    op(name="test/a", version=1)(_identity)(1)
    op(name="test/a/b", version=1)(_identity)(1)
    assert [entry.key.rsplit("/", 2)[0] for entry in entries_of(runtime.cache, "test/a", most=9)] == ["test/a"]


def _identity(value: int) -> int:
    return value


def test_a_header_longer_than_usual_is_read_whole(runtime: Runtime) -> None:
    """Many children make a header that does not fit into the first read."""

    def many(count: int) -> int:
        return sum(leaf(n) for n in range(count))

    leaf = op(name="test/leaf", version=1)(_identity)
    op(name="test/many", version=1)(many)(300)
    (entry,) = entries_of(runtime.cache, "test/many", most=1)
    assert len(entry.children) == 300


def test_verifying_finds_every_flipped_byte(runtime: Runtime, tmp_path: Path) -> None:
    """Wherever one bit of an entry changes, it is no longer sound; untouched it is."""
    scaled()(1.0)
    (frame,) = files(tmp_path, ".rave")
    content = frame.read_bytes()
    assert [verdict.health for verdict in verify(runtime.cache)] == [Health.SOUND]
    for index in range(len(content)):
        changed = bytearray(content)
        changed[index] ^= 0x10
        frame.write_bytes(changed)
        assert [verdict.health for verdict in verify(runtime.cache)] != [Health.SOUND], index


def test_repairing_sets_the_damaged_aside_and_nothing_else(runtime: Runtime, tmp_path: Path) -> None:
    """After a repair the sound entry is still there, and the damaged one is not."""
    scale = scaled()
    scale(1.0)
    (frame,) = files(tmp_path, ".rave")
    scale(2.0)
    frame.write_bytes(frame.read_bytes()[:-1])
    assert sorted(verdict.health for verdict in verify(runtime.cache, repair=True)) == [Health.DAMAGED, Health.SOUND]
    assert [verdict.health for verdict in verify(runtime.cache)] == [Health.SOUND]


def test_a_changed_or_missing_product_is_damaged(runtime: Runtime, tmp_path: Path) -> None:
    """The bytes of a file are checked against its entry."""

    def write(out: str) -> None:
        Path(out).write_text("text")

    product = Path(op_file(name="test/file", version=1)(write)())
    (key,) = runtime.products.backend.keys()
    assert check_entry(runtime.products, key) is not None
    product.write_text("tExt")
    with pytest.raises(DamagedError, match="does not have the digest"):
        check_entry(runtime.products, key)
    product.unlink()
    with pytest.raises(DamagedError, match="is gone"):
        check_entry(runtime.products, key)
