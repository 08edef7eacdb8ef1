"""The numbers of the addresses in a column, in halves of 64 bits: what sets of addresses are compared with."""

from __future__ import annotations

import ipaddress
from functools import reduce
from typing import TYPE_CHECKING

from rave_flow.model.address_set import V4, number_of

if TYPE_CHECKING:
    import pyarrow

_OCTET = "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IPV4 = f"^({_OCTET}[.]){{3}}{_OCTET}$"


def halves_of(addresses: pyarrow.ChunkedArray) -> tuple[pyarrow.Array, pyarrow.Array]:
    """The high and the low halves of each address's number (uint64), null for what is no address."""
    from pyarrow import compute

    encoded = addresses.combine_chunks().dictionary_encode()
    high, low = _numbers(encoded.dictionary)
    return compute.take(high, encoded.indices), compute.take(low, encoded.indices)


def _numbers(words: pyarrow.StringArray) -> tuple[pyarrow.Array, pyarrow.Array]:
    """The same for words that differ."""
    import pyarrow
    from pyarrow import compute

    is_v4 = compute.match_substring_regex(words, _IPV4)
    is_other = compute.invert(is_v4)
    others = [_halves_of(text) for text in words.filter(is_other).to_pylist()]
    high, low = ([pair[place] for pair in others] for place in (0, 1))
    unknown = pyarrow.nulls(len(words), pyarrow.uint64())
    zeros = compute.if_else(is_v4, pyarrow.scalar(0, pyarrow.uint64()), unknown)
    numbers = compute.replace_with_mask(unknown, is_v4, _v4_numbers(words.filter(is_v4)))
    return tuple(
        compute.replace_with_mask(known, is_other, pyarrow.array(half, pyarrow.uint64()))
        for known, half in ((zeros, high), (numbers, low))
    )


def _v4_numbers(words: pyarrow.StringArray) -> pyarrow.UInt64Array:
    import pyarrow
    from pyarrow import compute

    def number(value: int) -> pyarrow.Scalar:
        return pyarrow.scalar(value, pyarrow.uint64())

    octets = compute.list_flatten(compute.split_pattern(words, ".")).cast(pyarrow.uint64())
    quads = pyarrow.FixedSizeListArray.from_arrays(octets, 4)
    parts = [compute.shift_left(compute.list_element(quads, place), number(24 - 8 * place)) for place in range(4)]
    return reduce(compute.add, parts, number(V4))


def _halves_of(text: str) -> tuple[int | None, int | None]:
    try:
        return divmod(number_of(ipaddress.ip_address(text)), 2**64)
    except ValueError:
        return None, None
