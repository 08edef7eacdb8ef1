"""Documents in SQLite or PostgreSQL."""
