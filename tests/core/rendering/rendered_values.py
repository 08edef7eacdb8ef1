"""Values that the tests of rendering share."""

from __future__ import annotations


class Mute:
    def __str__(self) -> str:
        raise RuntimeError("no words")

    __repr__ = __str__
