"""An operation that makes a directory, and what is in it."""

from __future__ import annotations

import os
from pathlib import Path

from rave_core import op_file

MADE = {"pages/0/index.html": "page 0", "pages/1/index.html": "page 1", "serve": "#!/bin/sh\necho served"}


@op_file(kind="directory", version=1)
def site(out, pages=2):
    """Writes a few pages and a program."""
    print("site", out)
    for number in range(pages):
        Path(out, "pages", str(number)).mkdir(parents=True)
        Path(out, "pages", str(number), "index.html").write_text(f"page {number}")
    Path(out, "empty").mkdir()
    Path(out, "serve").write_text("#!/bin/sh\necho served")
    Path(out, "serve").chmod(0o755)
    return "ignored"


def contents(path: str) -> dict[str, str]:
    """The files in a directory, by their relative names."""
    root = Path(path)
    return {f"{file.relative_to(root)}": file.read_text() for file in root.rglob("*") if file.is_file()}


def age(path: Path, seconds: float) -> None:
    """Makes it look as if it had been put, or used, ``seconds`` ago: a store has a clock of its own."""
    status = path.stat()
    os.utime(path, (status.st_atime - seconds, status.st_mtime - seconds))
