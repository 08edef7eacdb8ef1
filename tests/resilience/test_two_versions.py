"""Two versions of one file at work on one cache: each gets its own results."""

from __future__ import annotations

import os
import shutil

ANALYSIS = """
from rave_core import op, op_file

@op
def rate(n):
    log(f"{LABEL} rate {n}")
    return helper(n)

@op
def total(n):
    return [LABEL] + [rate(i) for i in range(n)]

@op_file(mime_type="text/plain")
def page(out, n):
    log(f"{LABEL} page {n}")
    with open(out, "w") as file:
        file.write(f"{LABEL} {n}")

def helper(n):
    return n * FACTOR
"""

RUNNER = """
sys.path.insert(0, sys.argv[1])
import builtins
builtins.log = log
import analysis
print("ready", flush=True)
for line in sys.stdin:
    n = int(line)
    print(analysis.rate(n), analysis.total(3), open(analysis.page(n)).read(), flush=True)
"""


def _write(directory, label, factor):
    directory.mkdir(exist_ok=True)
    (directory / "analysis.py").write_text(f"LABEL, FACTOR = {label!r}, {factor}\n{ANALYSIS}")


def _runner(start, directory):
    process = start(RUNNER, directory, PYTHONDONTWRITEBYTECODE="1")
    assert process.stdout.readline() == "ready\n"

    def ask(n):
        process.stdin.write(f"{n}\n")
        process.stdin.flush()
        return process.stdout.readline().strip()

    return ask


def test_each_version_gets_its_own_results(start, log, tmp_path):
    """Two processes with different code for one name take turns over one cache, and never see each other's values."""
    _write(tmp_path / "one", "one", 10)
    _write(tmp_path / "two", "two", 100)
    one, two = _runner(start, tmp_path / "one"), _runner(start, tmp_path / "two")
    for _ in range(2):
        for n in (3, 4):
            assert one(n) == f"{n * 10} ['one', 0, 10, 20] one {n}"
            assert two(n) == f"{n * 100} ['two', 0, 100, 200] two {n}"
    assert len(log()) == len(set(log())) == 14


def test_an_edit_under_a_running_process_changes_the_new_one_only(start, log, tmp_path):
    """The old process goes on with the code that it loaded; going back to the old file finds its results again."""
    place = tmp_path / "place"
    _write(place, "old", 10)
    old = _runner(start, place)
    assert old(3) == "30 ['old', 0, 10, 20] old 3"
    _write(place, "new", 100)
    new = _runner(start, place)
    assert new(3) == "300 ['new', 0, 100, 200] new 3"
    assert old(4) == "40 ['old', 0, 10, 20] old 4"
    assert new(4) == "400 ['new', 0, 100, 200] new 4"
    _write(place, "old", 10)
    runs = len(log())
    again = _runner(start, place)
    assert again(3) == "30 ['old', 0, 10, 20] old 3"
    assert again(4) == "40 ['old', 0, 10, 20] old 4"
    assert len(log()) == runs


def test_a_touched_or_copied_file_keeps_its_results(start, log, tmp_path):
    """The same content elsewhere, and with another time, is the same version."""
    _write(tmp_path / "one", "one", 10)
    answer = _runner(start, tmp_path / "one")(3)
    runs = len(log())
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    os.utime(tmp_path / "two" / "analysis.py", (1, 1))
    assert _runner(start, tmp_path / "two")(3) == answer
    assert len(log()) == runs
