"""Entries on the disk, to be spoiled."""

from __future__ import annotations

import os
import pickle
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa

from rave_core import op, op_file

VALUES = {
    "text": "täxt",
    "bytes": b"\0\xff" * 20,
    "int": 2**70,
    "float": 0.1,
    "none": None,
    "dict": {"a": [1, (2.5, None)], "b": {3}},
    "datetime": datetime(2007, 2, 11, tzinfo=UTC),
    "array": np.arange(12.0).reshape(3, 4),
    "large array": np.arange(20_000),
    "table": pa.table({"a": [1, 2, 3], "b": ["x", "y", None]}),
}


@op(name="fire/kept", version=1)
def kept(name):
    """One of the values."""
    return VALUES[name]


@op_file(name="fire/written", version=1, mime_type="text/plain")
def written(out, size):
    """A file of ``size`` bytes."""
    Path(out).write_bytes(b"x" * size)


class Store:
    """One entry on the disk, to be spoiled; ``call`` asks for it and checks the answer."""

    def __init__(self, runtime, operation, argument):
        self.runtime, self.operation, self.argument = runtime, operation, argument
        cache = runtime.products if operation is written else runtime.cache
        self.call()
        self.key = operation.key(argument).text
        self.path = cache.backend._tree.frame(self.key)
        self.damaged = os.path.join(cache.backend._tree.control, "damaged")
        self.signer = cache.signer
        self.good = Path(self.path).read_bytes()

    def call(self):
        """How the call was answered, once the answer has been checked."""
        outcome = self.operation.resolve(self.argument)
        if self.operation is written:
            assert Path(outcome.value).read_bytes() == b"x" * self.argument
            assert not Path(outcome.value).is_symlink()
            return outcome.status
        wanted = VALUES[self.argument]
        assert type(outcome.value) is type(wanted)
        assert pickle.dumps(outcome.value) == pickle.dumps(wanted) or outcome.value == wanted
        return outcome.status

    def diagnostics(self):
        """How many damaged entries were counted."""
        return self.runtime.statistics.namespace["Damaged Entries"]

    def is_missed(self, frame, *, quietly=False):
        """Whether ``frame`` in the entry's place is a miss that is reported, after which the entry is whole again.

        With ``quietly``, a miss that is not.
        """
        Path(self.path).write_bytes(frame)
        before = self.diagnostics()
        is_missed, reported = self.call() == "miss", self.diagnostics()
        return is_missed and (reported == before) is quietly and self.call() == "hit" and self.diagnostics() == reported

    def set_aside(self):
        """The frames that were set aside."""
        return [Path(self.damaged, name).read_bytes() for name in os.listdir(self.damaged)]
