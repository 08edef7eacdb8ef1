"""Logs and captures in many formats, read into Parquet."""
