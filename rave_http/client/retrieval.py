"""Retrieval: brings a product into memory, a stream, or a file."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import IO, Final

import requests

from rave_http.client.ask import Ask
from rave_http.client.download import Download
from rave_http.client.names import stem_of, suffix_of
from rave_http.client.part_file import PartFile
from rave_http.client.product import Product, product_of
from rave_http.client.pursuit import Pursuit
from rave_http.client.sinks import Facts, MemorySink, Sink, StreamSink

_OPEN: Final = ("/dev/fd/", "/dev/std", "/proc/self/fd/")


def into_memory(pursuit: Pursuit, response: requests.Response | None = None) -> Product:
    """The product with its bytes.

    Args:
        pursuit: of the product.
        response: the answer that holds it, if there is one already.

    Raises:
        ClientError: the product is not available.
    """
    sink = MemorySink()
    download = Download(pursuit, sink)
    download.run(response)
    return _product(pursuit, download, sink, body=bytes(sink.content))


def into_stream(pursuit: Pursuit, stream: IO[bytes], *, check: Callable[[Facts], object] | None = None) -> Product:
    """The product; its bytes go to ``stream`` as they arrive.

    Args:
        pursuit: of the product.
        stream: takes the bytes.
        check: sees what will come before any of it, and may refuse it by raising.

    Raises:
        ClientError: the product is not available, or it changed after a part of it was written.
        OSError: the stream can't take it.
    """
    sink = StreamSink(stream, check=check)
    download = Download(pursuit, sink)
    download.run()
    return _product(pursuit, download, sink)


def into_file(pursuit: Pursuit, target: str | os.PathLike[str], ask: Ask, *, resume: bool) -> Product:
    """The product in a file, which is replaced atomically at the end.

    Args:
        pursuit: of the product.
        target: the file. In a directory a name is chosen, from the operation and the media type. A device or pipe
            takes the bytes as they come.
        ask: identifies the request; downloads of other requests are not resumed.
        resume: whether to resume an interrupted download, and to keep a partial file for the next run.

    Raises:
        ClientError: the product is not available; the bytes received so far stay for the next run.
        OSError: the file can't be written.
    """
    is_directory = os.path.isdir(target)
    path = Path(target, stem_of(ask.url)) if is_directory else Path(os.path.realpath(target))
    if not is_directory and _is_open_ended(target, path):
        with open(target, "wb") as stream:
            return into_stream(pursuit, stream)
    part = PartFile(path, _identity(ask), resume=resume)
    try:
        download = Download(pursuit, part)
        download.run()
        if is_directory:
            path = path.with_name(path.name + suffix_of(part.facts.media_type))
        found = _product(pursuit, download, part, path=path if is_directory else Path(target))
        part.commit(path)
        return found
    finally:
        part.leave()


def _is_open_ended(target: str | os.PathLike[str], path: Path) -> bool:
    """Whether it is a device, a pipe or an open descriptor, which can't be replaced."""
    return os.path.abspath(target).startswith(_OPEN) or (path.exists() and not path.is_file())


def _product(
    pursuit: Pursuit, download: Download, sink: Sink, *, path: Path | None = None, body: bytes | None = None
) -> Product:
    key = pursuit.record.key if pursuit.record is not None else ""
    return product_of(sink.facts, download.headers, sink.size, key=key, path=path, body=body)


def _identity(ask: Ask) -> str:
    """The identity of a request."""
    plain = ask.without_refresh()
    parts = (plain.url.encode(), plain.headers.get("Accept", "").encode(), plain.body or b"")
    return hashlib.sha256(b"\n".join(b"%d:%b" % (len(part), part) for part in parts)).hexdigest()
