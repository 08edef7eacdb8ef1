"""The encoding is the same in every process."""

from __future__ import annotations

import collections
import datetime as dt
import importlib
import os
import pathlib
import subprocess
import sys
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from rave_core.fingerprint import digest
from rave_core.fingerprint.encoder import short_digest

SAMPLE = """
import collections, dataclasses, datetime, decimal, enum, fractions, functools, pathlib, re, types, uuid
import numpy as np, pandas as pd, polars as pl, pyarrow as pa
from zoneinfo import ZoneInfo

class Colour(enum.Enum):
    RED = "red"

@dataclasses.dataclass
class Model:
    names: set
    options: dict

def helper(value, known=frozenset({"a", "b", "c"})):
    return value in {"x", "y", "z"} or value in known

words = [f"word {n}" for n in range(50)]
value = {
    "sets": [set(words), frozenset(words), {frozenset(words[:9]), None, 1, "a", b"a", Colour.RED, (1, "x")}],
    "dicts": [dict.fromkeys(set(words), 1), {(word, 1): {word} for word in set(words)}, collections.Counter(words)],
    "model": Model(set(words), {Colour.RED: types.SimpleNamespace(a=1)}),
    "code": [helper, functools.partial(helper, known=set(words)), lambda x: x in {"p", "q", "r"}, Model, len],
    "times": [datetime.datetime(2024, 3, 31, 2, 30, tzinfo=ZoneInfo("Europe/Berlin")), datetime.timedelta(1)],
    "numbers": [decimal.Decimal("1.5"), fractions.Fraction(1, 3), 1e300, 2**200, float("nan"), uuid.UUID(int=7)],
    "texts": [pathlib.PurePosixPath("a/b"), re.compile("a", re.I), "\\ud800", b"\\x00"],
    "numpy": [np.arange(9.0).reshape(3, 3), np.array([set(words), None], object), np.float32(1)],
    "pandas": [pd.DataFrame({"a": [1, 2], "b": ["x", None]}), pd.Timestamp("2020", tz="UTC"), pd.Categorical(words)],
    "polars": pl.DataFrame({"a": [1, None], "b": ["x", None], "c": [[1], []]}),
    "arrow": pa.table({"a": [1, None], "b": ["x", None]}, metadata={"k": "v", "l": "w"}),
}
"""
ASK = "import sample; from rave_core.fingerprint import digest; print(digest([('value', sample.value)]))"


def ran(*arguments: str, seed: str = "random", cwd: pathlib.Path | None = None, path: pathlib.Path) -> str:
    """What Python prints with these arguments, this hash seed, and ``path`` to import from."""
    root = pathlib.Path(__file__).parents[3]
    environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join([str(root), str(path)])}
    command = [sys.executable, *arguments]
    return subprocess.run(command, env=environment, cwd=cwd, check=True, capture_output=True, text=True).stdout.strip()


