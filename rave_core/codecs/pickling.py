"""Pickling, with fixes for what some versions of Python lose."""

from __future__ import annotations

import copyreg
import io
import pickle
from collections import ChainMap
from collections.abc import Callable
from ipaddress import IPv6Address
from typing import Any

# Before Python 3.11.4 the zone of a link-local address (fe80::1%eth0) is not pickled.
_REDUCERS: ChainMap[type, Callable[[Any], Any]] = ChainMap(
    {IPv6Address: lambda address: (IPv6Address, (str(address),))}, copyreg.dispatch_table
)


def dumps(value: object, buffer_callback: Callable[[pickle.PickleBuffer], bool]) -> bytes:
    """``value`` by protocol 5; a buffer for which ``buffer_callback`` gives ``False`` is left out.

    Raises:
        Exception: what the value's own ``__reduce__`` raises.
    """
    written = io.BytesIO()
    pickler = pickle.Pickler(written, 5, buffer_callback=buffer_callback)
    pickler.dispatch_table = _REDUCERS
    pickler.dump(value)
    return written.getvalue()
