"""SiLK's packed files: read by SiLK's rwcut where it is installed, else refused by name.

No package brings SiLK, so a script stands for rwcut: it checks its switches and writes what rwcut would.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from log_texts import left_out
from rave_flow.errors import MissingProgramError, NothingFoundError, UnreadableError
from rave_flow.operations import top
from rave_flow.silk import rwcut, rwfilter

from rave_core import Runtime

Serve = Callable[[Path], Runtime]
Zeek = Callable[..., Path]
Line = Callable[..., str]
FIELDS = (
    "sIP,dIP,sPort,dPort,protocol,packets,bytes,flags,sTime,duration,sensor,class,type,initialFlags,sessionFlags,"
    "application"
)
SHARED = "--timestamp-format=epoch --no-columns --no-final-delimiter"
RWCUT = f"""#!/bin/sh
for last; do :; done
read -r first < "$last"
if [ "$first" != SILK ]; then echo "rwcut: '$last': File is not a SiLK file" >&2; exit 1; fi
case "$*" in
"--fields={FIELDS} {SHARED} --ip-format=canonical --column-separator=, $last") echo "{FIELDS}"; tail -n +2 "$last";;
"--fields=sTime {SHARED} --no-titles $last") tail -n +2 "$last" | cut -d, -f9;;
*) echo "rwcut: unrecognized: $*" >&2; exit 1;;
esac
"""
FLOWS = (
    "SILK\n10.0.0.1,192.0.2.80,4000,443,6,3,180,SA,1715680800.250,0.500,S0,all,outweb,S,A,443\n"
    "2001:db8::1,2001:db8::2,0,32768,58,1,64,,1715680801.000,0.000,S1,all,out,,,0\n"
)


@pytest.fixture
def rwcut_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program of that name on the path."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "rwcut").write_text(RWCUT)
    (folder / "rwcut").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


@pytest.mark.usefixtures("rwcut_there")
def test_packed_files_are_read_by_rwcut(serving: Serve, directory: Path) -> None:
    """Times, flags, the type of ICMP, and SiLK's own columns on request."""
    (directory / "in.rwf").write_text(FLOWS)
    serving(directory)
    asked = "sip,dport,protocol,icmp_type,bytes,flags,duration,sensor,initialflags"
    assert rwcut(rwfilter(), fields=asked).to_pylist() == [
        {"sip": "10.0.0.1", "dport": 443, "protocol": "tcp", "icmp_type": None, "bytes": 180, "flags": "SA",
         "duration": 0.5, "sensor": "S0", "initialflags": "S"},
        {"sip": "2001:db8::1", "dport": None, "protocol": "icmp6", "icmp_type": 128, "bytes": 64, "flags": None,
         "duration": 0.0, "sensor": "S1", "initialflags": None},
    ]  # fmt: skip


@pytest.mark.usefixtures("rwcut_there")
def test_what_rwcut_refuses_is_named(serving: Serve, directory: Path) -> None:
    """Beside a good file it costs itself alone; alone it is an error."""
    (directory / "bad.silk").write_text("nothing\n")
    serving(directory)
    with pytest.raises(UnreadableError, match=r"bad\.silk: rwcut: .*not a SiLK file"):
        top()
    (directory / "good.silk").write_text(FLOWS)
    table = top(over="proto")
    assert sum(table["flows"].to_pylist()) == 2
    assert "not a SiLK file" in left_out(table)["files"]["bad.silk"]


@pytest.mark.usefixtures("rwcut_there")
def test_packed_files_outside_of_a_window_are_not_read(
    serving: Serve, directory: Path, runs: Callable[[str], int]
) -> None:
    """The starts of their flows are enough."""
    (directory / "in.rwf").write_text(FLOWS)
    (directory / "none.rwf").write_text("SILK\n")
    serving(directory)
    before = runs("flow/steps:ingest")
    with pytest.raises(NothingFoundError, match=r"they reach from 2024-05-14 10:00 to 2024-05-14 10:00"):
        top(start="2035-01-01")
    assert runs("flow/steps:ingest") == before + 1  # of the file without flows
    assert sum(top(over="proto", start="2024-05-14T10:00:01")["flows"].to_pylist()) == 1


def test_without_rwcut_the_message_says_what_to_do(
    serving: Serve, zeek: Zeek, line: Line, directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Alone an error; beside other flows it is named as not read."""
    monkeypatch.setenv("PATH", str(tmp_path))
    (directory / "in.rwf").write_text(FLOWS)
    serving(directory)
    with pytest.raises(MissingProgramError, match=r"in\.rwf: rwcut is needed .* \(SiLK; or write it as CSV"):
        top()
    zeek([line()])
    table = top()
    assert table["flows"].to_pylist() == [1]
    assert "rwcut is needed" in left_out(table)["files"]["in.rwf"]
