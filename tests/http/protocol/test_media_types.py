from __future__ import annotations

import pytest

from rave_http.protocol.media_types import short_name


@pytest.mark.parametrize(
    ("media_type", "name"),
    [
        ("application/octet-stream", "bin"),
        ("image/png", "png"),
        ("image/svg+xml; charset=utf-8", "svg"),
        ("text/plain", "text"),
        ("TEXT/CSV", "csv"),
        ("application/vnd.apache.arrow.stream", "arrow"),
        ("application/vnd.apache.parquet", "parquet"),
        ("application/x-of-our-own", "x-of-our-own"),
    ],
)
def test_a_media_type_has_one_short_name(media_type: str, name: str) -> None:
    """That of its suffix, where it has a usual one."""
    assert short_name(media_type) == name
