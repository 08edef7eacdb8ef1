"""The hook implementations."""

from __future__ import annotations

import subprocess
import sys

import pluggy

from rave_backends import plugin
from rave_backends.filesystem.backend import FilesystemBackend
from rave_backends.layered.backend import LayeredBackend
from rave_backends.memory.backend import MemoryBackend
from rave_backends.object_store.backend import ObjectStoreBackend
from rave_core import hookspecs
from rave_core.backend import BackendFactory, StoreURL
from rave_core.registry import Registry


def manager():
    """A plugin manager that knows the hooks and this plugin."""
    manager = pluggy.PluginManager("rave")
    manager.add_hookspecs(hookspecs)
    manager.register(plugin)
    manager.check_pending()
    return manager


def test_backends_are_registered_by_scheme(tmp_path):
    """Memory, files and three kinds of object stores, each opened from its URL."""
    registry: Registry[BackendFactory] = Registry("backend")
    manager().hook.rave_register_backends(registry=registry)
    assert sorted(registry) == ["az", "file", "gs", "memory", "s3"]
    assert registry.origin("file") == "rave_backends"
    assert isinstance(registry.find("memory")(StoreURL("memory://")), MemoryBackend)
    assert isinstance(registry.find("file")(StoreURL(f"file://{tmp_path}/c")), FilesystemBackend)
    assert isinstance(registry.find("s3")(StoreURL("s3://bucket")), ObjectStoreBackend)


def test_several_backends_become_layers():
    """In the order given; a single one stays as it is."""
    one, two = MemoryBackend(), MemoryBackend()
    hook = manager().hook
    assert hook.rave_layer_backends(backends=[one]) is one
    layered = hook.rave_layer_backends(backends=[one, two])
    assert isinstance(layered, LayeredBackend)
    assert layered.layers == (one, two)


def test_registering_loads_no_backend():
    """What is not used costs no time."""
    script = (
        "import sys, rave_backends.plugin; print(sorted(n for n in sys.modules if 'cachetools' in n or 'rave_b' in n))"
    )
    output = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout
    assert output == "['rave_backends', 'rave_backends.plugin']\n"
