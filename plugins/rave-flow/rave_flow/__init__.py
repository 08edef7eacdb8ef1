"""Network flow analyses, the namespace ``flow``: exported by its packages `operations` and `pictures`."""

__all__ = ["operations", "pictures"]
