"""Network flow analyses, the namespace ``flow``: exported by its modules `operations`, `algebra` and `pictures`."""

__all__ = ["algebra", "operations", "pictures"]
