"""A frame that is kept unless there is a better one, decided in one step with the write."""

from __future__ import annotations

from rave_backends.object_store.backend import ObjectStoreBackend
from rave_backends.object_store.config import S3Config
from rave_core.model import Bytes
from rave_core.testing import key_of


def test_a_better_frame_that_comes_in_between_stays(moto: str, bucket: str) -> None:
    """Each frame that is there is asked about, up to the one that stays."""
    backend = ObjectStoreBackend(S3Config(bucket, endpoint=moto))
    key, asked = key_of("a"), list[bytes]()

    def is_better(there: Bytes) -> bool:
        asked.append(bytes(there))
        if len(asked) == 1:
            backend.put(key, [b"another"])
        return there == b"another"

    assert backend.put_unless(key, [b"fi", b"rst"], is_better) is True
    assert asked == []
    assert backend.put_unless(key, [b"second"], is_better) is False
    assert asked == [b"first", b"another"]
    assert bytes(backend.get(key)) == b"another"
    assert backend.put_unless(key, [b"third"], lambda there: False) is True
    assert bytes(backend.get(key)) == b"third"
