"""The life of plugins: what they declare, their states, how they start and stop, and their services."""

from rave_core.lifecycle.declaration import Declaration
from rave_core.lifecycle.machine import Lifecycle, State
from rave_core.lifecycle.plugins import PluginContext, PluginState, RunningPlugins
from rave_core.lifecycle.service import Service

__all__ = ["Declaration", "Lifecycle", "PluginContext", "PluginState", "RunningPlugins", "Service", "State"]
