"""The data path: look up, else compute once and keep."""
