"""Small logs, read many at a time: opening each alone would cost more than its content."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b, sha256
from os.path import basename, dirname

from rave_flow.errors import ChangedError, FlowError
from rave_flow.formats.compression import opened
from rave_flow.formats.file_names import Form
from rave_flow.formats.sections import sections
from rave_flow.formats.source_directory import SourceFile, form_of

SMALL = 256 << 10
"""The most bytes of a file, as stored, that is read together with others."""

MOST_FILES, MOST_BYTES = 1024, 16 << 20
"""The most bytes of all files that are read together."""

_CUT = 256
"""One name in this many ends a group, so that a new file changes one group and not all later ones."""

LARGEST = 8 << 20
"""The most bytes of a small file when unpacked: zip bombs are read as single files."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """Small logs that are read together; it counts by their content, regardless of their names.

    Attributes:
        digest: of everything that affects their reading, in their order.
    """

    files: tuple[SourceFile, ...]
    digest: str

    def __rave_key__(self) -> str:
        """What represents the bundle in a key."""
        return self.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    @property
    def path(self) -> str:
        """The path of the first of them, which identifies the bundle."""
        return self.files[0].path

    def content(self) -> Iterator[tuple[SourceFile, bytes]]:
        """Each file with its bytes.

        Raises:
            ChangedError: the bytes changed since the files were put together.
        """
        total = sha256()
        for file in self.files:
            content = whole(file)
            total.update(digest_of(file, content))
            yield file, content
        if total.hexdigest() != self.digest:
            raise ChangedError(f"{self.path} or one of the logs beside it changed while they were read; ask again")


def groups(files: Iterable[SourceFile]) -> list[tuple[SourceFile, ...]]:
    """The files in order, with small ones in one folder as groups."""
    found: list[tuple[SourceFile, ...]] = []
    held: list[SourceFile] = []
    size = 0
    for file in files:
        is_small = file.size <= SMALL and form_of(file) is Form.ZEEK
        is_full = len(held) == MOST_FILES or size + file.size > MOST_BYTES
        if held and (not is_small or is_full or dirname(held[-1].path) != dirname(file.path)):
            found.append(tuple(held))
            held, size = [], 0
        if not is_small:
            found.append((file,))
            continue
        held.append(file)
        size += file.size
        if blake2b(basename(file.path).encode("utf-8", "surrogateescape"), digest_size=4).digest()[0] % _CUT == 0:
            found.append(tuple(held))
            held, size = [], 0
    return [*found, tuple(held)] if held else found


def bundled(files: Sequence[SourceFile]) -> Bundle | None:
    """The small files that can be read together; ``None`` if there are fewer than two.

    They are logs with a ``uid``, which identifies a connection found in two of them, and with one head. Others, and
    those that can't be read, are read alone.
    """
    total, chosen = sha256(), []
    for file in files:
        try:
            content = whole(file)
            heads = {section.head for section in sections(file.path, [content])}
            if len(heads) > 1 or "uid" not in heads.pop().fields:
                continue
        except (FlowError, OSError):
            continue
        chosen.append(file)
        total.update(digest_of(file, content))
    return Bundle(tuple(chosen), total.hexdigest()) if len(chosen) > 1 else None


def whole(file: SourceFile) -> bytes:
    """All bytes of a small file, unpacked.

    Raises:
        FlowError: it can't be read, or is larger than it looks.
    """
    with opened(file) as source:
        parts: list[bytes] = []
        size = 0
        while chunk := source.read(1 << 20):
            parts.append(chunk)
            size += len(chunk)
            if size > LARGEST:
                raise ChangedError(f"{file.path} holds more than its size says")
        return b"".join(parts)


def digest_of(file: SourceFile, content: bytes) -> bytes:
    """What one file adds to the digest of a bundle."""
    return sha256(f"{form_of(file).value}:{len(content)}:".encode() + content).digest()
