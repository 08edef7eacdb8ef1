"""The converters that the core supplies by name, and the files that count by content."""

from __future__ import annotations

import copy
import os
import pickle
from datetime import date, datetime, timedelta
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from rave_core.converters import FileContent, FileStat
from rave_core.converters.named import BUILTIN
from rave_core.converters.specifiers import converter_of

REFUSED = (TypeError, ValueError)


def same(left: object, right: object) -> bool:
    """Equal, and of the same type."""
    return type(left) is type(right) and left == right


NAMED = [
    ("iso_date", "2007-04-27", date(2007, 4, 27)),
    ("iso_datetime", "2007-04-27T01:02", datetime(2007, 4, 27, 1, 2)),
    ("duration", "2h30m", 9000.0),
    ("duration", 300, 300.0),
    ("duration", timedelta(minutes=1), 60.0),
    ("size", "64KiB", 65536),
    ("size", "1.5GB", 1_500_000_000),
    ("size", "4k", 4096),
    ("size", "2 MiB", 2 << 20),
    ("size", "0", 0),
    ("size", 4096.0, 4096),
    ("ip_address", "10.0.0.1", ip_address("10.0.0.1")),
    ("ip_address", "::1", ip_address("::1")),
    ("ip_network", "10.0.0.0/8", ip_network("10.0.0.0/8")),
    ("port", "80", 80),
    ("port", 65535, 65535),
    ("json", "[1, null]", [1, None]),
    ("json", (1, {"a": 2}), [1, {"a": 2}]),
    ("path", "a/b", Path("a/b")),
]


@pytest.mark.parametrize(("name", "value", "wanted"), NAMED, ids=lambda part: str(part).partition(" at 0x")[0])
def test_the_core_supplies_converters_by_name(name: str, value: object, wanted: object) -> None:
    """A typemap may name them as text."""
    assert same(converter_of(name).convert(value), wanted)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("iso_date", "27.4.2007"),
        ("duration", "2x30m"),
        ("duration", 10**400),
        ("size", "64 sheep"),
        ("size", -1),
        ("size", 1.5),
        ("ip_address", 1),
        ("ip_network", "10.0.0.1/8"),
        ("port", 65536),
        ("port", -1),
        ("port", "http"),
        ("json", "{"),
        ("json", {1j}),
        ("json", float("nan")),
        ("path", ""),
    ],
    ids=lambda part: str(part).partition(" at 0x")[0],
)
def test_a_named_converter_refuses_what_it_is_not(name: str, value: object) -> None:
    """Named converters are as sharp as types."""
    with pytest.raises(REFUSED):
        BUILTIN[name].convert(value)


def test_two_files_with_one_content_are_one_argument(tmp_path: Path) -> None:
    """The key of file_content is the content; the value is still the path, and opens."""
    first, second = tmp_path / "a", tmp_path / "b"
    first.write_text("same")
    second.write_text("same")
    one, two = BUILTIN["file_content"].convert(first), BUILTIN["file_content"].convert(str(second))
    assert one.__rave_key__() == two.__rave_key__()
    assert one == str(first)
    assert Path(one).read_text() == "same"
    first.write_text("other")
    assert BUILTIN["file_content"].convert(one).__rave_key__() != one.__rave_key__()


def test_a_touched_file_is_another_to_file_stat_alone(tmp_path: Path) -> None:
    """file_stat counts path, size and modification time; file_content does not see a touch."""
    path, twin = tmp_path / "a", tmp_path / "b"
    path.write_text("x")
    twin.write_text("x")
    os.utime(path, ns=(0, 10))
    os.utime(twin, ns=(0, 10))
    stat, content = FileStat(path), FileContent(path)
    assert stat.__rave_key__() == FileStat(path).__rave_key__() != FileStat(twin).__rave_key__()
    os.utime(path, ns=(0, 20))
    assert stat.__rave_key__() != FileStat(path).__rave_key__()
    assert content.__rave_key__() == FileContent(path).__rave_key__()


@pytest.mark.parametrize("name", ["file_content", "file_stat"])
def test_a_file_that_cannot_be_read_is_a_type_error(name: str, tmp_path: Path) -> None:
    """A missing file, a directory, and a pipe, which is never opened, are refused."""
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "absent", tmp_path, tmp_path / "pipe"):
        with pytest.raises(TypeError, match=path.name):
            BUILTIN[name].convert(path)


def test_a_file_argument_survives_copy_and_pickle(tmp_path: Path) -> None:
    """A file argument can go to another process with its key."""
    (tmp_path / "a").write_text("x")
    made = FileContent(tmp_path / "a")
    for again in (copy.deepcopy(made), pickle.loads(pickle.dumps(made))):
        assert again.__rave_key__() == made.__rave_key__()
        assert same(again, made)
