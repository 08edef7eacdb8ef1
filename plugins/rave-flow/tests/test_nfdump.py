"""NetFlow files and captures, against what nfdump itself counts."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rave_flow.errors import NothingFoundError, UnreadableError
from rave_flow.operations.tables import top
from rave_flow.silk import rwcut, rwfilter, rwtotal, rwuniq

from rave_core import Runtime

Serve = Callable[[Path], Runtime]
TRACES = Path("shared", "data", "zeek-traces")


@pytest.fixture(scope="session")
def traces() -> Path:
    """Recorded captures, where the data lie beside the repository."""
    for folder in Path(__file__).resolve().parents:
        if (folder / TRACES).is_dir():
            return folder / TRACES
    pytest.skip(f"the recorded captures are not here: no {TRACES} beside the repository (it is not part of it)")


@pytest.fixture(scope="session")
def nfdump() -> Callable[..., str]:
    """Runs nfdump's programs; without them the tests are skipped and say so, and fail in CI."""
    if shutil.which("nfdump") is None or shutil.which("nfpcapd") is None:
        assert not os.environ.get("CI"), "CI installs nfdump by .ci/servers, so that no test is left out"
        pytest.skip("needs nfdump: apt-get install nfdump")

    def run(*command: Any) -> str:
        words = [str(word) for word in command]
        environment = {**os.environ, "TZ": "UTC"}
        return subprocess.run(words, check=True, capture_output=True, text=True, env=environment).stdout

    return run


CAPTURES = [
    "echo-connections.pcap.gz", "ssh/ssh.pcap", "irc-dcc-send.pcapng", "smb/smb2.pcap", "ftp/cwd-navigation.pcap"
]  # fmt: skip
NAMES = {"1": "icmp", "6": "tcp", "17": "udp"}


