from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rave_core.errors import ConfigurationError
from rave_http.process.pid_file import PidFile

CLAIM = """
import sys
from rave_core.errors import ConfigurationError
from rave_http.process.pid_file import PidFile
file = PidFile(sys.argv[1])
sys.stdin.readline()
try:
    file.claim()
except ConfigurationError as error:
    print(error, flush=True)
else:
    print("claimed", flush=True)
    sys.stdin.readline()
    file.release()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the PID file is."""
    return tmp_path / "raved.pid"


@pytest.fixture
def sleeper() -> Iterator[int]:
    """The ID of a process that lives."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process.pid
        process.kill()


def test_the_file_has_the_process_id_while_it_is_held(path: Path) -> None:
    """Readable for everybody, whole, and with nothing beside it; it is gone afterwards."""
    file = PidFile(path)
    file.claim()
    assert path.read_text() == f"{os.getpid()}\n"
    assert path.stat().st_mode & 0o777 == 0o644
    assert list(path.parent.iterdir()) == [path]
    file.release()
    file.release()
    assert not path.exists()


def test_a_held_file_is_refused_with_its_process_id(path: Path) -> None:
    """To another claim and to a check alike, and it stays as it is."""
    file = PidFile(path)
    file.claim()
    for attempt in (PidFile(path).claim, PidFile(path).check):
        with pytest.raises(ConfigurationError, match=f"raved already runs as pid {os.getpid()} "):
            attempt()
    assert path.read_text() == f"{os.getpid()}\n"
    file.release()


def test_a_file_of_a_dead_process_is_replaced(path: Path) -> None:
    """And so is one whose ID this very process got, as in a container, where IDs repeat."""
    for pid in (2**22 - 1, os.getpid()):
        path.write_text(f"{pid}\n")
        file = PidFile(path)
        file.check()
        file.claim()
        assert path.read_text() == f"{os.getpid()}\n"
        file.release()


def test_a_file_of_a_living_process_without_the_lock_is_refused(path: Path, sleeper: int) -> None:
    """It may have been written on a file system that has no locks."""
    path.write_text(str(sleeper))
    with pytest.raises(ConfigurationError, match=f"already runs as pid {sleeper} "):
        PidFile(path).claim()


def test_a_process_that_is_younger_than_the_file_did_not_write_it(path: Path, sleeper: int) -> None:
    """It got the ID of one that died, as happens after the machine started anew."""
    path.write_text(str(sleeper))
    os.utime(path, (time.time() - 3600,) * 2)
    file = PidFile(path)
    file.claim()
    file.release()


def test_a_file_that_is_none_is_left_alone(path: Path) -> None:
    """Whoever names the wrong file does not lose it."""
    path.write_text("root:x:0:0\n")
    with pytest.raises(ConfigurationError, match="is not a PID file: it does not hold a number"):
        PidFile(path).claim()
    assert path.read_text() == "root:x:0:0\n"


def test_a_place_that_can_not_be_written_is_told(tmp_path: Path) -> None:
    """Before anything is started."""
    with pytest.raises(ConfigurationError, match="can't be written: there is no directory"):
        PidFile(tmp_path / "no" / "raved.pid").check()
    with pytest.raises(ConfigurationError, match=r"can't be (read|written)"):
        PidFile(tmp_path).check()


@pytest.mark.parametrize("is_stale", [False, True])
def test_of_many_that_claim_it_at_once_one_gets_it(path: Path, is_stale: bool) -> None:
    """Whether there is a stale file or none; all others learn who got it."""
    if is_stale:
        path.write_text("4194303\n")
    command = [sys.executable, "-c", CLAIM, str(path)]
    many = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) for _ in range(6)
    ]
    for process in many:
        assert process.stdin is not None
        process.stdin.write("go\n")
    answers = {process.pid: process.stdout.readline().strip() for process in many if process.stdout is not None}
    (winner,) = [pid for pid, answer in answers.items() if answer == "claimed"]
    assert path.read_text() == f"{winner}\n"
    assert all(f"already runs as pid {winner} " in answer for pid, answer in answers.items() if pid != winner)
    for process in many:
        process.communicate("done\n" if process.pid == winner else None)
    assert not path.exists()


LEAVE = """
import os, sys
from rave_core.errors import ConfigurationError
from rave_http.process.pid_file import PidFile
file = PidFile(sys.argv[1])
file.claim()
child = os.fork()
if not child:
    file.leave()
    file.release()
    os._exit(0)
os.waitpid(child, 0)
try:
    PidFile(sys.argv[1]).check()
except ConfigurationError as error:
    print(error)
"""


def test_a_child_that_leaves_the_file_does_not_give_it_up(path: Path, run_python: Callable[..., str]) -> None:
    """A worker lets go of it, and the service still holds it; nor does the worker's end remove it."""
    assert "raved already runs as pid" in run_python("-c", LEAVE, str(path))
