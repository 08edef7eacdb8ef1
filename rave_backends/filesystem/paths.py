"""Where each key lies below the root of a filesystem cache.

operation/version/a/args.rave      the frame; ``a`` is the first character of ``args``: one of 32
operation/version/a/<name>         a product, beside its frame
operation/version/a/.inventory     what is already counted of the frames' headers
.rave/unpacked/<name>              the unpacked copy of a product that is an archive
.rave/                             what belongs to the store: no key has a part that starts with a dot
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache

from rave_backends.filesystem.rooted_files import RootedFiles
from rave_core.backend import StoreURL
from rave_core.errors import BackendError, ConfigurationError, ProductError
from rave_core.model import Entry

SUFFIX = ".rave"
INVENTORY = ".inventory"
COPIES = "unpacked"
_ARCHIVE = ".tar"
_LAST = chr(0x10FFFF)


@dataclass(frozen=True, slots=True)
class Leaf:
    """One directory in which frames lie.

    Attributes:
        frames: the names of the frames, with the numbers of their files (inodes).
        others: the names of the other files, which are products, and of what is no file.
    """

    path: str
    frames: dict[str, int] = field(default_factory=dict)
    others: list[str] = field(default_factory=list)


class Tree:
    """Maps the text of a key to paths below ``root``, and back."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.files = RootedFiles(root)
        self.control = f"{root}/.rave"

    def frame(self, key: str) -> str:
        """The path of the frame of ``key``.

        Raises:
            BackendError: ``key`` would lead out of the tree, or a part of it is empty or too long for a file name.
        """
        return f"{self.root}/{_frame(key)}"

    def product(self, key: str, name: str) -> str:
        """The path of the product ``name`` of ``key``.

        Raises:
            ProductError: ``name`` is not a plain file name allowed beside frames.
        """
        if not _is_product(name):
            raise ProductError(
                f"{key}: {name!r} can't be the name of a product: expected a file name, "
                f"without '/', not starting with a dot, not ending in {SUFFIX}"
            )
        return f"{self.frame(key).rpartition('/')[0]}/{name}"

    def product_of(self, frame: str, entry: Entry, info: os.stat_result) -> tuple[str, os.stat_result] | None:
        """The product that the unchecked entry in the file ``frame`` names: path and status.

        ``None`` if it names none, or something that a forged entry could name: only a plain file beside the frame, with
        the same owner, counts as its product.
        """
        if entry.product is None or not _is_product(entry.product):
            return None
        path = f"{frame.rpartition('/')[0]}/{entry.product}"
        try:
            status = self.files.status(path)
        except OSError:
            return None
        return (path, status) if stat.S_ISREG(status.st_mode) and status.st_uid == info.st_uid else None

    def bytes_of(self, product: str, info: os.stat_result) -> int:
        """The bytes that a product takes, its unpacked copy here included."""
        copy = self.copy(product)
        return info.st_size * (2 if copy is not None and self.files.exists(copy) else 1)

    def copy(self, product: str) -> str | None:
        """The path in the cache of the unpacked copy of a product; ``None`` if the product is no archive."""
        name = copy_name(os.path.basename(product))
        return None if name is None else f"{self.control}/{COPIES}/{name}"

    def key(self, directory: str, name: str) -> str | None:
        """The key whose frame is ``name`` in ``directory``, or ``None`` if no frame can be there."""
        head, _, shard = directory[len(self.root) + 1 :].rpartition("/")
        last = name[: -len(SUFFIX)]
        if not last or not name.endswith(SUFFIX) or last[:1] != shard:
            return None
        return f"{head}/{last}" if head else last

    def keys(self, prefix: str) -> Iterator[str]:
        """The keys that start with ``prefix``, in no order. Skips directories that can't hold any."""
        for leaf in self.below(prefix):
            for name in leaf.frames:
                key = self.key(leaf.path, name)
                if key is not None and key.startswith(prefix):
                    yield key

    def below(self, prefix: str) -> Iterator[Leaf]:
        """The directories that may hold keys that start with ``prefix``."""
        if not prefix.startswith((".", "/")) and not any(part in prefix for part in ("/.", "//", "\0")):
            whole, slash, _ = prefix.rpartition("/")
            yield from self.leaves(f"{self.root}/{whole}" if slash else self.root, prefix)

    def leaves(
        self, top: str | None = None, prefix: str = "", *, prune: bool = False, after: str = ""
    ) -> Iterator[Leaf]:
        """Every directory below ``top`` that holds a file, and may hold keys that start with ``prefix``.

        They are sorted by name, each directory after those below it. ``prune`` removes empty ones on the way. Skips
        those up to the directory ``after``, which may no longer exist.
        """
        top = top or self.root
        leaf, below = self.look_into(top)
        for path in sorted(below):
            # The last part of a directory is part of a key's head, or the beginning of its last part. Either way, a key
            # below it starts with the directory's path.
            text = path[len(self.root) + 1 :]
            if text.startswith(prefix[: len(text)]) and _is_after(path, after):
                yield from self.leaves(path, prefix, prune=prune, after=after)
        if leaf.frames or leaf.others:
            yield leaf
        elif prune and not below:
            self.files.remove(f"{top}/{INVENTORY}")
        if prune and top != self.root:
            with suppress(OSError):  # unless something is in it, perhaps only just now
                self.files.rmdir(top)

    def look_into(self, path: str) -> tuple[Leaf, list[str]]:
        """The files of a directory, and the directories in it; nothing if it is gone."""
        leaf, below = Leaf(path), []
        try:
            with self.files.directory(path) as directory, os.scandir(directory) as found:
                for item in found:
                    if item.name.startswith("."):
                        continue
                    if item.is_dir(follow_symlinks=False):
                        below.append(f"{path}/{item.name}")
                    elif path == self.root:  # CACHEDIR.TAG, and anything that a person put there
                        continue
                    elif item.name.endswith(SUFFIX) and item.is_file(follow_symlinks=False):
                        leaf.frames[item.name] = item.inode()
                    else:
                        leaf.others.append(item.name)
        except (FileNotFoundError, NotADirectoryError):
            pass  # gone since
        return leaf, below


