"""A well-behaved client, in a process of its own: it asks for the same kept product again and again, and times that.

``python steady.py PORT SECONDS`` prints the seconds that each answer took, as a JSON list.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from typing import Final

PAUSE: Final = 0.02
ADDRESS: Final = "127.0.2.1"
_PATH: Final = "/lab/square?n=7"


def ask_steadily(port: int, seconds: float) -> list[float]:
    """How long each answer took. A connection that ends, as when a worker is killed, is opened anew."""
    took: list[float] = []
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10, source_address=(ADDRESS, 0))
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        started = time.perf_counter()
        try:
            connection.request("GET", _PATH)
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            connection.close()
        else:
            took.append(time.perf_counter() - started)
            if answer.status != 200:
                raise SystemExit(f"{_PATH} gave {answer.status}")
        time.sleep(PAUSE)
    return took


@dataclass
class Steady:
    """Runs such a client beside the load.

    Attributes:
        took: seconds of every answer, in order of size.
        error: what went wrong; empty for nothing.
    """

    port: int
    took: list[float] = field(default_factory=list)
    error: str = ""

    def run(self, seconds: float) -> None:
        """Asks for so long."""
        command = [sys.executable, __file__, str(self.port), str(seconds)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        self.error = self.error or done.stderr.strip()
        if not done.returncode:
            self.took = sorted([*self.took, *json.loads(done.stdout)])

    def start(self, seconds: float) -> threading.Thread:
        """Asks for so long, in a thread."""
        thread = threading.Thread(target=self.run, args=(seconds,))
        thread.start()
        return thread

    def percentile(self, percent: int) -> float:
        """The milliseconds that so many of a hundred answers stayed below."""
        return self.took[len(self.took) * percent // 100] * 1e3 if self.took else 0.0


if __name__ == "__main__":
    with contextlib.suppress(OSError):  # its own turns on a busy processor are not what it measures
        os.nice(-10)
    print(json.dumps(ask_steadily(int(sys.argv[1]), float(sys.argv[2]))))