@pytest.fixture(scope="session")
def converted(traces: Path, nfdump: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Each capture as NetFlow files, made by nfpcapd alone."""
    made = {}
    for name in CAPTURES:
        folder = tmp_path_factory.mktemp("netflow")
        packets = folder / "packets"
        content = (traces / name).read_bytes()
        if name.endswith(".gz"):
            import gzip

            content = gzip.decompress(content)
        packets.write_bytes(content)
        (folder / "flows").mkdir()
        nfdump("nfpcapd", "-r", packets, "-w", folder / "flows", "-t", 3600)
        made[name] = folder / "flows"
    return made


def sums(nfdump: Callable[..., str], flows: Path, over: str, what: str = "any") -> dict[str, tuple[int, int, int]]:
    """Flows, packets and bytes by one thing, as nfdump adds them up."""
    key = {"proto": "%pr", "dstport": "%dp", "srcip": "%sa"}[over]
    out = nfdump("nfdump", "-R", flows, "-A", over, "-N", "-6", "-q", "-o", f"fmt:{key},%fl,%pkt,%byt", what)
    rows = [[cell.strip() for cell in line.split(",")] for line in out.splitlines() if line.count(",") == 3]
    names = NAMES if over == "proto" else {}
    return {names.get(row[0], row[0]): (int(row[1]), int(row[2]), int(row[3])) for row in rows}


@pytest.mark.parametrize("name", CAPTURES)
def test_a_capture_has_the_numbers_of_nfdump(
    serving: Serve, traces: Path, converted: dict[str, Path], nfdump: Callable[..., str], tmp_path: Path, name: str
) -> None:
    """By protocol, by port, and by address."""
    directory = tmp_path / "captures"
    directory.mkdir()
    shutil.copy(traces / name, directory)
    serving(directory)
    found = rwtotal(rwfilter(), key="protocol").to_pylist()
    told = {row["key"]: (row["records"], row["packets"], row["bytes"]) for row in found}
    assert told == sums(nfdump, converted[name], "proto")
    ports = rwuniq(rwfilter(protocol="tcp"), fields="dport", values="records,packets,bytes").to_pylist()
    expected = sums(nfdump, converted[name], "dstport", "proto tcp")
    assert {str(row["dport"]): (row["records"], row["packets"], row["bytes"]) for row in ports} == expected
    hosts = rwuniq(rwfilter(), fields="sip", values="records,packets,bytes").to_pylist()
    expected = sums(nfdump, converted[name], "srcip")
    assert {row["sip"]: (row["records"], row["packets"], row["bytes"]) for row in hosts} == expected


def test_netflow_files_are_read_as_they_are(
    serving: Serve, converted: dict[str, Path], nfdump: Callable[..., str], tmp_path: Path
) -> None:
    """With their flags, and times to the millisecond."""
    directory = tmp_path / "netflow"
    shutil.copytree(converted["echo-connections.pcap.gz"], directory)
    serving(directory)
    rows = rwcut(rwfilter(), fields="stime,sip,sport,flags,bytes").to_pylist()
    out = nfdump("nfdump", "-R", directory, "-N", "-q", "-o", "fmt:%tsr,%sa,%sp,%byt")
    cells = [[cell.strip() for cell in line.split(",")] for line in out.splitlines()]
    told = Counter((f"{float(row[0]):.3f}", row[1], int(row[2]), int(row[3])) for row in cells)
    assert Counter((f"{row['stime'].timestamp():.3f}", row["sip"], row["sport"], row["bytes"]) for row in rows) == told
    assert rows[0]["flags"] == "FSPA"
    total = rwtotal(rwfilter(flags_all="S/S"), key="protocol").to_pylist()
    flows = sums(nfdump, directory, "proto", "flags S")
    assert {row["key"]: row["records"] for row in total} == {key: value[0] for key, value in flows.items()}


def test_a_capture_that_was_cut_is_counted(serving: Serve, traces: Path, nfdump: object, tmp_path: Path) -> None:
    """What is whole is read; the metadata say that something is missing, and where."""
    directory = tmp_path / "captures"
    directory.mkdir()
    for name, size in (("ssh/ssh.pcap", 100_001), ("irc-dcc-send.pcapng", 50_001)):
        (directory / Path(name).name).write_bytes((traces / name).read_bytes()[:size])
    serving(directory)
    from rave_flow.operations.tables import top

    metadata = top().schema.metadata
    assert metadata[b"rave.flow.skipped"] == b"2"
    assert b"the capture is cut within it" in metadata[b"rave.flow.first_bad"]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.pcap", b"no capture at all", "is no capture: neither pcap nor pcapng"),
        ("nfcapd.202405141200", b"no NetFlow at all" * 100, "nfdump: .*bad magic"),
    ],
)
def test_what_is_damaged_is_an_error(
    serving: Serve, nfdump: object, tmp_path: Path, name: str, content: bytes, words: str
) -> None:
    """Also where nfdump ends as if nothing were."""
    directory = tmp_path / "flows"
    directory.mkdir()
    (directory / name).write_bytes(content)
    serving(directory)
    with pytest.raises(UnreadableError, match=words):
        rwtotal(rwfilter(), key="protocol")


def test_packets_without_a_flow_are_an_error(serving: Serve, traces: Path, nfdump: object, tmp_path: Path) -> None:
    """Not a capture without traffic."""
    directory = tmp_path / "captures"
    directory.mkdir()
    shutil.copy(traces / "tunnels/gre-aruba.pcap", directory)
    serving(directory)
    with pytest.raises(UnreadableError, match="nfpcapd finds no flows in its 2407 packets"):
        rwtotal(rwfilter(), key="protocol")


def test_a_missing_program_is_named(serving: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what brings it."""
    directory = tmp_path / "flows"
    directory.mkdir()
    (directory / "nfcapd.202405141200").write_bytes(b"x")
    serving(directory)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UnreadableError, match=r"nfdump is needed to read it, and is not installed \(Debian: nfdump\)"):
        rwtotal(rwfilter(), key="protocol")


def test_captures_beside_logs_are_passed_over(
    serving: Serve, zeek: Callable[..., Path], line: Callable[..., str]
) -> None:
    """Their flows may be the same, and would count twice; every answer names them."""
    logs = zeek([line()])
    (logs / "day.pcap").write_bytes(b"x")
    serving(logs)
    table = rwtotal(rwfilter(), key="protocol")
    assert table["records"].to_pylist() == [1]
    assert b"day.pcap (a capture beside other flow files" in table.schema.metadata[b"rave.notes"]


def test_netflow_outside_of_a_window_is_not_read(
    serving: Serve, converted: dict[str, Path], runs: Callable[[str], int], tmp_path: Path
) -> None:
    """Its head says when its flows are."""
    directory = tmp_path / "netflow"
    shutil.copytree(converted["echo-connections.pcap.gz"], directory)
    serving(directory)
    before = runs("flow/steps:ingest")
    with pytest.raises(NothingFoundError, match="they reach from"):
        top(start="2035-01-01")
    assert runs("flow/steps:ingest") == before
    assert top(over="proto")["flows"].to_pylist()[0] > 0
