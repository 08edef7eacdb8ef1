from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rave_core import Operation, Runtime, duration_strategy, nocache, op, op_file, using
from rave_core.errors import DamagedError, OptionError, UnknownNameError
from rave_core.introspection.explain import computation_of
from rave_core.introspection.plan import Need
from rave_core.model import Status
from rave_core.runtime.runtime import current_runtime
from rave_core.storage.leases import Watch
from rave_core.storage.listing import Health, check_entry, entries_of, find_entry, short_id, verify
from rave_core.testing import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    """A clock of the test's own."""
    return FakeClock()


@pytest.fixture
def runtime(make_runtime: Callable[..., Runtime], clock: FakeClock) -> Iterator[Runtime]:
    """A runtime that goes by that clock, over directories alone, so that files can be damaged."""
    root = make_runtime().settings.cache[-1]
    with using(make_runtime(clock=clock, cache=[root])) as entered:
        yield entered


def _scaled(version: int = 1, **keywords: Any) -> Operation[..., Any]:
    def scale(value: float, by: float = 2.0, note: str = "") -> float:
        """A value, scaled."""
        return value * by

    return op(name="test/scale", version=version, **keywords)(scale)


def _files(tmp_path: Path, suffix: str) -> list[Path]:
    return [path for path in tmp_path.rglob(f"*{suffix}") if ".rave/" not in str(path) and path.is_file()]


def test_a_kept_call_is_explained_as_a_hit(runtime: Runtime, clock: FakeClock) -> None:
    """Explaining tells when the result was made, and that it never expires."""
    scale = _scaled()
    scale(1.0)
    clock.advance(180)
    found = scale.explain(1.0)
    assert found.status is Status.HIT
    assert found.reason == "a result was made 3 min ago and never expires"
    assert found.entry is not None
    assert found.entry.key == scale.key(1.0).text  # type: ignore[union-attr]  # it has one


def test_explaining_runs_nothing_and_keeps_nothing(runtime: Runtime) -> None:
    """After explaining and planning a call it is as unknown as before."""
    scale = _scaled()
    assert scale.explain(1.0).status is Status.MISS
    assert scale.plan(1.0).to_run == 1
    assert list(runtime.cache.backend.keys()) == []


def test_an_operation_that_keeps_nothing_yet_is_said_to(runtime: Runtime) -> None:
    """Without any entry of the operation there is nothing to compare with."""
    found = _scaled().explain(1.0)
    assert found.nearest is None
    assert found.differences == ()
    assert "no result of this operation is kept" in found.reason


def test_a_miss_names_the_argument_that_differs(runtime: Runtime) -> None:
    """The nearest entry is the one with the fewest other arguments; the difference shows both values."""
    scale = _scaled()
    scale(5.0, 3.0, "far")
    scale(1.0, 3.0)
    found = scale.explain(1.0, 4.0)
    assert found.status is Status.MISS
    assert [(d.what, d.name, d.kept, d.asked) for d in found.differences] == [("argument", "by", "3.0", "4.0")]
    assert "by differs" in found.reason
    assert "by: 3.0 → 4.0" in str(found)


def test_a_changed_operation_is_named_as_the_difference(runtime: Runtime) -> None:
    """The same arguments under another version are nearer than other arguments."""
    _scaled(version=1)(1.0)
    _scaled(version=1)(7.0)
    found = _scaled(version=2).explain(1.0)
    assert [(d.what, d.kept, d.asked) for d in found.differences] == [("version", "explicit 1", "explicit 2")]
    assert "the operation changed since" in found.reason


def test_both_differences_are_told(runtime: Runtime) -> None:
    """Where the code and an argument changed, both are named."""
    _scaled(version=1)(1.0)
    found = _scaled(version=2).explain(3.0)
    assert [d.what for d in found.differences] == ["argument", "version"]
    assert "value differs" in found.reason
    assert "changed since" in found.reason


