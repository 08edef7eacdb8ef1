"""The backend ``file://``: entries in a directory that processes and hosts share."""
