"""Reports: what goes wrong without costing anybody an answer is never silent."""

from __future__ import annotations

import gc
import logging
import threading
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rave_core import RaveWarning, Runtime, op, op_file, using
from rave_core.errors import UnstorableError

pytestmark = pytest.mark.usefixtures("runtime")
Ran = Callable[[], list[str]]


class Model:
    """Holds a lock, as many objects do, so that no key can stand for it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()


@dataclass
class Config:
    """Hides a model."""

    model: Any
    options: dict[str, Any] = field(default_factory=dict)


@op
def train(config, *more, **others):
    """Takes anything."""
    print("train")
    return 1


@op
def unstorable(x):
    """Gives what no codec keeps."""
    print("unstorable")
    return (i for i in [x])


@op
def array(n):
    """Gives something large."""
    return np.zeros(n)


@op_file
def file(out):
    """A file."""
    Path(out).write_text("x")


@pytest.mark.parametrize(
    ("ask", "path"),
    [
        (lambda: train(Config(Model())), "config.model"),
        (lambda: train(Config(1, {"a": [0, Model()]})), r"config.options\['a'\]\[1\]"),
        (lambda: train(1, 2, Model()), r"more\[1\]"),
        (lambda: train(1, extra=Model()), r"others\['extra'\]"),
        (lambda: train({1, (2, Model())}), "config"),
    ],
)
def test_a_call_that_can_have_no_key_is_answered_with_a_warning_that_says_where(
    ran: Ran, ask: Callable[[], int], path: str
) -> None:
    """Never with a key that leaves a part out; the warning points at the operation's own file."""
    with pytest.warns(RaveWarning, match=rf"train runs uncached: .*{path}") as caught:
        assert ask() == 1
    assert caught[0].filename == __file__
    assert ran() == ["train"]


def test_one_cause_is_warned_of_once(ran: Ran, caplog: pytest.LogCaptureFixture) -> None:
    """Whichever object it is, and however often; the log at its finest has them all."""
    with warnings.catch_warnings(record=True) as caught, caplog.at_level(logging.DEBUG, "rave"):
        warnings.simplefilter("always")
        for _ in range(5):
            train(Config(Model()))
            gc.collect()
    assert len([warning for warning in caught if warning.category is RaveWarning]) == 1
    assert caplog.text.count("runs uncached") == 5
    assert len(ran()) == 5


def test_a_warning_made_an_error_costs_nobody_an_answer() -> None:
    """Under ``-W error`` the call still returns; the log has the message."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert train(Config(Model())) == 1


def test_calls_without_a_key_have_none() -> None:
    """They can't be found, forgotten or dry-run."""
    with pytest.warns(RaveWarning):
        outcome = train.resolve(Model())
    assert (outcome.status, outcome.key, outcome.entry) == ("uncached", None, None)
    assert train.key(Model()) is None
    assert train.invalidate(Model()) is False
    assert train(Model(), rave_dry_run=True) is None


def test_a_value_that_cannot_be_kept_is_returned_all_the_same(ran: Ran) -> None:
    """With one warning that names the operation and the type."""
    with pytest.warns(RaveWarning, match=r"unstorable runs uncached.*generator") as caught:
        outcomes = [unstorable.resolve(1), unstorable.resolve(1)]
    assert [(outcome.status, list(outcome.value)) for outcome in outcomes] == [("uncached", [1])] * 2
    assert len(caught) == 1
    assert ran() == ["unstorable", "unstorable"]


def test_all_who_waited_for_a_value_that_cannot_be_kept_get_one(ran: Ran) -> None:
    """Each runs by itself, since a generator can't be shared."""
    answers: list[list[int]] = []
    start = threading.Barrier(4)

    def ask() -> None:
        start.wait(10)
        answers.append(list(unstorable(1)))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
    assert answers == [[1]] * 4
    assert len(ran()) == 4


def test_strict_mode_raises_where_a_value_cannot_be_kept(make_runtime: Callable[..., Runtime]) -> None:
    """For those who would rather know."""
    with using(make_runtime(strict=True)), pytest.raises(UnstorableError, match="generator"):
        unstorable(1)


def test_strict_mode_raises_where_a_store_fails(
    make_runtime: Callable[..., Runtime], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store's own error."""
    strict = make_runtime(strict=True)
    monkeypatch.setattr(strict.cache.backend, "put_value", _full)
    with using(strict), pytest.raises(OSError, match="No space left"):
        train(1)


def test_a_full_store_degrades_to_computing(runtime: Runtime, monkeypatch: pytest.MonkeyPatch, ran: Ran) -> None:
    """The value is returned and the failure reported with the store's URL; afterwards all is as before."""
    with monkeypatch.context() as broken:
        broken.setattr(runtime.cache.backend, "put_value", _full)
        with pytest.warns(RaveWarning, match=r"cache memory:// over file://.*could not keep an entry.*No space left"):
            assert train.resolve(1).status == "uncached"
        train(1)
    train(1)
    assert train.resolve(1).status == "hit"
    assert len(ran()) == 3


def test_a_store_that_cannot_be_read_degrades_to_computing(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch, ran: Ran
) -> None:
    """A broken disk costs time, not answers."""
    train(1)
    for name in ("get", "get_value"):
        monkeypatch.setattr(runtime.cache.backend, name, _full, raising=False)
    with pytest.warns(RaveWarning, match="could not read an entry"):
        assert train.resolve(1).value == 1
    assert len(ran()) == 2


def test_a_product_that_cannot_be_kept_is_still_a_file(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    """The caller gets the path of what was written, for file operations as for others."""
    monkeypatch.setattr(runtime.products.backend, "commit", _full)
    with pytest.warns(RaveWarning, match="could not keep an entry"):
        path = file()
    assert Path(path).read_text() == "x"


@pytest.mark.parametrize("damage", [lambda data: data[:-1], lambda data: data[:20], lambda data: b"", "flip"])
def test_a_damaged_entry_is_never_returned(
    tmp_path: Path, make_runtime: Callable[..., Runtime], ran: Ran, damage: Any
) -> None:
    """It is reported, made anew, and set aside."""
    train("x" * 100)
    (path,) = [file for file in (tmp_path / "data").rglob("*") if b"x" * 20 in _bytes(file)]
    data = path.read_bytes()
    flipped = data[:-40] + bytes([data[-40] ^ 1]) + data[-39:]
    path.write_bytes(flipped if damage == "flip" else damage(data))
    with using(make_runtime()):
        with pytest.warns(RaveWarning, match="is not used, and will be made anew"):
            assert train.resolve("x" * 100).status == "miss"
        assert train.resolve("x" * 100).status == "hit"
    assert len(ran()) == 2


def test_an_entry_moved_to_another_key_is_never_returned(tmp_path: Path, make_runtime: Callable[..., Runtime]) -> None:
    """A file that somebody renamed belongs to the key that it was made for."""
    echo = op(name="t/echo")(_echo)
    echo("x" * 100)
    echo("y" * 100)
    one, two = (
        next(file for file in (tmp_path / "data").rglob("*") if letter * 20 in _bytes(file)) for letter in (b"x", b"y")
    )
    one.write_bytes(two.read_bytes())
    with using(make_runtime()), pytest.warns(RaveWarning, match="is not used"):
        assert echo("x" * 100) == "x" * 100


def _echo(text):
    return text


def _bytes(file: Path) -> bytes:
    return file.read_bytes() if file.is_file() else b""


def _full(*_: Any, **__: Any) -> Any:
    raise OSError(28, "No space left on device")