def test_an_expired_result_is_explained_by_when_it_expired(runtime: Runtime, clock: FakeClock) -> None:
    """The entry of the very key is there, only too old."""
    scale = _scaled(expires=duration_strategy(60))
    scale(1.0)
    clock.advance(120)
    found = scale.explain(1.0)
    assert found.status is Status.MISS
    assert found.reason == "a result was made 2 min ago and expired 1 min ago"
    assert found.entry is not None


def test_a_stale_result_that_is_still_served_is_explained_so(runtime: Runtime, clock: FakeClock) -> None:
    """Within stale_while_revalidate a call would get the old result."""
    scale = _scaled(expires=60, stale_while_revalidate=600)
    scale(1.0)
    clock.advance(120)
    assert scale.explain(1.0).status is Status.STALE


def test_a_refresh_is_explained_as_a_refresh(runtime: Runtime) -> None:
    """Options count for the explanation, and an unknown one is refused as in a call."""
    scale = _scaled()
    scale(1.0)
    assert scale.explain(1.0, rave_refresh=True).status is Status.REFRESHED
    with pytest.raises(OptionError, match="rave_refresh"):
        scale.explain(1.0, rave_refres=True)


def test_an_argument_without_an_encoding_is_named_by_its_path(runtime: Runtime) -> None:
    """A call that can't have a key is uncached, and the reason says where it fails."""
    found = _scaled().explain({"deep": [object()]})
    assert found.status is Status.UNCACHED
    assert "args.value['deep'][0]" in found.reason
    assert found.key is None


def test_nocache_is_a_reason(runtime: Runtime) -> None:
    """An operation whose strategy is nocache never has anything kept."""
    found = _scaled(expires=nocache).explain(1.0)
    assert found.status is Status.UNCACHED
    assert "nocache" in found.reason


def test_an_ignored_argument_is_no_difference(runtime: Runtime) -> None:
    """What is no part of the key does not show as a reason for a miss."""
    scale = _scaled(ignore=["note"])
    scale(1.0, 2.0, "a")
    assert [d.name for d in scale.explain(3.0, 2.0, "b").differences] == ["value"]


def test_a_difference_that_does_not_show_is_admitted(runtime: Runtime) -> None:
    """Two long texts that look alike when shortened are told apart by name at least."""
    scale = _scaled()
    scale(1.0, 2.0, "x" * 500 + "a" + "x" * 500)
    (difference,) = scale.explain(1.0, 2.0, "x" * 500 + "b" + "x" * 500).differences
    assert difference.name == "note"
    assert "does not show" in str(difference)


def test_without_recorded_arguments_the_reason_says_so(make_runtime: Callable[..., Runtime]) -> None:
    """Where arguments are not recorded there is nothing to compare, and the explanation says why."""
    with using(make_runtime(record_arguments=False)):
        scale = _scaled()
        scale(1.0)
        assert "record_arguments is off" in scale.explain(2.0).reason


def test_a_damaged_entry_is_explained_and_left_alone(runtime: Runtime, tmp_path: Path) -> None:
    """Explaining finds a flipped byte, and changes nothing."""
    scale = _scaled()
    scale(1.0)
    (frame,) = _files(tmp_path, ".rave")
    content = bytearray(frame.read_bytes())
    content[-1] ^= 1
    frame.write_bytes(content)
    found = scale.explain(1.0)
    assert found.status is Status.MISS
    assert "can't be used" in found.reason
    assert frame.read_bytes() == content


def test_who_computes_a_call_is_told(runtime: Runtime) -> None:
    """While a process holds the lease of a key, its explanation says which."""
    scale = _scaled()
    key = scale.key(1.0)
    resolved = scale.resolved()
    assert key is not None
    assert resolved.leases is not None
    assert computation_of(resolved, key.text) is None
    lease = Watch(resolved.leases, key.text, "test").attempt()
    assert lease is not None
    found = computation_of(resolved, key.text)
    assert found is not None
    assert found.is_ours
    assert scale.explain(1.0).computing == f"being computed by process {lease.record.pid}"
    resolved.leases.release(lease)


