"""Uses of operations that type checkers must know the types of: functions, methods of each kind, coroutines."""

# ruff: noqa: D102, D103  # what the uses are of says nothing

from __future__ import annotations

from typing import assert_type

from rave_core import Options, op, op_file


@op
def f(a: int) -> list[int]:
    return [a]


@op(name="typing/g")
def g(a: int) -> list[int]:
    return [a]


@op
async def af(a: int) -> str:
    return ""


@op(name="typing/ag")
async def ag(a: int) -> str:
    return ""


class C:
    @op
    def m(self, x: int) -> str:
        return ""

    @op(name="typing/n")
    def n(self, x: int) -> str:
        return ""

    @classmethod
    @op
    def c(cls, x: int) -> int:
        return 1

    @staticmethod
    @op
    def s(x: int) -> float:
        return 1.0

    @property
    @op
    def p(self) -> bytes:
        return b""

    @op
    async def am(self, x: int) -> dict[str, int]:
        return {}

    @op_file
    def fm(self, out: str, n: int) -> None: ...
    @op_file
    async def afm(self, out: str, n: int) -> None: ...


assert_type(f(1), list[int])
assert_type(g(1), list[int])
assert_type(C().m(1), str)
assert_type(C().n(1), str)
assert_type(C.m(C(), 1), str)
assert_type(C.c(1), int)
assert_type(C().c(1), int)
assert_type(C.s(1), float)
assert_type(C().s(1), float)
assert_type(C().p, bytes)
assert_type(C().fm(3), str)
assert_type(C().m.resolve(1).value, str)
assert_type(C().m.resolve(1).is_hit, bool)
assert_type(C().m.answering(Options(refresh=True))(1), str)


async def main() -> None:
    assert_type(await C().am(1), dict[str, int])
    assert_type((await C().am.resolve(1)).value, dict[str, int])
    assert_type(await af(1), str)
    assert_type(await ag(1), str)
    assert_type((await af.resolve(1)).value, str)
    assert_type(await af.answering(Options())(1), str)
    assert_type(await C().afm(1), str)
