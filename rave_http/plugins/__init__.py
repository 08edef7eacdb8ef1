"""Discovery of the service's plugins."""
