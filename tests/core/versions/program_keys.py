"""Prints the versions of small programs and the keys of calls as JSON: ``python program_keys.py DIRECTORY``.

Run by several Pythons. It needs nothing but RAVE's core and what that depends on.
"""

from __future__ import annotations

import json
import linecache
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[3]))
sys.dont_write_bytecode = True

from rave_core import Runtime, Settings, using  # noqa: E402  # from where this file is
from tests.core.versions.programs import HEAD, edits, loaded  # noqa: E402  # likewise

PROGRAM = """
import collections, dataclasses, datetime, decimal, enum, fractions, functools, ipaddress, math, operator, os, pathlib
import random, re, types, typing, uuid, zoneinfo
class Colour(enum.Enum):
    RED = 1
    BLUE = 'b'
class Bits(enum.Flag):
    A = 1
    B = 2
@dataclasses.dataclass
class Point:
    x: int
    y: float = 0.5
    tags: list = dataclasses.field(default_factory=list)
    def moved(self, by):
        return [self.x + step for step in range(by)]
@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Slotted(typing.Generic[typing.TypeVar('T')]):
    x: int
class Plain:
    def __init__(self):
        self.items = {str(each): each for each in range(3)}
    @property
    def size(self):
        return len(self.items)
class Pair(typing.NamedTuple):
    left: int
    right: str = 'r'
Old = collections.namedtuple('Old', 'a b', defaults=[1])
class Typed(typing.TypedDict):
    name: str
def decorated(function):
    @functools.wraps(function)
    def within(*args):
        return function(*args)
    return within
@decorated
def helper(x):
    with open(x) as file, open(x) as other:
        try:
            return [f'{each!r:>{10}} {x}' for each in file if each], {k: v for k, v in x}, (y := 3)
        except* ValueError:
            pass
def generator(n):
    match n:
        case {'a': [first, *_], **others}:
            yield from (first, others)
        case Point(x=0) | Pair(left=1):
            yield lambda: (yield)
async def waiting(n):
    async with n as other:
        return [each async for each in other]
def outer():
    held = 3
    def inner(x):
        nonlocal held
        held += x
        return held
    return inner
steps = [lambda x: x + 1, lambda a, *b, c=1, **d: [a, b, c, d]]
@op
def f(x):
    return helper(x), list(generator(x)), Colour.RED, Point(1), Plain(), Pair(1), Old(1, 2), outer(), waiting, Bits.A
"""
CELL = """
from rave_core import op
class Unused:
    rate = 2
class Config:
    def __init__(self):
        self.rate = 2
    def set_rate(self, rate):
        self.rate = rate
CONFIG = Config()
@op
def f(x):
    return x * CONFIG.rate
"""
ARGUMENTS = """
1; 1.5; -0.0; float('nan'); True; None; 'text'; b'bytes'; 2**200; 1j; [1, 'a', None]; {'a': 1, 'b': [2]}; {3, 1, 2}
frozenset({'x', 'y'}); (1, (2, 3)); range(3); slice(1, None); ...; bytearray(b'x'); memoryview(b'abc')
datetime.date(2024, 5, 14); datetime.datetime(2024, 5, 14, 12, fold=1); datetime.timedelta(1, 2, 3); datetime.time(1)
datetime.datetime(2024, 5, 14, tzinfo=zoneinfo.ZoneInfo('Europe/Berlin')); datetime.UTC; decimal.Decimal('1.20')
fractions.Fraction(1, 3); pathlib.PurePosixPath('/a/b'); uuid.UUID(int=5); ipaddress.ip_network('10.0.0.0/8')
re.compile('a+', re.I); Colour.RED; Colour.BLUE; Bits.A | Bits.B; Point(1, 2.0, ['t']); Slotted(x=1); Plain(); Pair(1)
Old(1); Typed(name='n'); Point; Pair; Plain; Colour; int; dict; list[int]; dict[str, Point]; int | None
typing.Optional[int]; typing.Callable[[int], str]; typing.Literal['a', 1]; helper; generator; waiting; outer(); len
operator.itemgetter(1); operator.attrgetter('a.b'); operator.methodcaller('m', 1); functools.partial(helper, 1, k=2)
steps[0]; steps[1]; Point(1).moved; ValueError('wrong', 3); KeyError('k')
collections.OrderedDict(a=1); collections.Counter('aab'); collections.deque([1], 5)
collections.defaultdict(list, a=[1]); collections.ChainMap({'a': 1}); types.SimpleNamespace(a=1)
random.Random(5); types.MappingProxyType({'a': 1}); steps; os.path.join; re.sub; math.sin; str.upper
datetime.datetime.now
property(len)
classmethod(len)
"""


def main(directory: Path) -> None:
    """Prints everything, by name."""
    found = {}
    with using(Runtime(Settings(cache="memory://"))):
        for each in edits():
            with loaded(directory / "edit", each.before) as program:
                found[each.name] = program.f.resolved().version.text
        found["a cell"] = _of_cell().resolved().version.text
        with loaded(directory / "program", {"program.py": HEAD + PROGRAM}) as program:
            for expression in filter(None, map(str.strip, ARGUMENTS.replace("\n", ";").split(";"))):
                value = eval(compile(expression, "<argument>", "eval"), vars(program))
                found[expression] = str(program.f.key(value))
    print(json.dumps(found))


def _of_cell() -> Any:
    """The operation of a notebook's cell."""
    space: dict[str, Any] = {"__name__": "cells"}
    linecache.cache["<cell>"] = len(CELL), None, CELL.splitlines(keepends=True), "<cell>"
    exec(compile(CELL, "<cell>", "exec", dont_inherit=True), space)
    return space["f"]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
