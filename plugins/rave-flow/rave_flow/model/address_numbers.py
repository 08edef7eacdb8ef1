"""The addresses in a column by their value: one text for each, and its number in halves of 64 bits."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rave_flow.model.address_set import V4, address_of, number_of

if TYPE_CHECKING:
    import numpy
    import pyarrow

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


def texts_of(high: pyarrow.Array, low: pyarrow.Array) -> pyarrow.Array:
    """The texts of addresses, by the halves of their numbers, of which none is null: the reverse of `addresses_of`."""
    import numpy
    import pyarrow

    highs, lows = high.to_numpy(), low.to_numpy()
    is_v4 = (highs == 0) & (lows >> numpy.uint64(32) == V4 >> 32)
    if is_v4.all():
        return _v4_texts(low)
    halves = zip(highs[~is_v4].tolist(), lows[~is_v4].tolist(), strict=True)
    others = pyarrow.array([address_of(first * 2**64 + second) for first, second in halves], pyarrow.string())
    places = numpy.argsort(numpy.concatenate((numpy.flatnonzero(is_v4), numpy.flatnonzero(~is_v4))))
    return pyarrow.concat_arrays([_v4_texts(low.filter(pyarrow.array(is_v4))), others]).take(pyarrow.array(places))


def _v4_texts(low: pyarrow.Array) -> pyarrow.Array:
    import numpy
    import pyarrow
    from pyarrow import compute

    encoded = low.dictionary_encode()
    numbers, octets = encoded.dictionary.to_numpy(), pyarrow.array(map(str, range(256)))
    parts = [octets.take(pyarrow.array(numbers >> numpy.uint64(bits) & numpy.uint64(255))) for bits in (24, 16, 8, 0)]
    return compute.binary_join_element_wise(*parts, ".").take(encoded.indices)


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
    import numpy
    import pyarrow
    from pyarrow import compute

    numbers, is_v4 = _v4_numbers(words)
    high = pyarrow.array(numpy.zeros(len(words), "u8"), mask=~is_v4)
    low = pyarrow.array(numbers, mask=~is_v4)
    if is_v4.all():
        return Addresses(words, high, low)
    is_other = pyarrow.array(~is_v4)
    others = [number(text) for text in words.filter(is_other).to_pylist()]
    halves = [divmod(one, 2**64) if one is not None else (None, None) for one in others]
    texts = [None if one is None else address_of(one) for one in others]
    high, low = (
        compute.replace_with_mask(known, is_other, pyarrow.array([pair[place] for pair in halves], pyarrow.uint64()))
        for place, known in ((0, high), (1, low))
    )
    return Addresses(compute.replace_with_mask(words, is_other, pyarrow.array(texts, pyarrow.string())), high, low)


def _v4_numbers(words: pyarrow.StringArray) -> tuple[numpy.ndarray, numpy.ndarray]:
    """The low halves of the numbers of words that are four octets without padding, and which words are such."""
    import numpy
    from pyarrow import compute

    is_v4 = compute.equal(compute.count_substring(words, "."), 3).to_numpy(zero_copy_only=False).copy()
    starts, ends, content = _octets(words, is_v4)
    lengths = ends - starts
    # The last three bytes before each end, of which those before the start do not count.
    digits = [content[ends + (1 - place)].astype(numpy.uint64) * (lengths > place) for place in range(3)]
    octets = digits[0] + digits[1] * numpy.uint64(10) + digits[2] * numpy.uint64(100)
    is_number = (lengths >= 1) & (lengths <= 3) & (octets <= 255) & ((lengths == 1) | (content[starts + 2] != 0))
    is_number &= (digits[0] <= 9) & (digits[1] <= 9) & (digits[2] <= 9)
    places = numpy.flatnonzero(is_v4)
    is_v4[places] = is_number.all(axis=1)
    numbers = numpy.zeros(len(words), numpy.uint64)
    numbers[places] = V4 + (octets << numpy.array([24, 16, 8, 0], numpy.uint64)).sum(axis=1, dtype=numpy.uint64)
    return numbers, is_v4


def _octets(words: pyarrow.StringArray, chosen: numpy.ndarray) -> tuple[numpy.ndarray, numpy.ndarray, numpy.ndarray]:
    """Where the four parts of the chosen words start and end, which all have three dots.

    And the content of all words, as the values of digits, between two zeros and one.
    """
    import numpy
    import pyarrow

    words = pyarrow.concat_arrays([words.filter(pyarrow.array(chosen))])  # whose content begins at 0
    offsets = numpy.frombuffer(words.buffers()[1], numpy.int32)[: len(words) + 1].astype(numpy.int64)
    raw = numpy.frombuffer(words.buffers()[2] or b"", numpy.uint8)[: offsets[-1]]
    dots = numpy.flatnonzero(raw == ord(".")).reshape(len(words), 3)
    starts = numpy.column_stack((offsets[:-1], dots + 1))
    ends = numpy.column_stack((dots, offsets[1:]))
    digits = numpy.zeros(len(raw) + 3, numpy.uint8)
    numpy.subtract(raw, ord("0"), out=digits[2:-1])  # wraps around below zero
    return starts, ends, digits


def _scalar(value: int) -> pyarrow.Scalar:
    import pyarrow

    return pyarrow.scalar(value, pyarrow.uint64())
