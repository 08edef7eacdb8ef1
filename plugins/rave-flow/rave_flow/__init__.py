"""Network flow analyses, the namespace ``flow``: exported by `rave_flow.operations` and `rave_flow.algebra`."""

__all__ = ["algebra", "operations"]
