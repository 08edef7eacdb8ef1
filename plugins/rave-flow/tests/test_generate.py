"""The generator: a day that is the same every time, and looks like one."""

from __future__ import annotations

import gzip
import ipaddress
import json
from collections import Counter
from collections.abc import Callable
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from rave_flow.generate import Scenario, write_day
from rave_flow.generate.command import flow
from rave_flow.generate.hosts import BACKUP_FROM, BEACON, CONTROLLER, SCANNER

Row = dict[str, Any]
RESERVED = [ipaddress.ip_network(net) for net in ("10.0.0.0/8", "192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24")]
DAY = date(2024, 5, 14)


@pytest.fixture(scope="module")
def rows(generated: Path, parsed: Callable[[Path], list[Row]]) -> list[Row]:
    """The flows of the generated day."""
    return parsed(generated)


def test_equal_seeds_give_equal_bytes(tmp_path: Path) -> None:
    """Two runs write the same files to the byte; another seed does not."""
    contents = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        paths = write_day(tmp_path / name, Scenario(DAY, 500, seed))
        contents.append([path.read_bytes() for path in paths])
    assert contents[0] == contents[1] != contents[2]


def test_a_day_is_24_logs_of_so_many_flows(generated: Path, rows: list[Row]) -> None:
    """Named as Zeek names them; every flow stands in one, and starts within the day."""
    names = sorted(path.name for path in (generated / "2024-05-14").iterdir())
    assert len(names) == 24
    assert (names[0], names[-1]) == ("conn.00:00:00-01:00:00.log.gz", "conn.23:00:00-00:00:00.log.gz")
    assert len(rows) == 4000
    assert all(1715644800 <= row["us"] / 10**6 < 1715644800 + 86400 for row in rows)


def test_a_flow_stands_in_the_log_of_the_hour_in_which_it_ended(generated: Path) -> None:
    """As in a real log: some started in an hour before, none after."""
    path = generated / "2024-05-14" / "conn.15:00:00-16:00:00.log.gz"
    lines = [line.split("\t") for line in gzip.decompress(path.read_bytes()).decode().splitlines() if line[0] != "#"]
    hours = Counter(int(float(values[0]) % 86400 // 3600) for values in lines)
    assert set(hours) <= set(range(16))
    assert hours[15] > hours[14] > 0


def test_addresses_are_reserved_ones(rows: list[Row]) -> None:
    """No address that could be anybody's; some are IPv6."""
    addresses = {ipaddress.ip_address(row[end]) for row in rows for end in ("src", "dst")}
    documentation = ipaddress.ip_network("2001:db8::/32")
    assert all(any(address in net for net in [*RESERVED, documentation]) for address in addresses)
    assert any(address.version == 6 for address in addresses)


def test_the_day_has_its_stories(rows: list[Row]) -> None:
    """A scan in a burst, a backup that is most of the night's bytes, a beacon at equal intervals, busier days."""
    scan = [row for row in rows if row["src"] == SCANNER and row["dst_port"] != 25]
    assert len({row["dst_port"] for row in scan}) > 200
    hours: Counter[int] = Counter()
    night: Counter[str] = Counter()
    for row in rows:
        hour = row["us"] // (3600 * 10**6) % 24
        hours[hour] += row["src"] not in (SCANNER, BEACON)
        night[row["src"]] += row["bytes"] * (hour in (2, 3))
    assert night.most_common(1)[0][0] == BACKUP_FROM
    assert hours[10] > 3 * hours[4]
    beats = sorted(row["us"] / 10**6 for row in rows if (row["src"], row["dst"]) == (BEACON, CONTROLLER))
    gaps = sorted(later - earlier for earlier, later in pairwise(beats))
    assert len(beats) == 40
    assert gaps[-1] - gaps[0] < 15 < gaps[0]


def test_bytes_have_a_heavy_tail(rows: list[Row]) -> None:
    """A hundredth of the flows carries most of the bytes."""
    amounts = sorted((row["bytes"] for row in rows), reverse=True)
    assert sum(amounts[:40]) > 0.5 * sum(amounts)


def test_the_command_writes_a_day_and_tells(tmp_path: Path) -> None:
    """``rave flow generate`` makes the directory, and gives facts as JSON where asked."""
    wanted = [str(tmp_path / "new"), "--flows", "300", "--day", "2025-01-02", "--json"]
    result = CliRunner().invoke(flow, ["generate", *wanted])
    assert result.exit_code == 0, result.output
    facts = json.loads(result.stdout)
    assert (facts["files"], facts["flows"]) == (24, 300)
    assert len(list((tmp_path / "new" / "2025-01-02").iterdir())) == 24
    assert facts["directory"] == str(tmp_path / "new" / "2025-01-02")


def test_the_command_refuses_what_can_not_be(tmp_path: Path) -> None:
    """A file in place of the directory, too few flows: the message says so, nothing is written."""
    (tmp_path / "file").write_text("")
    for arguments in ([str(tmp_path / "file")], [str(tmp_path / "new"), "--flows", "3"]):
        result = CliRunner().invoke(flow, ["generate", *arguments])
        assert result.exit_code == 2
    assert not (tmp_path / "new").exists()


def test_too_few_flows_are_refused() -> None:
    """A day needs some."""
    with pytest.raises(ValueError, match="at least 100"):
        Scenario(DAY, 99)
