"""A signal to stop is never lost, and never hangs, whenever it comes."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import signal
from rave_core.cli.stop_signal import StopSignal

for number in range(40):
    ending = StopSignal(signal.SIGALRM)
    signal.setitimer(signal.ITIMER_REAL, 0.001 + number / 10_000)
    while not ending.wait(0):
        pass
    assert ending.wait() and ending.wait(0.1)
print("ended")
"""


def test_a_signal_in_the_middle_of_waiting_ends_it():
    """Forty times, at another moment each; a `threading.Event` hung here."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("ended\n", "")
