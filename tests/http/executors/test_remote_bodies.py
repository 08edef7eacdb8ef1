"""Bodies that travel: what a worker on another machine refuses, before it starts anything."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rave_core import Runtime, using
from rave_http.executors import UnfitWorkerError
from rave_http.executors.remote import Answer, BodyHost, BodySender, RemoteBody
from rave_http.executors.remote.body import inode_of


def handed_over(remote: RemoteBody) -> Answer:
    """What the worker answers, in this process."""
    host = BodyHost("there", idle=1)
    return host.run(remote, is_wanted=lambda: True, tell=lambda *_: None, relay=lambda _: None)


def test_a_worker_with_another_release_refuses_a_body(make_runtime: Callable[..., Runtime], bodies: Any) -> None:
    """The error names the worker, the operation and both releases; the rest of the body is not even read."""
    with using(make_runtime()) as runtime:
        remote = BodySender(runtime.settings, {}).pack_calls("bodies/half", [bodies.half.bind(1)], runtime)
    foreign = replace(remote, release="1.9", content=b"what another release wrote")
    with pytest.raises(UnfitWorkerError) as refused:
        handed_over(foreign)
    says = f"the worker there can't run bodies/half: it has RAVE {remote.release}, and the sender has 1.9"
    assert str(refused.value) == says


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
