"""§8: an operation that writes a file gets its path first, and its caller gets the path back."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import check_call

import pytest

from rave_core import mime_type, op_file

pytestmark = pytest.mark.usefixtures("runtime")
Ran = Callable[[], list[str]]

CONVERT = """
import sys
out, source, size = sys.argv[1:]
open(out, "wb").write(open(source, "rb").read() + size.encode())
"""


@op_file
@mime_type("image/png")
def thumbnail(out_file, input_file, width, height):
    """A thumbnail, made by an outside tool."""
    print("Executing thumbnail")
    check_call([sys.executable, "-c", CONVERT, out_file, input_file, f"{width}x{height}"])
    return "ignored"


@pytest.fixture
def image(tmp_path: Path) -> str:
    """A large image, or something that passes for one."""
    path = tmp_path / "file.png"
    path.write_bytes(b"\x89PNG ")
    return str(path)


def test_the_caller_leaves_the_output_path_out_and_gets_it_back(image: str, ran: Ran) -> None:
    """The returned name is that of a file with what the function wrote, and the tool saw a ``.png``."""
    new_file = thumbnail(image, 100, 100)
    assert Path(new_file).read_bytes() == b"\x89PNG 100x100"
    assert new_file.endswith(".png")
    assert ran() == ["Executing thumbnail"]


def test_the_file_is_kept(image: str, ran: Ran) -> None:
    """The second call gives the same file and starts no tool."""
    assert thumbnail(image, 100, 100) == thumbnail(image, 100, 100)
    assert ran() == ["Executing thumbnail"]
    assert Path(thumbnail(image, 50, 50)).read_bytes() == b"\x89PNG 50x50"
    assert ran() == ["Executing thumbnail"]


def test_what_the_function_returns_is_ignored(image: str) -> None:
    """The call returns a path whatever the body returned."""
    assert isinstance(thumbnail(image, 1, 1), str)
    assert thumbnail(image, 1, 1) != "ignored"
