"""Questions to flows, as SQL for DuckDB."""
