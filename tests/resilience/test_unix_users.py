"""A directory that several Unix users of one group share: they find each other's results, and others do not get in."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

import pytest

ANN, BOB, EVE, TEAM, OTHERS = 50001, 50002, 50003, 50000, 50009

# Everything is imported while root may, with a cache of its own; then the process becomes somebody else.
MEMBER = """
import json, pickle, warnings
from pathlib import Path

class Kind:
    "Kept as a pickle."
    def __init__(self, n): self.n = n

@op(name="fire/plain", version=1)
def plain(n):
    return {"n": n}

@op(name="fire/kind", version=1)
def kind(n):
    return Kind(n)

@op_file(name="fire/page", version=1, mime_type="text/plain")
def page(out, n):
    Path(out).write_text(f"page {n}")

with Runtime() as first, using(first):
    plain(0), kind(0), page(0)
    plugins = first.plugins

uid, gid, url, key = sys.argv[1:5]
os.setgroups([]); os.setgid(int(gid)); os.setuid(int(uid))
os.umask(0o077)  # as careful users have it: the mode of the cache counts all the same
settings = Settings(cache=[url + "/data?mode=2770"], products=[url + "/products?mode=2770"],
                    signing_key_file=key if key != "-" else None)
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    with Runtime(settings, plugins=plugins) as runtime, using(runtime):
        told = {each.spec.name: each.resolve(1).status.value for each in (plain, kind, page)}
        assert plain(1) == {"n": 1} and kind(1).n == 1 and Path(page(1)).read_text() == "page 1"
        told["again"] = [each.resolve(1).status.value for each in (plain, kind, page)]
        if len(sys.argv) > 5:
            told["purged"] = runtime.purge().leftovers
            told["deleted"] = [each.invalidate(1) for each in (plain, kind, page)]
print(json.dumps(told))
"""


@pytest.fixture
def place(as_root):
    """A directory of the group's; those above ``tmp_path`` would keep its members out."""
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        shared = Path(directory, "shared")
        shared.mkdir()
        os.chown(shared, ANN, TEAM)
        shared.chmod(0o2770)
        key = Path(directory, "team.key")
        key.write_text("0123456789abcdef" * 4)
        os.chown(key, 0, TEAM)
        key.chmod(0o640)
        yield Path(directory)


@pytest.fixture
def as_user(start, place):
    """What a user of a group was told; with the team's key unless ``key`` is false."""

    def act(user, group=TEAM, *more, key=True):
        file = place / "team.key" if key else "-"
        child = start(MEMBER, user, group, f"file://{place}/shared", file, *more)
        output = child.communicate()[0]
        assert child.returncode == 0, output
        return json.loads(output)

    return act


HITS = {"fire/plain": "hit", "fire/kind": "hit", "fire/page": "hit", "again": ["hit"] * 3}
MISSES = dict.fromkeys(HITS, "miss") | {"again": ["hit"] * 3}


def test_members_find_each_others_results(as_user):
    """Values, pickles and files, in either direction, whatever their umasks."""
    assert as_user(ANN) == MISSES
    assert as_user(BOB) == HITS


def test_members_may_tidy_what_others_made(as_user):
    """A purge and a removal by one work on the entries of another."""
    as_user(ANN)
    told = as_user(BOB, TEAM, "tidy")
    assert told["deleted"] == [True] * 3
    assert as_user(ANN) == MISSES


def test_everything_belongs_to_the_group(as_user, place):
    """Also what the second user made, below directories of the first."""
    as_user(ANN)
    as_user(BOB, TEAM, "tidy")
    as_user(BOB)
    found = list((place / "shared").rglob("*"))
    assert {path.stat().st_gid for path in found} == {TEAM}
    assert {path.stat().st_mode & 0o7777 for path in found if path.is_dir()} == {0o2770}
    assert {path.stat().st_mode & 0o7777 for path in found if path.is_file()} == {0o660}
    assert {path.stat().st_uid for path in found} == {ANN, BOB}


def test_who_is_not_of_the_group_gets_answers_and_nothing_else(as_user, place):
    """They are computed each time; the key can't be read, nor the directory entered."""
    as_user(ANN)
    told = as_user(EVE, OTHERS, key=False)
    assert told == dict.fromkeys(HITS, "uncached") | {"again": ["uncached"] * 3}


def test_a_member_without_the_key_unpickles_nothing(as_user):
    """Pickles are computed each time; what others sealed does not count, and is not harmed."""
    as_user(ANN)
    told = as_user(BOB, key=False)
    assert told["fire/kind"] != "hit"
    assert told["again"][1] != "hit"
