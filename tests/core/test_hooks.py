"""Hooks: each with a real implementation in a plugin, with no change to ours (R20)."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import rave_backends.plugin
from rave_core import RaveWarning, Runtime, Settings, expires, op, typemap, using, version
from rave_core.backend import Backend
from rave_core.converters import Converter
from rave_core.errors import ArgumentError, ConfigurationError
from rave_core.hookspecs import hookimpl
from rave_core.plugins.discovery import FoundPlugin, Plugins

Ran = Callable[[], list[str]]


class EvictingMap(Backend):
    """A backend of a plugin's author: a dict, and nothing beyond what every backend must do."""

    blocking = False
    shelves: dict[str, dict[str, bytes]] = {}  # noqa: RUF012  # emptied by the fixture

    def __init__(self, url: Any) -> None:
        self.frames = self.shelves.setdefault(url.host, {})
        self.broken = url.take("broken", str, "")
        url.done()

    def get(self, key: str) -> bytes | None:
        """The frame."""
        if self.broken:
            raise OSError(f"the shelf broke: {self.broken}")
        return self.frames.get(key)

    def put(self, key: str, frame: Any) -> None:
        """Joins the pieces."""
        if self.broken:
            raise OSError(f"the shelf broke: {self.broken}")
        self.frames[key] = b"".join(frame)

    def delete(self, key: str) -> bool:
        """Whether it was there."""
        return self.frames.pop(key, None) is not None

    def keys(self, prefix: str = "") -> Iterator[str]:
        """Those with the prefix."""
        return iter([key for key in self.frames if key.startswith(prefix)])

    def close(self) -> None:
        """Nothing is open."""

    def secret(self) -> bytes:
        """This process is the only one that can read it."""
        return b"0" * 32


class Celsius:
    """A value of a plugin's author, which pickle would refuse."""

    def __init__(self, degrees: float) -> None:
        self.degrees = degrees

    def __reduce__(self) -> str:
        raise TypeError("not by pickle")


class CelsiusCodec:
    """Keeps it as text."""

    name = "celsius"
    data_only = True

    def encode(self, value: Any) -> list[bytes] | None:
        """One segment, of exactly its own type."""
        return [json.dumps(value.degrees).encode()] if type(value) is Celsius else None

    def decode(self, segments: Any) -> Celsius:
        """And back."""
        return Celsius(json.loads(bytes(segments[0])))


class Roman(Converter):
    """A type of a plugin's author."""

    name = "roman"

    def convert(self, value: Any) -> int:
        """Three will do for a test."""
        if isinstance(value, int):
            return value
        if value not in ("I", "II", "III"):
            raise ValueError("no Roman number up to three")
        return len(value)


class Good:
    """Registers one of each."""

    @hookimpl
    def rave_register_backends(self, registry: Any) -> None:
        """A scheme."""
        registry.add("shelf", EvictingMap, origin="good")

    @hookimpl
    def rave_register_codecs(self, registry: Any) -> None:
        """A codec."""
        registry.add(CelsiusCodec(), origin="good")

    @hookimpl
    def rave_register_strategies(self, registry: Any) -> None:
        """A strategy."""
        registry.add("minute", lambda request: request.generated_at + 60, origin="good")

    @hookimpl
    def rave_register_versions(self, registry: Any) -> None:
        """A version strategy."""
        registry.add("release", lambda spec: b"2.0 of " + spec.name.encode(), origin="good")

    @hookimpl
    def rave_register_converters(self, registry: Any) -> None:
        """A converter."""
        registry.add("roman", Roman(), origin="good")

    @hookimpl
    def rave_register_commands(self, registry: Any) -> None:
        """A command."""
        registry.add("hello", print, origin="good")


class Hooks:
    """A plugin made of single hooks, each given as a function."""

    def __init__(self, **hooks: Callable[..., Any]) -> None:
        for name, function in hooks.items():
            setattr(self, name, hookimpl(function))


