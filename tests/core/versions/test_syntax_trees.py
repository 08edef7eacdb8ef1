"""Threads that make syntax trees at the same time."""

from __future__ import annotations

import subprocess
import sys

# CPython 3.11 confuses the depths of two trees where the garbage collector calls Python code.
PROGRAM = """
import ast, gc, sys, threading, time
from rave_core.versions.source.outline import Parsed

sys.setswitchinterval(1e-6)
gc.set_threshold(50)
gc.callbacks.append(lambda *_: sum(range(200)))
source = open(ast.__file__, "rb").read()
ends = time.monotonic() + 1
troubles = []

def parse():
    while time.monotonic() < ends:
        Parsed(source, "ast.py", False)

def other(depth=150):
    if depth:
        return other(depth - 1)
    while time.monotonic() < ends:
        try:
            compile("x = " + "(" * 40 + "1" + ",)" * 40, "other", "exec", ast.PyCF_ONLY_AST)
        except SystemError:
            pass

def run(act):
    try:
        act()
    except BaseException as error:
        troubles.append(error)

threads = [threading.Thread(target=run, args=(act,)) for act in (parse, other)]
for each in threads:
    each.start()
for each in threads:
    each.join()
print(troubles)
"""


def test_a_tree_is_made_while_another_thread_makes_one():
    """However the depths of both are confused."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("[]\n", "")
