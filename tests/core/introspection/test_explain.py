"""None"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from rave_core import Runtime, duration_strategy, nocache, op, using
from rave_core.errors import OptionError
from rave_core.introspection.explain import computation_of
from rave_core.model import Status
from rave_core.storage.leases import LeaseWait
from rave_core.testing import FakeClock
from tests.core.introspection.explained import files, scaled


def test_a_kept_call_is_explained_as_a_hit(runtime: Runtime, clock: FakeClock) -> None:
    """Explaining tells when the result was made, and that it never expires."""
    scale = scaled()
    scale(1.0)
    clock.advance(180)
    found = scale.explain(1.0)
    assert found.status is Status.HIT
    assert found.reason == "a result was made 3 min ago and never expires"
    assert found.entry is not None
    assert found.entry.key == scale.key(1.0).text  # type: ignore[union-attr]  # it has one


def test_explaining_runs_nothing_and_keeps_nothing(runtime: Runtime) -> None:
    """After explaining and planning a call it is as unknown as before."""
    scale = scaled()
    assert scale.explain(1.0).status is Status.MISS
    assert scale.plan(1.0).to_run == 1
    assert list(runtime.cache.backend.keys()) == []


def test_an_operation_that_keeps_nothing_yet_is_said_to(runtime: Runtime) -> None:
    """Without any entry of the operation there is nothing to compare with."""
    found = scaled().explain(1.0)
    assert found.nearest is None
    assert found.differences == ()
    assert "no result of this operation is stored" in found.reason


def test_a_miss_names_the_argument_that_differs(runtime: Runtime) -> None:
    """The nearest entry is the one with the fewest other arguments; the difference shows both values."""
    scale = scaled()
    scale(5.0, 3.0, "far")
    scale(1.0, 3.0)
    found = scale.explain(1.0, 4.0)
    assert found.status is Status.MISS
    assert [(d.what, d.name, d.kept, d.asked) for d in found.differences] == [("argument", "by", "3.0", "4.0")]
    assert "by differs" in found.reason
    assert "by: 3.0 → 4.0" in str(found)


def test_a_changed_operation_is_named_as_the_difference(runtime: Runtime) -> None:
    """The same arguments under another version are nearer than other arguments."""
    scaled(version=1)(1.0)
    scaled(version=1)(7.0)
    found = scaled(version=2).explain(1.0)
    assert [(d.what, d.kept, d.asked) for d in found.differences] == [("version", "explicit 1", "explicit 2")]
    assert "the operation changed since" in found.reason


def test_both_differences_are_told(runtime: Runtime) -> None:
    """Where the code and an argument changed, both are named."""
    scaled(version=1)(1.0)
    found = scaled(version=2).explain(3.0)
    assert [d.what for d in found.differences] == ["argument", "version"]
    assert "value differs" in found.reason
    assert "changed since" in found.reason


def test_an_expired_result_is_explained_by_when_it_expired(runtime: Runtime, clock: FakeClock) -> None:
    """The entry of the very key is there, only too old."""
    scale = scaled(expires=duration_strategy(60))
    scale(1.0)
    clock.advance(120)
    found = scale.explain(1.0)
    assert found.status is Status.MISS
    assert found.reason == "a result was made 2 min ago and expired 1 min ago"
    assert found.entry is not None


def test_a_stale_result_that_is_still_served_is_explained_so(runtime: Runtime, clock: FakeClock) -> None:
    """Within stale_while_revalidate a call would get the old result."""
    scale = scaled(expires=60, stale_while_revalidate=600)
    scale(1.0)
    clock.advance(120)
    assert scale.explain(1.0).status is Status.STALE


def test_a_refresh_is_explained_as_a_refresh(runtime: Runtime) -> None:
    """Options count for the explanation, and an unknown one is refused as in a call."""
    scale = scaled()
    scale(1.0)
    assert scale.explain(1.0, rave_refresh=True).status is Status.REFRESHED
    with pytest.raises(OptionError, match="rave_refresh"):
        scale.explain(1.0, rave_refres=True)


def test_an_argument_without_an_encoding_is_named_by_its_path(runtime: Runtime) -> None:
    """A call that can't have a key is uncached, and the reason says where it fails."""
    found = scaled().explain({"deep": [object()]})
    assert found.status is Status.UNCACHED
    assert "args.value['deep'][0]" in found.reason
    assert found.key is None


def test_nocache_is_a_reason(runtime: Runtime) -> None:
    """An operation whose strategy is nocache never has anything kept."""
    found = scaled(expires=nocache).explain(1.0)
    assert found.status is Status.UNCACHED
    assert "nocache" in found.reason


def test_an_ignored_argument_is_no_difference(runtime: Runtime) -> None:
    """What is no part of the key does not show as a reason for a miss."""
    scale = scaled(ignore=["note"])
    scale(1.0, 2.0, "a")
    assert [d.name for d in scale.explain(3.0, 2.0, "b").differences] == ["value"]


def test_a_difference_that_does_not_show_is_admitted(runtime: Runtime) -> None:
    """Two long texts that look alike when shortened are told apart by name at least."""
    scale = scaled()
    scale(1.0, 2.0, "x" * 500 + "a" + "x" * 500)
    (difference,) = scale.explain(1.0, 2.0, "x" * 500 + "b" + "x" * 500).differences
    assert difference.name == "note"
    assert "does not show" in str(difference)


def test_without_recorded_arguments_the_reason_says_so(make_runtime: Callable[..., Runtime]) -> None:
    """Where arguments are not recorded there is nothing to compare, and the explanation says why."""
    with using(make_runtime(record_arguments=False)):
        scale = scaled()
        scale(1.0)
        assert "record_arguments is off" in scale.explain(2.0).reason


def test_a_damaged_entry_is_explained_and_left_alone(runtime: Runtime, tmp_path: Path) -> None:
    """Explaining finds a flipped byte, and changes nothing."""
    scale = scaled()
    scale(1.0)
    (frame,) = files(tmp_path, ".rave")
    content = bytearray(frame.read_bytes())
    content[-1] ^= 1
    frame.write_bytes(content)
    found = scale.explain(1.0)
    assert found.status is Status.MISS
    assert "can't be used" in found.reason
    assert frame.read_bytes() == content


def test_who_computes_a_call_is_told(runtime: Runtime) -> None:
    """While a process holds the lease of a key, its explanation says which."""
    scale = scaled()
    key = scale.key(1.0)
    resolved = scale.resolved()
    assert key is not None
    assert resolved.leases is not None
    assert computation_of(resolved, key.text) is None
    lease = LeaseWait(resolved.leases, key.text, "test").attempt()
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
