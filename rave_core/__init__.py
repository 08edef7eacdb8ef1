"""RAVE: analysis functions whose results are stored, shared by a team, and served.

from rave_core import op

@op
def add(a, b):
    return a + b
"""

from typing import TYPE_CHECKING

from rave_core.cli.notebook import load_ipython_extension, unload_ipython_extension
from rave_core.engine.context import ThreadPool, carry, progress
from rave_core.errors import OperationError, RaveError, RaveWarning
from rave_core.expiry import crossover_strategy, duration_strategy, forever, nocache
from rave_core.model import Options, Outcome
from rave_core.operations.decorators import expires, mime_type, op, op_file, version
from rave_core.operations.dependencies import depends_on
from rave_core.operations.finding import find_operation
from rave_core.operations.mapping import map
from rave_core.operations.operation import Operation
from rave_core.operations.pools import Answers, Pool, PoolFactory, open_pool
from rave_core.runtime.runtime import Runtime, current_runtime, using
from rave_core.typemap import list_of, one_of, typemap

if TYPE_CHECKING:
    from rave_core.settings import Settings
else:

    def __getattr__(name: str) -> object:
        """`Settings`, which take a sixth of the import, and are no use to a module that only decorates."""
        if name != "Settings":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from rave_core.settings import Settings

        globals()[name] = Settings
        return Settings


__all__ = [
    "Answers",
    "Operation",
    "OperationError",
    "Options",
    "Outcome",
    "Pool",
    "PoolFactory",
    "RaveError",
    "RaveWarning",
    "Runtime",
    "Settings",
    "ThreadPool",
    "carry",
    "crossover_strategy",
    "current_runtime",
    "depends_on",
    "duration_strategy",
    "expires",
    "find_operation",
    "forever",
    "list_of",
    "load_ipython_extension",
    "map",
    "mime_type",
    "nocache",
    "one_of",
    "op",
    "op_file",
    "open_pool",
    "progress",
    "typemap",
    "unload_ipython_extension",
    "using",
    "version",
]
