"""The files that pages load: their addresses, which hold the digest of their content, and that content."""

from __future__ import annotations

from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Final

STATIC: Final = "/-/static/"
TYPES: Final = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"}
"""The media types of the files, by their suffix."""
PART: Final = "part"
"""The parameter by which ``live.js`` asks for what changes of a page: it comes without styles and scripts."""
_FOLDER: Final = Path(__file__).parent / "static"


@cache
def static_files() -> dict[str, bytes]:
    """The content of every file, by its name."""
    return {path.name: path.read_bytes() for path in _FOLDER.iterdir() if path.suffix in TYPES}


@cache
def static_path(name: str) -> str:
    """The path of a file. Other content has another path, so that a browser may keep it for ever.

    Raises:
        KeyError: there is no such file.
    """
    digest = blake2b(static_files()[name], digest_size=8).hexdigest()
    return f"{STATIC}{digest}/{name}"


def static_text(name: str) -> str:
    """The content of a file as text.

    Raises:
        KeyError: there is no such file.
    """
    return static_files()[name].decode()