@lru_cache(maxsize=1024)
def _frame(key: str) -> str:
    """The path of the frame of ``key`` below the root. Remembered for a while, since a miss asks for it three times."""
    head, slash, last = key.rpartition("/")
    if key[:1] in ("", ".", "/") or "/." in key or "//" in key or not last or "\0" in key:
        raise BackendError(f"{key!r} is not a key; expected parts joined by '/', none empty or starting with a dot")
    return f"{head}{slash}{last[:1]}/{last}{SUFFIX}"


def _is_after(path: str, other: str) -> bool:
    """Whether ``path``, or anything below it, comes after the directory ``other`` in the order of ``leaves``."""
    return not other or [*path.split("/"), _LAST] > [*other.split("/"), _LAST]


def copy_name(product: str) -> str | None:
    """The name of the unpacked copy of the product of that name; ``None`` if it is no archive."""
    name = product.removesuffix(_ARCHIVE)
    return name if _is_product(product) and name not in ("", product) else None


def _is_product(name: str) -> bool:
    """Whether ``name`` is a plain file name allowed beside frames."""
    return bool(name) and name[0] != "." and not {"/", "\0"} & set(name) and not name.endswith(SUFFIX)


def directory_of(url: StoreURL) -> str:
    """The directory that ``file://`` names: absolute, from the home (``~``), or from the working directory (``.``).

    Raises:
        ConfigurationError: it names none, or another host.
    """
    if url.host.startswith("~"):
        path = os.path.expanduser(url.host + url.path)
    elif url.host == ".":
        path = os.path.abspath(url.host + url.path)
    elif url.host in ("", "localhost"):
        path = os.path.expanduser(url.path)
    else:
        raise ConfigurationError(f"{url}: {url.host!r} is another host; file:///{url.host}{url.path} may be meant")
    if not os.path.isabs(path) or not path.strip("/"):
        raise ConfigurationError(f"{url}: expected an absolute directory, as in file:///var/cache/rave")
    return path