@pytest.fixture
def using_plugins(tmp_path: Path) -> Callable[..., Any]:
    """Uses a runtime with our own backends and these plugins; keywords are settings."""
    EvictingMap.shelves.clear()

    def use(*plugins: object, **settings: Any) -> Any:
        found = [FoundPlugin("backends", "rave_backends.plugin", rave_backends.plugin)]
        found += [FoundPlugin(f"p{number}", f"origin{number}", plugin) for number, plugin in enumerate(plugins)]
        settings.setdefault("cache", ["memory://"])
        settings.setdefault("products", [f"file://{tmp_path}/products"])
        return using(Runtime(Settings(**settings), plugins=Plugins(found)))

    return use


@op
def plain(x):
    """An operation like any other."""
    print("plain", x)
    return x


def test_a_backend_of_a_plugin_keeps_results(using_plugins: Any, ran: Ran) -> None:
    """It needs no more than the five methods that every backend has."""
    with using_plugins(Good(), cache=["shelf://one"]) as runtime:
        assert plain(1) == plain(1) == 1
        assert plain([1]) == [1]
        assert list(runtime.cache.backend.keys())
    assert len(EvictingMap.shelves["one"]) == 2
    with using_plugins(Good(), cache=["shelf://one"]):
        assert plain(1) == 1
    assert ran() == ["plain 1", "plain [1]"]


def test_our_own_layers_take_a_backend_of_a_plugin(using_plugins: Any, ran: Ran) -> None:
    """A list of URLs may name backends of several plugins."""
    with using_plugins(Good(), cache=["memory://", "shelf://one"]):
        plain(1)
    with using_plugins(Good(), cache=["memory://", "shelf://one"]):
        plain(1)
    assert ran() == ["plain 1"]


def test_a_plugin_may_put_backends_into_layers_itself(using_plugins: Any) -> None:
    """Its answer is used, if it has one."""
    seen: list[Any] = []
    with using_plugins(
        Good(),
        Hooks(rave_layer_backends=lambda backends: seen.append(backends) or backends[-1]),
        cache=["memory://", "shelf://two"],
    ) as runtime:
        assert isinstance(runtime.cache.backend, EvictingMap)
    assert sorted(len(each) for each in seen) == [1, 2]  # products have one, and are asked for too


def test_a_codec_of_a_plugin_goes_before_our_own(using_plugins: Any, ran: Ran) -> None:
    """So that it can keep what ours can't; its name is in the entry."""
    made = op(name="t/celsius")(_celsius)
    with using_plugins(Good()):
        outcome = made.resolve(5)
        assert outcome.entry.codec == "celsius"
        found = made(5)
        assert (type(found), found.degrees) == (Celsius, 5)
    assert ran() == ["celsius"]


def test_names_of_a_plugin_work_in_decorators_and_settings(using_plugins: Any) -> None:
    """A strategy, a version strategy and a converter."""
    made = op(name="t/named")(expires("minute")(version(strategy="release")(typemap("roman")(_given()))))
    with using_plugins(Good()):
        entry = made.resolve("II").entry
        assert (entry.expires_at - entry.created_at, entry.version_note) == (60, "release")
        assert made(2) == made("II") == made(number="II") == 2
        with pytest.raises(ArgumentError, match=r"t/named.*'number'.*'IV'.*roman.*no Roman number"):
            made("IV")
    with using_plugins(Good(), version="release"):
        assert plain.resolve(1).entry.version_note == "release"


def test_a_name_of_a_plugin_that_is_missing(using_plugins: Any) -> None:
    """An error that names the operation and what it asked for."""
    with using_plugins():
        with pytest.raises(ConfigurationError, match=r"t/a.*minute"):
            op(name="t/a", expires="minute")(_given())(1)
        with pytest.raises(ConfigurationError, match=r"t/b.*release"):
            op(name="t/b")(version(strategy="release")(_given()))(1)
        with pytest.raises(LookupError, match="roman"):
            op(name="t/c", typemap=("roman",))(_given())(1)
    with pytest.raises(ConfigurationError, match=r"shelf://one.*backend.*'shelf'"):
        using_plugins(cache=["shelf://one"])


def test_commands_are_registered(using_plugins: Any) -> None:
    """By name."""
    with using_plugins(Good()) as runtime:
        assert runtime.plugins.commands["hello"] is print


