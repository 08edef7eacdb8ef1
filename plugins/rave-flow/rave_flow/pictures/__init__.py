"""Flows as pictures, under the names in ``__export__``."""

from rave_flow.pictures.operations import __export__

__all__ = ["__export__"]
