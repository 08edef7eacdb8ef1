"""The backend ``memory://``: entries in this process."""
