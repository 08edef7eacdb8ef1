"""§6: a function becomes an operation, and its results are kept."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from rave_core import op

pytestmark = pytest.mark.usefixtures("runtime")
Ran = Callable[[], list[str]]

FIB = """
from rave_core import op

@op
def fib(n):
    print("Executing fib", n)
    if n <= 0:
        return 0
    elif n == 1:
        return 1
    else:
        return fib(n-2) + fib(n-1)
"""


@op
def complex():
    """The first listing: a big query without arguments."""
    print("Executing complex")
    return [("10.0.0.1", 7), ("10.0.0.2", 3)]


@op
def add(a, b):
    """The second listing."""
    print("Executing add")
    return a + b


@op
def fib(n):
    """The third listing, which calls itself."""
    print("Executing fib", n)
    if n <= 0:
        return 0
    elif n == 1:  # noqa: RET505  # as the guide has it
        return 1
    else:
        return fib(n - 2) + fib(n - 1)


def test_an_operation_without_arguments_runs_once(ran: Ran) -> None:
    """The second call of ``complex()`` is answered with what the first one returned."""
    assert complex() == complex() == [("10.0.0.1", 7), ("10.0.0.2", 3)]
    assert ran() == ["Executing complex"]


def test_the_session_at_the_prompt(ran: Ran) -> None:
    """``add(1, 2)`` twice runs the body once; other arguments run it again."""
    assert add(1, 2) == 3
    assert ran() == ["Executing add"]
    assert add(1, 2) == 3
    assert ran() == []
    assert add(1, 3) == 4
    assert ran() == ["Executing add"]


def test_fib_of_50_runs_its_body_51_times_then_never(ran: Ran) -> None:
    """All the work on the way is kept: 0 to 50 run once each, and ``fib(25)`` is there already."""
    assert fib(50) == 12586269025
    assert sorted(ran()) == sorted(f"Executing fib {n}" for n in range(51))
    assert fib(50) == 12586269025
    assert fib(25) == 75025
    assert ran() == []


def test_fib_of_50_runs_nothing_in_a_new_process(tmp_path, run_python) -> None:
    """What one process computed, the next one finds."""
    (tmp_path / "test.py").write_text(FIB)
    ask = "from test import fib; print(fib(50), fib(25))"
    first = run_python("-c", ask).splitlines()
    assert len(first) == 52
    assert run_python("-c", ask) == first[-1] == "12586269025 75025"


def test_without_op_fib_runs_exponentially_often(ran: Ran) -> None:
    """The comparison of the guide: the plain function does the same work over and over."""

    def plain(n):
        print("Executing plain")
        return n if n < 2 else plain(n - 2) + plain(n - 1)

    assert plain(15) == fib(15) == 610
    printed = ran()
    assert (printed.count("Executing plain"), len(printed) - printed.count("Executing plain")) == (1973, 16)
