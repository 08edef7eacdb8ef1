"""The stress: processes that share a cache, are killed and find their code edited. ``python supervisor.py MINUTES``.

Exits with 1 if an answer was wrong, a call failed or one took longer than five seconds.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
PROCESSES = 4
BAD = ("WRONG", "ERROR", "SLOW", "HANGS")
_VALUES = """
class Sized:
    def __init__(self, by):
        self.by = by

    def size(self, n):
        return n * self.by
"""


@dataclass(frozen=True)
class Findings:
    """What a stress found.

    Attributes:
        bad: lines that tell of wrong, failed and slow answers.
        calls, kills, edits: how many there were.
        longest: seconds of the longest round of a process.
    """

    bad: list[str]
    calls: int
    kills: int
    edits: int
    longest: float

    def __str__(self) -> str:
        counts = Counter(line.partition(" ")[0] for line in self.bad)
        told = f"{self.calls} calls, {self.kills} kills, {self.edits} edits, longest round {self.longest:.1f} s"
        return f"{told}; {', '.join(f'{number} {kind}' for kind, number in counts.items()) or 'nothing wrong'}"


def stress(directory: Path, seconds: float, seed: int = 1) -> Findings:
    """Runs for a number of seconds in a directory."""
    chosen = random.Random(seed)
    (directory / "stress_values.py").write_text(_VALUES)
    _edit(directory, 1)
    running = [_start(directory, number) for number in range(PROCESSES)]
    kills, edits, end = 0, 1, time.monotonic() + seconds
    try:
        while time.monotonic() < end:
            time.sleep(chosen.uniform(0.2, 1.5))
            if chosen.random() < 0.5:
                edits += 1
                _edit(directory, edits)
            if chosen.random() < 0.4:
                kills += 1
                place = chosen.randrange(PROCESSES)
                running[place].kill()
                running[place].wait()
                running[place] = _start(directory, 1000 + kills)
    finally:
        (directory / "stop").touch()
        stuck = [each for each in running if not _ends(each)]
    return _findings(directory, kills, edits, [f"HANGS process {each.pid}" for each in stuck])


def _edit(directory: Path, number: int) -> None:
    text = (HERE / "operations.txt").read_text("utf-8").format(number=number)
    draft = directory / "draft"
    draft.write_text(text)
    os.replace(draft, directory / "stress_operations.py")


def _start(directory: Path, seed: int) -> subprocess.Popen[bytes]:
    environ = {
        **os.environ,
        "RAVE_CACHE": f"memory://?max_entries=30 file://{directory}/cache?max_entries=150",
        "RAVE_PRODUCTS": f"file://{directory}/products?max_entries=40",
        "PYTHONDONTWRITEBYTECODE": "1",
        "HOME": str(directory),
        "XDG_CACHE_HOME": f"{directory}/user",
    }
    with open(directory / "errors", "ab") as errors:
        return subprocess.Popen([sys.executable, HERE / "worker.py", directory, str(seed)], env=environ, stderr=errors)


def _ends(process: subprocess.Popen[bytes]) -> bool:
    try:
        return process.wait(60) == 0
    except subprocess.TimeoutExpired:
        process.kill()
        return False


def _findings(directory: Path, kills: int, edits: int, more: list[str]) -> Findings:
    lines = (directory / "log").read_text("utf-8", "replace").splitlines()
    rounds = [line.split() for line in lines if line.startswith("round ")]
    return Findings(
        [line for line in lines if line.startswith(BAD)] + more,
        sum(int(each[2]) for each in rounds),
        kills,
        edits,
        max((float(each[1]) for each in rounds), default=0.0),
    )


def main(minutes: float) -> int:
    """Runs, reports, and gives the exit code."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as directory:
        found = stress(Path(directory), minutes * 60)
        print(found)
        print("\n".join(found.bad[:50]))
        errors = (Path(directory) / "errors").read_text("utf-8", "replace")
        print(errors[-5000:], file=sys.stderr)
    return 1 if found.bad else 0


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1])))
