"""The formats of logs: CSV and Zeek."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from rave_monitor import Reader
from rave_monitor.readers.delimited import CsvReader
from rave_monitor.readers.zeek import ZeekReader

HEADER = (
    "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tconn\n"
    "#open\t2026-11-30-10-00-00\n#fields\tts\tid.orig_h\tid.resp_p\tservice\tduration\tlocal\ttags\n"
    "#types\ttime\taddr\tport\tstring\tinterval\tbool\tset[string]\n"
)


def read(reader: Reader, position: Any = None) -> list[dict[str, Any]]:
    """All events from a position."""
    reader.tell = lambda message: told.append(message)
    reader.open(position)
    return [event for _ in range(6) for event in reader.read(100)]


told: list[str] = []


@pytest.fixture(autouse=True)
def _silence() -> None:
    told.clear()


def test_values_of_a_zeek_log_have_the_types_of_its_header(tmp_path: Path) -> None:
    """Unset is ``None``, empty is empty, and escapes are resolved."""
    path = tmp_path / "conn.log"
    path.write_text(HEADER + "1.5\t10.0.0.1\t53\tdns\t-\tT\ta\\x2cb,c\n2\tfe80::1\t0\t(empty)\t0.25\tF\t(empty)\n")
    first, second = read(ZeekReader(path=path))
    assert first == {
        "ts": 1.5, "id.orig_h": "10.0.0.1", "id.resp_p": 53, "service": "dns", "duration": None, "local": True,
        "tags": ["a,b", "c"],
    }  # fmt: skip
    assert (second["service"], second["tags"], second["local"]) == ("", [], False)


def test_a_zeek_log_goes_on_in_the_middle_and_over_a_rotation(tmp_path: Path) -> None:
    """With the header of the file that is read, which may change."""
    path = tmp_path / "conn.log"
    path.write_text(HEADER + "1\t10.0.0.1\t53\tdns\t-\tT\t-\n")
    reader = ZeekReader(path=path)
    read(reader)
    position = reader.position()
    reader.close()
    with path.open("a") as file:
        file.write("2\t10.0.0.2\t80\thttp\t-\tT\t-\n#close\t2026-11-30-11-00-00\n")
    path.rename(tmp_path / "conn-26-11-30_10.00.00.log")
    path.write_text("#separator \\x09\n#unset_field\t-\n#fields\tts\tnote\n#types\ttime\tstring\n3\tnew\n")
    again = ZeekReader(path=path)
    assert [(event["ts"], event.get("note")) for event in read(again, position)] == [(2.0, None), (3.0, "new")]
    assert not told


def test_a_json_log_gives_what_it_holds_and_bad_entries_are_told(tmp_path: Path) -> None:
    """Once for each file."""
    path = tmp_path / "dns.log"
    path.write_text('{"ts":1.5,"query":"a.b"}\n{"ts":\nnonsense\n{"ts":2}\n')
    assert read(ZeekReader(path=path)) == [{"ts": 1.5, "query": "a.b"}, {"ts": 2}]
    assert len(told) == 1


def test_csv_records_have_the_names_of_the_header(tmp_path: Path) -> None:
    """Quotes may hold delimiters and line ends; a position lies between records."""
    path = tmp_path / "a.csv"
    path.write_text('name,text\na,"x, ""y""\nz"\nb,2\nc,"open\n')
    reader = CsvReader(path=path)
    assert read(reader) == [{"name": "a", "text": 'x, "y"\nz'}, {"name": "b", "text": "2"}]
    position = reader.position()
    with path.open("a") as file:
        file.write('end"\nd,4,5\n')
    again = CsvReader(path=path)
    assert read(again, position) == [{"name": "c", "text": "open\nend"}, {"name": "d", "text": "4"}]
    assert "3 values for 2 fields" in told[0]


def test_csv_without_a_header_takes_the_given_names(tmp_path: Path) -> None:
    """And another delimiter."""
    path = tmp_path / "a.csv"
    path.write_text("1;2\n\n3;4\n")
    assert read(CsvReader(path=path, delimiter=";", fields=["a", "b"])) == [{"a": "1", "b": "2"}, {"a": "3", "b": "4"}]
