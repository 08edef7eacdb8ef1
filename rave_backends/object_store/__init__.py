"""The backends ``s3://``, ``gs://`` and ``az://``: entries in an object store."""