def test_another_process_with_another_hash_seed_has_the_same_digest(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A large sample of everything has one digest here and in processes with other hash seeds."""
    (tmp_path / "sample.py").write_text(SAMPLE)
    monkeypatch.syspath_prepend(tmp_path)
    sample = importlib.import_module("sample")
    monkeypatch.delitem(sys.modules, "sample")
    monkeypatch.setitem(sys.modules, "sample", sample)
    here = digest([("value", sample.value)])
    assert [ran("-c", ASK, seed=seed, path=tmp_path) for seed in ("0", "12345")] == [here, here]


def test_nothing_heavy_is_imported(tmp_path: pathlib.Path) -> None:
    """The encoder brings no table library with it, even where one is installed."""
    ask = (
        "import sys; from rave_core.fingerprint.encoder import encode; encode([1, {'a': 1.0}]); "
        "print({'numpy', 'pandas', 'polars', 'pyarrow'} & {*sys.modules})"
    )
    assert ran("-c", ask, path=tmp_path) == "set()"


SCRIPT = """
import enum, os
from rave_core.fingerprint.encoder import encode

class Colour(enum.Enum):
    RED = 1

def helper():
    return 1

print(all(os.path.realpath(__file__).encode() in encode(value) for value in (Colour, Colour.RED, helper)))
print(encode([Colour.RED, helper]).hex())
"""


def test_a_script_is_known_by_its_resolved_path(tmp_path: pathlib.Path) -> None:
    """What ``__main__`` defines is named by its file, from wherever and through whatever link it was started."""
    script, link = tmp_path / "script.py", tmp_path / "link.py"
    script.write_text(SCRIPT)
    link.symlink_to(script)
    outputs = {
        ran(str(script), path=tmp_path),
        ran("script.py", cwd=tmp_path, path=tmp_path),
        ran(str(link), path=tmp_path),
    }
    assert len(outputs) == 1
    assert outputs.pop().startswith("True\n")


def test_two_scripts_differ(tmp_path: pathlib.Path) -> None:
    """Classes of one name in two scripts are two classes."""
    for name in ("one.py", "two.py"):
        (tmp_path / name).write_text(SCRIPT)
    assert ran(str(tmp_path / "one.py"), path=tmp_path) != ran(str(tmp_path / "two.py"), path=tmp_path)


GOLDEN: list[tuple[str, object]] = [
    ("7j2nuutoyibedbn2nv6pxxvnuo3iibbh", None),
    ("oxazt2zuv2xxqdli2jxbni27tlj4hbu2", True),
    ("wk5ae27b6muz5brklzuzhfwpuv5kyr22", 1),
    ("ynsdndfv3n3n3sol2a4zf6y3wpnn5ptt", -(2**70)),
    ("x2ymkl2gak76l4wqws6pbjn4b7kppibc", 1.0),
    ("3gw7nxdrkgp4e2hvenuj4cciv6y4djqv", float("nan")),
    ("na45desibajaferwgxbe7kwjafbkhmob", 1 - 2j),
    ("cfdfel57xcn3vmrtucwluer4ia3sa5ly", "naïve \ud800"),
    ("xzhykoawqs674dbsk3szvc5y3ajtkfjc", b"\x00\xff"),
    ("uqulog5fzxkf5fychfgevtftnmce2wx4", [1, (2, [3])]),
    ("y6aolmyfxnkwrnnfjqc5m7oqm5nroppe", {"b": {1, 2}, "a": frozenset("xy"), 3: None}),
    ("ahvt7qb3ezy7xswthmfmtaz2nm2pr5v2", collections.OrderedDict(b=1, a=2)),
    ("ngxa73egjuawycgtnyro5eyfwr2hdleo", dt.datetime(2024, 10, 27, 2, 30, fold=1, tzinfo=ZoneInfo("Europe/Berlin"))),
    (
        "nmp5s2agcgzsjslua5cs2n6b5qdhcjch",
        [dt.date(2024, 1, 1), dt.timedelta(1), Decimal("1.50"), pathlib.PurePosixPath("a/b")],
    ),
    ("ntlvfchvt4ypdpg3y2mzlu3gul24gum7", np.arange(6, dtype="<i4").reshape(2, 3)),
    ("yuxcxclfkjhjvknpoq2uuwhisvrpcss5", np.float64(1.5)),
    ("ixqeta6dmohc5hhkg7eho442lngfzkm3", pd.DataFrame({0: [1, 2], 1: [0.5, float("nan")]})),
]


@pytest.mark.parametrize(("golden", "value"), GOLDEN)
def test_a_digest_stays_what_it_was(golden: str, value: object) -> None:
    """A change of any of these would throw away every cache there is."""
    assert digest([("value", value)]) == golden


def test_a_short_digest_stays_what_it_was() -> None:
    """Versions are made of it."""
    assert short_digest(b"rave") == "fz2jn5k65wu2pxkl"
