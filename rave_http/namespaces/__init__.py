"""The namespaces that are served, loaded anew when they change."""
