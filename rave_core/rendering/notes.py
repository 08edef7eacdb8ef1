"""What a result says about itself: sentences that go with every answer, such as what is missing from it."""

from __future__ import annotations

import json
from typing import Any, Final

from rave_core.rendering.tables import kind_of

NOTES: Final = "rave.notes"
"""The name in the metadata of an Arrow schema under which a table's notes stand: a JSON array of texts."""


def notes_of(value: Any) -> tuple[str, ...]:
    """The notes of a result, in order: sentences of a pyarrow table, in the metadata of its schema.

    ``rave run`` writes them to standard error, and the service sends them in the header ``RAVE-Notes``, with hits too.
    Other values have none, and metadata that are no such array are none.
    """
    if kind_of(value) not in ("pyarrow.Table", "pyarrow.RecordBatch"):
        return ()
    try:
        found = json.loads((value.schema.metadata or {}).get(NOTES.encode(), b"[]"))
    except ValueError:
        return ()
    return tuple(str(each) for each in found) if isinstance(found, list) else ()
