"""One worker: its parts, and its answers."""
