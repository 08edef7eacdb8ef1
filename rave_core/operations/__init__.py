"""Operations: what a decorator makes of a function, and the catalog of exported operations."""
