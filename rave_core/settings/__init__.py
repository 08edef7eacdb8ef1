"""The settings: one frozen object, and where each of its values came from."""

from rave_core.settings.settings import Settings, default_cache, default_products, known_settings, variable_of
from rave_core.settings.sources import user_directory

__all__ = ["Settings", "default_cache", "default_products", "known_settings", "user_directory", "variable_of"]
