"""The served namespaces, reloaded when they change."""
