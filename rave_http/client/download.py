"""The download of one product into a sink: continued by range when it is interrupted, and checked at its end."""

from __future__ import annotations

import base64
import binascii
import re
from contextlib import closing
from dataclasses import replace
from typing import Final

import requests

from rave_http.client.deadline import backoff
from rave_http.client.errors import ClientError, ConnectionFailed, UnexpectedAnswer
from rave_http.client.progress import Phase, Progress
from rave_http.client.pursuit import Pursuit
from rave_http.client.sinks import Facts, Sink
from rave_http.client.transport import logger, read_some

_AT_ONCE: Final = 1 << 16
_MOST_TRIES: Final = 5
_WORTH_IT: Final = 1 << 20
"""After this many bytes, the count of dropped connections starts over."""

_RANGE = re.compile(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)\Z")
_DIGEST = re.compile(r"sha-(256|512)=:([A-Za-z0-9+/=]+):")


class Download:
    """One product on its way into a sink. For one thread."""

    def __init__(self, pursuit: Pursuit, sink: Sink) -> None:
        """Gets what ``pursuit`` pursues; resumes if the sink already holds its beginning."""
        self._pursuit = pursuit
        self._sink = sink
        self._headers: requests.structures.CaseInsensitiveDict[str] = requests.structures.CaseInsensitiveDict()
        self._tries = 0
        self._size_at_first = 0
        self._was_damaged = False

    @property
    def headers(self) -> requests.structures.CaseInsensitiveDict[str]:
        """Those of the last answer."""
        return self._headers

    def run(self, response: requests.Response | None = None) -> None:
        """Gets all of it.

        Args:
            response: the answer that holds it, if there is one already.

        Raises:
            ClientError: the product is not available.
            OSError: the sink can't store it.
        """
        while True:
            try:
                if self._get(response) and not self._is_damaged():
                    return
            except _Interrupted as error:
                self._bear(error.reason)
            response = None
            self._pursuit.tell(Progress(text="continuing", phase=Phase.RETRYING))
            self._pursuit.limits.total.pause(backoff(self._tries))

    def _get(self, response: requests.Response | None) -> bool:
        """Asks for the missing bytes and takes what comes. Returns whether the product is complete."""
        sink = self._sink
        wanted = {"Range": f"bytes={sink.size}-", "If-Range": sink.facts.etag} if sink.can_go_on else {}
        if response is None:
            response = self._pursuit.response(wanted)
        self._headers = response.headers
        with closing(response):
            if response.status_code == 416:
                return self._is_complete(response)
            if response.status_code == 206 and not self._continues(response):
                # The product has changed, or the answer does not match: ask for all of it.
                sink.forget()
                return False
            if response.status_code != 206:
                sink.begin(_facts(response))
            self._take(response)
        return True

    def _take(self, response: requests.Response) -> None:
        sink, total = self._sink, self._sink.facts.total
        self._tell()
        while True:
            if self._pursuit.limits.total.passed:
                raise self._pursuit.late()
            try:
                part = read_some(response, _AT_ONCE)
            except ConnectionFailed as error:
                raise _Interrupted(error) from error
            if not part:
                break
            sink.write(part)
            self._tell()
        if total is not None and sink.size != total:
            raise _Interrupted(ConnectionFailed(f"{sink.size} bytes came instead of {total}", was_cut=True))

    def _is_complete(self, response: requests.Response) -> bool:
        """Whether the product is complete, so that the range lies behind the end."""
        found = _RANGE.match(response.headers.get("Content-Range", ""))
        total = int(found[2]) if found and found[2] != "*" else self._sink.facts.total
        if total == self._sink.size:
            return True
        self._sink.forget()
        return False

    def _continues(self, response: requests.Response) -> bool:
        """Whether a partial answer continues the same product where the sink ends."""
        found = _RANGE.match(response.headers.get("Content-Range", ""))
        if found is None or not found[1] or int(found[1]) != self._sink.size:
            return False
        facts = self._sink.facts
        if response.headers.get("ETag", facts.etag) != facts.etag or response.headers.get("Content-Encoding"):
            return False
        if found[2] != "*":
            self._sink.facts = replace(facts, total=int(found[2]))
        return True

    def _bear(self, error: ConnectionFailed) -> None:
        """Counts an interruption. Raises it after too many without much progress."""
        if self._tries == 0 or self._sink.size - self._size_at_first >= _WORTH_IT:
            self._tries, self._size_at_first = 0, self._sink.size
        self._tries += 1
        if self._tries >= _MOST_TRIES:
            raise ConnectionFailed(f"{error}, {self._tries} times", was_cut=True) from error
        logger.debug("interrupted after %d bytes: %s", self._sink.size, error)

    def _is_damaged(self) -> bool:
        """Whether the bytes differ from the service's digest. The second time, it is an error."""
        found = _DIGEST.search(self._headers.get("Repr-Digest", ""))
        if found is None or self._headers.get("Content-Encoding"):
            return False
        actual = self._sink.digest(f"sha{found[1]}")
        if actual is None or actual == _decoded(found[2]):
            return False
        if self._was_damaged:
            raise UnexpectedAnswer("the product does not have the digest that the service says it has")
        self._was_damaged = True
        self._sink.forget()
        return True

    def _tell(self) -> None:
        facts = self._sink.facts
        self._pursuit.tell(Progress(self._sink.size, facts.total, phase=Phase.DOWNLOADING))


class _Interrupted(ClientError):
    """The connection was cut in the middle of the body."""

    def __init__(self, reason: ConnectionFailed) -> None:
        super().__init__(str(reason))
        self.reason = reason


def _facts(response: requests.Response) -> Facts:
    headers = response.headers
    # The ranges and lengths of a compressed body differ from those of its decompressed bytes.
    is_plain = headers.get("Content-Encoding", "identity") == "identity"
    etag, length = headers.get("ETag", ""), headers.get("Content-Length", "")
    return Facts(
        url=response.url,
        etag=etag if is_plain and etag.startswith('"') else "",
        media_type=headers.get("Content-Type", ""),
        total=int(length) if is_plain and length.isdecimal() else None,
    )


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        return b""
