"""How many bytes of results each client has stored lately."""

from __future__ import annotations

import math
from typing import Final

from cachetools import TTLCache

from rave_core.clock import Clock
from rave_http.protocol.problems import Problem
from rave_core.text.words import counted_bytes

_WINDOW: Final = 3600.0
_CLIENTS: Final = 10_000
