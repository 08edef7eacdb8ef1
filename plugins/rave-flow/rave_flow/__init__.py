"""Network flow analyses, the namespace ``flow``: `rave_flow.operations` and `rave_flow.algebra` have what it exports."""

__all__ = ["algebra", "operations"]
