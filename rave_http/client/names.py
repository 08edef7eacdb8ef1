"""Names of files for products: from the operation and the media type."""

from __future__ import annotations

import mimetypes
import re
from typing import Final
from urllib.parse import unquote, urlsplit

from rave_http.client.record import PRODUCTS

_SUFFIXES: Final = {
    "application/json": ".json",
    "application/vnd.apache.arrow.file": ".arrow",
    "application/vnd.apache.arrow.stream": ".arrows",
    "application/vnd.apache.parquet": ".parquet",
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "image/svg+xml": ".svg",
    "text/csv": ".csv",
    "text/html": ".html",
    "text/plain": ".txt",
}
"""Where the tables of the system differ, or have none."""

_UNSAFE = re.compile(r"[^\w.+@,=-]+")


def stem_of(url: str) -> str:
    """A name without suffix for the product at ``url``, as in ``flow-top``; never empty, never hidden."""
    path = urlsplit(url).path
    _, found, key = path.partition(PRODUCTS)
    # Of a key the last two parts are its version and arguments.
    words = key.strip("/").split("/")[:-2] if found else path.strip("/").split("/")[-2:]
    name = _UNSAFE.sub("-", "-".join(map(unquote, words))).strip("-.")
    return name[:100] or "product"


def suffix_of(media_type: str) -> str:
    """The suffix of files of a media type; empty for one that has none."""
    kind = media_type.partition(";")[0].strip().lower()
    return _SUFFIXES.get(kind) or (mimetypes.guess_extension(kind) or "" if kind != "application/octet-stream" else "")