def test_a_plugin_may_choose_the_backend(using_plugins: Any, ran: Ran) -> None:
    """For the operations that it wants; ``None`` says "not mine"."""
    chooser = Hooks(rave_choose_backend=lambda spec: "shelf://chosen" if spec.tags else None)
    tagged = op(name="t/tagged", tags=["far"])(_given())
    with using_plugins(Good(), chooser):
        tagged(1)
        plain(1)
    assert [key.split("/")[1] for key in EvictingMap.shelves["chosen"]] == ["tagged"]


def test_a_plugin_may_give_the_default_strategy(using_plugins: Any) -> None:
    """A strategy, its name or a duration, for operations that name none."""
    for answer, seconds in (("minute", 60), ("5m", 300), (7, 7), (lambda request: request.generated_at + 3, 3)):
        with using_plugins(Good(), Hooks(rave_default_strategy=lambda spec, answer=answer: answer)):
            entry = plain.resolve(1).entry
            assert entry.expires_at - entry.created_at == pytest.approx(seconds)
            own = op(name="t/own", expires=1000)(_given()).resolve(1).entry
            assert own.expires_at - own.created_at == 1000


def test_a_plugin_may_give_the_version(using_plugins: Any) -> None:
    """In place of the configured strategy; ``@version`` goes before it."""
    versions = []
    for answer in (b"1", b"2", None, b"1"):
        with using_plugins(Hooks(rave_operation_version=lambda spec, answer=answer: answer)):
            versions.append(plain.key(1).version)
            assert op(name="t/v", version=3)(_given()).resolve(1).entry.version_note == "explicit 3"
    assert versions[0] == versions[3]
    assert len(set(versions)) == 3


def test_a_plugin_may_compute_in_place_of_the_body(using_plugins: Any, ran: Ran) -> None:
    """The value comes boxed, so that ``None`` can be one; without an answer the body runs."""
    boxes: dict[int, Any] = {1: ("computed",), 2: (None,)}
    with using_plugins(Hooks(rave_compute=lambda call: boxes.get(call.args[0]))):
        assert [plain(1), plain(1), plain(2), plain(3)] == ["computed", "computed", None, 3]
        assert plain.resolve(2).status == "hit"
    assert ran() == ["plain 3"]


def test_observers_hear_of_calls_entries_and_trouble(using_plugins: Any) -> None:
    """With the facts, for hits as for misses."""
    heard: list[Any] = []
    observer = Hooks(
        rave_called=lambda call, outcome, seconds: heard.append(
            ("called", call.args, outcome.status.value, seconds >= 0)
        ),
        rave_entry_stored=lambda key, entry: heard.append(("stored", key.text == entry.key)),
        rave_backend_failed=lambda backend, action, error: heard.append(("failed", backend, action, str(error))),
    )
    with using_plugins(observer):
        plain(1)
        plain(1)
    assert heard == [("stored", True), ("called", (1,), "miss", True), ("called", (1,), "hit", True)]
    heard.clear()
    with using_plugins(Good(), observer, cache=["shelf://one?broken=yes"]), pytest.warns(RaveWarning):
        assert plain(1) == 1
    assert [event[:3] for event in heard] == [
        ("failed", "shelf://one?broken=yes", "read an entry"),
        ("failed", "shelf://one?broken=yes", "keep an entry"),
        ("called", (1,), "uncached"),
    ]


def test_an_observer_that_raises_costs_nobody_an_answer(using_plugins: Any, caplog: pytest.LogCaptureFixture) -> None:
    """It is logged, and the other observers are heard."""
    heard: list[str] = []
    broken = Hooks(rave_called=lambda call: 1 / 0, rave_entry_stored=lambda key: 1 / 0)
    with caplog.at_level(logging.ERROR), using_plugins(broken):
        assert plain(1) == plain(1) == 1
    assert "rave_called failed" in caplog.text
    assert "rave_entry_stored failed" in caplog.text
    del heard


def _celsius(degrees):
    print("celsius")
    return Celsius(degrees)


def _given():
    def given(number):
        return number

    return given
