"""Type checkers see operations as the functions that they were made of (R6)."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

SAMPLE = """
from rave_core import Options, expires, mime_type, op, op_file, typemap, version

@op
def add(a: int, b: int = 2) -> list[str]:
    return [str(a + b)]

@op(name="other", expires="5m", tags=["x"])
@typemap(int)
def other(a: int, *, b: str = "") -> float:
    return 1.0

@mime_type("text/plain")
@version(1)
@op
def above(a: int) -> bytes:
    return b""

@op_file
def draw(out: str, width: int) -> None:
    pass

@op_file(mime_type="image/png")
def picture(out: str, width: int = 3) -> None:
    pass

@op
async def fetch(a: int) -> str:
    return ""

class Sensor:
    @staticmethod
    @op
    def static(a: int) -> str:
        return ""

async def main() -> None:
    reveal_type(add(1))                                        # list[str]
    reveal_type(add)                                           # Operation[[a: int, b: int =], list[str]]
    reveal_type(add.resolve(1).value)                          # list[str]
    reveal_type(add.answering(Options(refresh=True))(1, b=2))  # list[str]
    reveal_type(other(1, b="x"))                               # float
    reveal_type(above(1))                                      # bytes
    reveal_type(draw(3))                                       # str
    reveal_type(picture(width=3))                              # str
    reveal_type(await fetch(1))                                # str
    reveal_type(Sensor().static(1))                            # str
    reveal_type(add.function(1))                               # Any

add("x")             # error: [arg-type]
add(1, 2, 3)         # error: [call-arg]
add(c=1)             # error: [call-arg]
draw("out", 3)       # error: [call-arg]
draw.resolve("x")    # error: [arg-type]
op(expire="5m")      # error: [call-overload]
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[int, str]:
    """What mypy says of each line of the sample, in strict mode, of the installed package."""
    path = tmp_path_factory.mktemp("typing")
    (path / "sample.py").write_text(SAMPLE)
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--hide-error-context", "sample.py"]
    done = subprocess.run(command, cwd=path, capture_output=True, text=True)
    found: dict[int, str] = {}
    for line in done.stdout.splitlines():
        match = re.match(r"sample\.py:(\d+): (.*)", line)
        assert match, done.stdout + done.stderr
        found[int(match[1])] = found.get(int(match[1]), "") + match[2]
    return found


LINES = {number: line for number, line in enumerate(SAMPLE.splitlines(), 1) if "# " in line}


@pytest.mark.parametrize("number", LINES, ids=lambda number: LINES[number].partition("#")[0].strip())
def test_a_line_has_the_type_or_error_that_it_should(told: dict[int, str], number: int) -> None:
    """The comment behind it says which."""
    wanted = LINES[number].partition("# ")[2]
    said = told.get(number, "nothing").replace("builtins.", "").replace("rave_core.operations.operation.", "")
    if wanted.startswith("error: "):
        assert said.startswith("error:")
        assert wanted.removeprefix("error: ") in said
    else:
        assert f'Revealed type is "{wanted}"' in said


def test_nothing_else_is_said(told: dict[int, str]) -> None:
    """Decorating is clean under ``--strict``: no untyped decorator, nothing to ignore."""
    assert {number: said for number, said in told.items() if number not in LINES} == {}
