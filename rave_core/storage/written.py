"""What the body of a file operation wrote: under which suffix, and whether it can be kept."""

from __future__ import annotations

import mimetypes
import os
from functools import cache

from rave_core.errors import ProductError
from rave_core.model import OperationSpec
from rave_core.storage.directory_tree import members

ARCHIVE_TYPE = "application/x-tar"
"""The MIME type of a directory as one file."""

_SUFFIXES = {
    "application/octet-stream": ".bin",
    "application/vnd.apache.arrow.file": ".arrow",
    "application/vnd.apache.arrow.stream": ".arrows",
    "application/vnd.apache.parquet": ".parquet",
    "application/x-ndjson": ".ndjson",
    "application/yaml": ".yaml",
    "image/jpeg": ".jpg",
    "image/tiff": ".tiff",
    "text/markdown": ".md",
    "text/plain": ".txt",
}


@cache
def _types() -> mimetypes.MimeTypes:
    """The standard library's own table: alike on every host."""
    return mimetypes.MimeTypes()


def suffix_of(mime_type: str) -> str:
    """The file suffix of a MIME type, with its dot; ``.bin`` for one that has none."""
    plain = mime_type.partition(";")[0].strip().lower()
    return _SUFFIXES.get(plain) or _types().guess_extension(plain) or ".bin"


def written_file(spec: OperationSpec, path: str) -> str:
    """``path``, where the body wrote a file.

    Raises:
        ProductError: it did not.
    """
    if os.path.isfile(path) and not os.path.islink(path):
        return path
    what = "is not a regular file" if os.path.lexists(path) else "does not exist"
    raise ProductError(
        f"{spec.name} returned, but its output path {what}; a file operation writes to its first argument"
    )


def check_directory(spec: OperationSpec, path: str) -> None:
    """Raises `ProductError` unless the body left a directory at ``path`` that can be kept."""
    if not os.path.isdir(path) or os.path.islink(path):
        what = "is not a directory" if os.path.lexists(path) else "does not exist"
        raise ProductError(
            f"{spec.name} returned, but its output path {what} any more; it is a directory for the body to write in"
        )
    try:
        members(path)
    except ProductError as error:
        raise ProductError(f"{spec.name}: {error}") from None
