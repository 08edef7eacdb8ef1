"""mypy and pyright agree about operations: neither complains of right uses, and both refuse the wrong ones."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SAMPLES = ("right_uses.py", "wrong_uses.py")


def _mypy(directory: Path) -> set[tuple[str, int]]:
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", *SAMPLES]
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True)
    found = re.findall(r"^(\w+\.py):(\d+): error", done.stdout, re.MULTILINE)
    return {(name, int(line)) for name, line in found}


def _pyright(directory: Path) -> set[tuple[str, int]]:
    command = [sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable, *SAMPLES]
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True)
    if not done.stdout.startswith("{"):
        pytest.skip(f"pyright can't be started here: {done.stderr.strip()[-200:]}")
    told = json.loads(done.stdout)["generalDiagnostics"]
    errors = [each for each in told if each["severity"] == "error"]
    return {(Path(each["file"]).name, each["range"]["start"]["line"] + 1) for each in errors}


@pytest.mark.slow
@pytest.mark.parametrize("check", [_mypy, _pyright])
def test_a_checker_refuses_the_wrong_uses_and_no_others(check: object, tmp_path: Path) -> None:
    """Functions, methods, class and static methods, properties, coroutines, and `resolve` and options of each."""
    for name in SAMPLES:
        (tmp_path / name).write_text((HERE / name).read_text("utf-8"), "utf-8")
    lines = (HERE / "wrong_uses.py").read_text("utf-8").splitlines()
    wrong = {("wrong_uses.py", number) for number, line in enumerate(lines, 1) if line.endswith("# wrong")}
    assert check(tmp_path) == wrong  # type: ignore[operator]  # one of the two above
