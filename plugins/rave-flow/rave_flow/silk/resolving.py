"""The tool that asks for names: rwresolve. It is off unless ``resolve = true`` is set, and nothing else calls it."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from rave_core import current_runtime
from rave_flow.errors import ParameterError, ResolvingOffError
from rave_flow.model.flow_settings import flow_settings
from rave_flow.model.host_names import names_of
from rave_flow.silk.sets import set_of
from rave_flow.sql.numbers import fraction

if TYPE_CHECKING:
    import pyarrow

MOST_ADDRESSES = 1000
"""The most addresses of one call."""

LONGEST = 60.0
"""The most seconds to wait."""


def rwresolve(addresses: Any, /, *, timeout: float = 5.0) -> pyarrow.Table:
    """The host names of addresses, by the system's resolver: a row for each, in order of their numbers.

    Columns: address, name (``None`` if there is none), why (``None``, or why there is no name). A name is what the
    owner of the address says, and may be false. Names are not cached here.

    Args:
        addresses: a set, or input for `rave_flow.silk.rwsetbuild`; at most 1000 addresses.
        timeout: how many seconds to wait for all of them, at most 60.

    Raises:
        ResolvingOffError: ``resolve = true`` is not set under ``[plugins.flow]``.
        ParameterError: an argument is wrong.
    """
    import pyarrow

    runtime = current_runtime()
    if not flow_settings().resolve:
        raise ResolvingOffError(
            "names are not looked up, because name servers would see which addresses you look at; "
            "to allow it, set resolve = true under [plugins.flow] in rave.toml",
            parameter="addresses",
        )
    chosen = set_of(addresses, "addresses")
    seconds = fraction("timeout", timeout, least=0, most=LONGEST)
    if len(chosen) > MOST_ADDRESSES:
        message = f"addresses: {len(chosen)} addresses: expected at most {MOST_ADDRESSES}"
        raise ParameterError(message, parameter="addresses")
    asked = list(itertools.islice(chosen, MOST_ADDRESSES))
    names = names_of(asked, seconds, runtime.clock.wait)
    columns = {
        "address": asked,
        "name": [names.found.get(address) for address in asked],
        "why": [names.failed.get(address) for address in asked],
    }
    return pyarrow.table({name: pyarrow.array(values, pyarrow.string()) for name, values in columns.items()})
