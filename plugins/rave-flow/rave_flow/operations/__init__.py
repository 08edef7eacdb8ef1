"""The operations that others can ask for, under the names in ``__export__``."""

from rave_flow.operations import silk, tables

__all__ = ["silk", "tables"]

__export__ = {**tables.__export__, **silk.__export__}