def test_methods_can_be_explained_and_planned(runtime: Runtime) -> None:
    """A bound operation fills in its instance, as for a call."""

    class Scale:
        def __rave_key__(self) -> int:
            return 1

        @op(name="test/method", version=1)
        def by(self, value: int) -> int:
            return value * 2

    Scale().by(3)
    assert Scale().by.explain(3).status is Status.HIT
    assert Scale().by.plan(3).to_run == 0


_operations: dict[str, Operation[..., Any]] = {}


def _leaf(n: int) -> int:
    current_runtime().clock.advance(10)  # type: ignore[attr-defined]  # the test's own clock
    return n


def _root(count: int) -> int:
    current_runtime().clock.advance(1)  # type: ignore[attr-defined]  # likewise
    return sum(_operations["leaf"](n) for n in range(count))


def _tree(version: int = 1) -> tuple[Operation[..., Any], Operation[..., Any]]:
    _operations["leaf"] = op(name="test/leaf", version=version, expires=100)(_leaf)
    return op(name="test/root", version=version, expires=50)(_root), _operations["leaf"]


@pytest.fixture
def tree(runtime: Runtime, clock: FakeClock) -> tuple[Operation[..., Any], Operation[..., Any], FakeClock]:
    """An operation of one second over others of ten, by the clock of the runtime."""
    return (*_tree(), clock)


def test_a_kept_call_needs_nothing(tree: tuple[Any, Any, FakeClock]) -> None:
    """The plan of a fresh result is one cached step, and takes no time."""
    root, _, _ = tree
    root(3)
    plan = root.plan(3)
    assert [(step.need, step.depth) for step in plan.steps] == [(Need.CACHED, 0)]
    assert plan.seconds == 0


def test_a_plan_tells_which_steps_run_and_how_long_that_takes(tree: tuple[Any, Any, FakeClock]) -> None:
    """Once the root expired its own second is due; the leaves that are still fresh cost nothing."""
    root, leaf, clock = tree
    root(3)
    clock.advance(60)
    leaf.invalidate(1)
    plan = root.plan(3)
    assert [(step.depth, step.need) for step in plan.steps] == [
        (0, Need.RUN),
        (1, Need.CACHED),
        (1, Need.RUN),
        (1, Need.CACHED),
    ]
    assert plan.steps[0].basis == "the last time"
    assert plan.steps[2].basis == "other calls of the operation"
    assert plan.steps[2].seconds == pytest.approx(10)
    assert plan.to_run == 2


def test_the_time_of_a_step_is_its_own(tree: tuple[Any, Any, FakeClock]) -> None:
    """What its children took while it ran is theirs, so that the sum is right."""
    root, _, clock = tree
    root(3)
    clock.advance(1000)
    plan = root.plan(3)
    assert [step.seconds for step in plan.steps] == pytest.approx([1, 10, 10, 10])
    assert plan.seconds == pytest.approx(31)


def test_a_plan_after_a_change_goes_by_the_earlier_version(runtime: Runtime) -> None:
    """Results of other versions still tell the steps, and how long they take."""
    _tree(version=1)[0](2)
    plan = _tree(version=2)[0].plan(2)
    assert [step.need for step in plan.steps] == [Need.RUN] * 3
    assert {step.basis for step in plan.steps} == {"an earlier version"}
    assert plan.seconds == pytest.approx(21)


def test_a_step_that_is_asked_twice_runs_once(runtime: Runtime, clock: FakeClock) -> None:
    """In a plan of Fibonacci numbers each number runs once; where it is asked again it is shared."""

    def fib(n: int) -> int:
        return n if n < 2 else int(fib_op(n - 1)) + int(fib_op(n - 2))

    fib_op = op(name="test/fib", version=1, expires=10)(fib)
    fib_op(20)
    clock.advance(20)
    plan = fib_op.plan(20)
    assert plan.to_run == 21
    assert sum(step.need is Need.SHARED for step in plan.steps) == 18


