"""Bodies that travel: what a worker on another machine refuses, before it starts anything."""

from __future__ import annotations

import os
import pickle
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib.util import module_from_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from rave_core import Runtime, Settings, op, using
from rave_http.executors import BusyError, UnfitWorkerError
from rave_http.executors.handover import MisfitError
from rave_http.executors.remote import Answer, BodyHost, BodySender, RemoteBody
from rave_http.executors.remote.bare_settings import bare, restored
from rave_http.executors.remote.body import inode_of


def handed_over(remote: RemoteBody) -> Answer:
    """What the worker answers, in this process."""
    host = BodyHost("there", idle=1)
    return host.run(remote, is_wanted=lambda: True, tell=lambda *_: None, relay=lambda _: None)


def loaded_again(module: ModuleType) -> ModuleType:
    """Another module of the same file and name."""
    spec = module.__spec__
    assert spec is not None
    assert spec.loader is not None
    made = module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def test_a_worker_with_another_release_refuses_a_body(make_runtime: Callable[..., Runtime], bodies: Any) -> None:
    """The error names the worker, the operation and both releases; the rest of the body is not even read."""
    with using(make_runtime()) as runtime:
        remote = BodySender(runtime.settings, {}).pack_calls("bodies/half", [bodies.half.bind(1)], runtime)
    foreign = replace(remote, release="1.9", content=b"what another release wrote")
    with pytest.raises(UnfitWorkerError) as refused:
        handed_over(foreign)
    says = f"the worker there can't run bodies/half: it has RAVE {remote.release}, and the sender has 1.9"
    assert str(refused.value) == says


def test_a_call_whose_code_was_replaced_is_asked_for_again(
    make_runtime: Callable[..., Runtime], bodies: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its module was loaded anew while it waited. An operation that its name does not lead to stays a mistake."""
    call, anew = bodies.half.bind(1), loaded_again(bodies)
    monkeypatch.setattr(anew, "half", op(version="2")(anew.half.function))
    with using(make_runtime()) as runtime:
        sender = BodySender(runtime.settings, {})
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, bodies.__name__, anew)
            with pytest.raises(BusyError, match="bodies/half was replaced while this call waited"):
                sender.pack_calls("bodies/half", [call], runtime)
        monkeypatch.delattr(bodies, "half")
        with pytest.raises(UnfitWorkerError, match="has no such 'half', or another one by now"):
            sender.pack_calls("bodies/half", [call], runtime)


def test_a_call_whose_module_was_loaded_again_with_the_same_code_goes_on(
    make_runtime: Callable[..., Runtime], bodies: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after an edit of something else in its namespace: the worker finds the operation in the same place."""
    call, anew = bodies.half.bind(1), loaded_again(bodies)
    with using(make_runtime()) as runtime:
        sender = BodySender(runtime.settings, {})
        before = pickle.loads(sender.pack_calls("bodies/half", [call], runtime).content)
        monkeypatch.setitem(sys.modules, bodies.__name__, anew)
        after = pickle.loads(sender.pack_calls("bodies/half", [call], runtime).content)
    assert (after.body.place, after.body.version) == (before.body.place, before.body.version)


def test_secrets_in_settings_do_not_travel(bodies: Any, tmp_path: Path) -> None:
    """Neither in what is sent, nor as a digest; what only a service needs stays behind as well."""
    secret = {"flow": {"root": "/x", "api_token": "hunter2", "db": ["pg://u:hunter2@h/d"]}}
    settings = Settings(
        cache=f"file://{tmp_path}/data",
        products=f"file://{tmp_path}/products",
        documents="postgresql://me:hunter2@db/rave",
        service={"keys_file": "/etc/rave/keys"},
        plugins=secret,
    )
    packed = []
    for plugins in (secret, {"flow": {**secret["flow"], "api_token": "another"}}):
        with using(Runtime(replace(settings, plugins=plugins))) as runtime:
            sender = BodySender(runtime.settings, {})
            packed.append(sender.pack_calls("bodies/half", [bodies.half.bind(1)], runtime))
    content = pickle.loads(packed[0].content)
    assert b"hunter2" not in pickle.dumps(packed[0])
    assert set(content.hidden) == {"documents", "plugins"}
    assert content.settings.plugins["flow"] == {"root": "/x", "api_token": "***", "db": ["pg://***@h/d"]}
    assert content.settings.service == {}
    assert packed[0].environment.partition("/")[0] == packed[1].environment.partition("/")[0]


def test_a_worker_takes_secrets_from_its_own_settings() -> None:
    """If they fit the rest; else it names the setting that it lacks. A value that only looks hidden is none."""
    sent = Settings(
        cache="file:///shared",
        events="valkey://me:hunter2@bus",
        plugins={"flow": {"root": "/x", "api_token": "hunter2"}, "web": {"agent": "***"}},
    )
    travelling, hidden = bare(sent)
    assert restored(travelling, hidden, sent) == replace(sent, service={}, release=None)
    other = replace(sent, events="valkey://me:hunter2@other")
    with pytest.raises(MisfitError, match="the setting 'events' has one: give the worker the same 'events'"):
        restored(travelling, hidden, other)
    with pytest.raises(MisfitError, match="the setting 'plugins' has one"):
        restored(travelling, hidden, replace(sent, plugins={}))


def test_a_worker_without_the_secrets_refuses_a_body(
    bodies: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """By name, before anything starts."""
    monkeypatch.chdir(tmp_path)
    settings = Settings(cache=f"file://{tmp_path}/data", plugins={"flow": {"api_token": "hunter2"}})
    with using(Runtime(settings)) as runtime:
        remote = BodySender(runtime.settings, {}).pack_calls("bodies/half", [bodies.half.bind(1)], runtime)
    with pytest.raises(UnfitWorkerError, match="the worker there can't run bodies/half: passwords and the like"):
        handed_over(remote)


def test_a_worker_with_other_products_refuses_calls_that_make_files(
    make_runtime: Callable[..., Runtime], bodies: Any, tmp_path: Path
) -> None:
    """It would give paths that are good on its own machine only."""
    with using(make_runtime(products=f"file://{tmp_path}/products")) as runtime:
        sender = BodySender(runtime.settings, {})
        calls = [bodies.page.bind("x")]
        remote = sender.pack_calls("bodies/page", calls, runtime)
        os.rename(tmp_path / "products", tmp_path / "elsewhere")
        (tmp_path / "products").mkdir()
        with pytest.raises(UnfitWorkerError, match="where it makes its file, is another directory there"):
            handed_over(remote)
        directory, inode = pickle.loads(sender.pack_calls("bodies/page", calls, runtime).content).inode
        assert inode_of(directory) == inode
