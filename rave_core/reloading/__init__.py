"""Namespaces that are directories: their code, loaded again when it changes."""
