"""Uses of operations that type checkers must refuse: each line with a comment, and no other."""

# ruff: noqa: D102, D103  # what the uses are of says nothing

from __future__ import annotations

from rave_core import op, op_file


@op
def f(a: int) -> list[int]:
    return [a]


class C:
    @op
    def m(self, x: int) -> str:
        return ""

    @op_file
    def fm(self, out: str, n: int) -> None: ...

    @op
    async def am(self, x: int) -> str:
        return ""


f("no")  # wrong
C().m("no")  # wrong
C().m(1, 2)  # wrong
C().m.key("x")  # wrong
C().m.resolve()  # wrong
C().fm("no")  # wrong
C().am("no")  # wrong
