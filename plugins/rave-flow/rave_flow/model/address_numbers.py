"""The addresses in a column by their value: one text for each, and its number in halves of 64 bits."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

from rave_flow.model.address_set import V4, address_of, number_of

if TYPE_CHECKING:
    import pyarrow

_OCTET = "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IPV4 = f"^({_OCTET}[.]){{3}}{_OCTET}$"
_PADDED = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}")


@dataclass(frozen=True, slots=True)
class Addresses:
    """Addresses; all three are null for anything else.

    Attributes:
        text: in the form of RFC 5952.
        high, low: the halves of their numbers (uint64); IPv4 lies at ``::ffff:0:0/96``.
    """

    text: pyarrow.Array
    high: pyarrow.Array
    low: pyarrow.Array

    @property
    def is_v6(self) -> pyarrow.Array:
        """Which are IPv6."""
        from pyarrow import compute

        is_low = compute.equal(self.high, _scalar(0))
        return compute.invert(
            compute.and_(is_low, compute.equal(compute.shift_right(self.low, _scalar(32)), _scalar(V4 >> 32)))
        )


def addresses_of(words: pyarrow.ChunkedArray) -> Addresses:
    """The addresses in a column of text."""
    from pyarrow import compute

    encoded = words.combine_chunks().dictionary_encode()
    found = _different(encoded.dictionary)
    return Addresses(*(compute.take(column, encoded.indices) for column in (found.text, found.high, found.low)))


def number(text: str) -> int | None:
    """The number of an address in any of its spellings; ``None`` for anything else.

    Octets may be padded with zeros, which are decimal as in SiLK; a zone (``%eth0``) does not count.
    """
    word = text.strip().partition("%")[0]
    if _PADDED.fullmatch(word):
        word = ".".join(str(int(octet)) for octet in word.split("."))
    try:
        return number_of(ipaddress.ip_address(word))
    except ValueError:
        return None


def _different(words: pyarrow.StringArray) -> Addresses:
    """The same for words that differ."""
    import pyarrow
    from pyarrow import compute

    is_v4 = compute.match_substring_regex(words, _IPV4)
    is_other = compute.invert(is_v4)
    others = [number(text) for text in words.filter(is_other).to_pylist()]
    halves = [divmod(one, 2**64) if one is not None else (None, None) for one in others]
    texts = [None if one is None else address_of(one) for one in others]
    unknown = pyarrow.nulls(len(words), pyarrow.uint64())
    zeros = compute.if_else(is_v4, pyarrow.scalar(0, pyarrow.uint64()), unknown)
    numbers = compute.replace_with_mask(unknown, is_v4, _v4_numbers(words.filter(is_v4)))
    high, low = (
        compute.replace_with_mask(known, is_other, pyarrow.array([pair[place] for pair in halves], pyarrow.uint64()))
        for place, known in ((0, zeros), (1, numbers))
    )
    return Addresses(compute.replace_with_mask(words, is_other, pyarrow.array(texts, pyarrow.string())), high, low)


def _v4_numbers(words: pyarrow.StringArray) -> pyarrow.UInt64Array:
    import pyarrow
    from pyarrow import compute

    octets = compute.list_flatten(compute.split_pattern(words, ".")).cast(pyarrow.uint64())
    quads = pyarrow.FixedSizeListArray.from_arrays(octets, 4)
    parts = [compute.shift_left(compute.list_element(quads, place), _scalar(24 - 8 * place)) for place in range(4)]
    return reduce(compute.add, parts, _scalar(V4))


def _scalar(value: int) -> pyarrow.Scalar:
    import pyarrow

    return pyarrow.scalar(value, pyarrow.uint64())
