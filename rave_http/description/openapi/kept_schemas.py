"""The documents about kept results."""

from __future__ import annotations

from typing import Any, Final

from rave_http.description.openapi.schema_parts import COUNT, FLAG, TEXT, TIME, by_name, list_of, or_null, record, ref

KEPT_SCHEMAS: Final[dict[str, dict[str, Any]]] = {
    "KeepRequest": record(
        "Which result to keep.",
        {
            "key": {**TEXT, "description": "The name of the product."},
            "digest": {**TEXT, "description": "Only if the product has this digest."},
            "for": {**TEXT, "description": "A duration, or 'ever'.", "examples": ["30d", "ever"]},
            "comment": {**TEXT, "maxLength": 1000, "description": "Why."},
            "question": {**TEXT, "maxLength": 8000, "description": "The query that it answers."},
        },
        required=["key"],
        is_open=False,
    ),
    "KeptResult": record(
        "A result that stays as it is.",
        {
            "id": TEXT,
            "url": TEXT,
            "page": TEXT,
            "key": {**TEXT, "description": "The name of the copy: a product like any other."},
            "source": {**TEXT, "description": "The name of the product that was copied."},
            "operation": TEXT,
            "arguments": by_name(TEXT),
            "digest": TEXT,
            "size": COUNT,
            "made": TIME,
            "kept": TIME,
            "until": or_null(TIME),
            "gone": {**FLAG, "description": "Whether its bytes were removed from the store before its time."},
            "by": {**TEXT, "description": "Who keeps it; empty for nobody in particular."},
            "comment": TEXT,
        },
    ),
    "Comparison": record(
        "What differs between two results.",
        {
            "a": {"type": "object", "description": "Facts of the first one."},
            "b": {"type": "object", "description": "Facts of the second one."},
            "same": {**FLAG, "description": "Whether their bytes are equal."},
            "rows": {"type": ["object", "null"], "description": "Of two tables."},
            "lines": {"type": ["array", "null"], "items": TEXT, "description": "Of two texts or structures."},
            "note": {**TEXT, "description": "Why neither is told."},
        },
    ),
    "KeptList": record("The kept results that the client may see, newest first.", {"kept": list_of(ref("KeptResult"))}),
}
"""By name."""