def test_a_call_that_was_never_made_has_no_known_time(runtime: Runtime) -> None:
    """Without any record the plan says that it does not know, instead of a number."""
    plan = _scaled().plan(1.0)
    assert plan.seconds is None
    assert plan.steps[0].basis == "never computed"


def test_an_entry_is_found_by_the_beginning_of_its_key_or_digest(runtime: Runtime) -> None:
    """What is unique is enough; what is not is refused with its candidates."""
    scale = _scaled()
    keys = [scale.key(value) for value in (1.0, 2.0)]
    scale(1.0)
    scale(2.0)
    for key in keys:
        assert key is not None
        for name in (key.text, key.text[:-5], short_id(key.text), short_id(key.text)[:8]):
            assert find_entry([runtime.cache], name).entry.key == key.text
    with pytest.raises(UnknownNameError, match="means 2 entries"):
        find_entry([runtime.cache], "test/scale")
    with pytest.raises(UnknownNameError, match="no entry is called 'nope'"):
        find_entry([runtime.cache], "nope")


def test_operations_whose_names_begin_alike_are_kept_apart(runtime: Runtime) -> None:
    """Entries of a/b/c are none of a/b."""
    op(name="test/a", version=1)(_identity)(1)
    op(name="test/a/b", version=1)(_identity)(1)
    assert [entry.key.rsplit("/", 2)[0] for entry in entries_of(runtime.cache, "test/a", most=9)] == ["test/a"]


def _identity(value: int) -> int:
    return value


def test_a_header_longer_than_usual_is_read_whole(runtime: Runtime) -> None:
    """Many children make a header that does not fit into the first read."""

    def many(count: int) -> int:
        return sum(leaf(n) for n in range(count))

    leaf = op(name="test/leaf", version=1)(_identity)
    op(name="test/many", version=1)(many)(300)
    (entry,) = entries_of(runtime.cache, "test/many", most=1)
    assert len(entry.children) == 300


def test_verifying_finds_every_flipped_byte(runtime: Runtime, tmp_path: Path) -> None:
    """Wherever one bit of an entry changes, it is no longer sound; untouched it is."""
    _scaled()(1.0)
    (frame,) = _files(tmp_path, ".rave")
    content = frame.read_bytes()
    assert [verdict.health for verdict in verify(runtime.cache)] == [Health.SOUND]
    for index in range(len(content)):
        changed = bytearray(content)
        changed[index] ^= 0x10
        frame.write_bytes(changed)
        assert [verdict.health for verdict in verify(runtime.cache)] != [Health.SOUND], index


def test_repairing_sets_the_damaged_aside_and_nothing_else(runtime: Runtime, tmp_path: Path) -> None:
    """After a repair the sound entry is still there, and the damaged one is not."""
    scale = _scaled()
    scale(1.0)
    (frame,) = _files(tmp_path, ".rave")
    scale(2.0)
    frame.write_bytes(frame.read_bytes()[:-1])
    assert sorted(verdict.health for verdict in verify(runtime.cache, repair=True)) == [Health.DAMAGED, Health.SOUND]
    assert [verdict.health for verdict in verify(runtime.cache)] == [Health.SOUND]


def test_a_changed_or_missing_product_is_damaged(runtime: Runtime, tmp_path: Path) -> None:
    """The bytes of a file are checked against its entry."""

    def write(out: str) -> None:
        Path(out).write_text("text")

    product = Path(op_file(name="test/file", version=1)(write)())
    (key,) = runtime.products.backend.keys()
    assert check_entry(runtime.products, key) is not None
    product.write_text("tExt")
    with pytest.raises(DamagedError, match="is not what was kept"):
        check_entry(runtime.products, key)
    product.unlink()
    with pytest.raises(DamagedError, match="is gone"):
        check_entry(runtime.products, key)
