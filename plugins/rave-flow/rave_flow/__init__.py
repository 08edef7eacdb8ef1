"""Network flow analyses, the namespace ``flow``: see `rave_flow.operations` for what it exports."""

__all__ = ["operations"]
